"""Where an operator has been: back and on, as in a browser, and the last place besides."""

from attrs import define, field

__all__ = ["History", "Place"]

PLACES_MAX = 50

Place = tuple[str, str, str]
"""A page, and the daemon and site that it shows if it is a site's."""


@define(eq=False)
class History:
    """Places in the order in which one came to them. `before`: where one was before coming to `here`; None at the start."""

    begin: Place
    before: Place | None = field(default=None, init=False)
    _places: list[Place] = field(init=False)
    _at: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._places = [self.begin]

    @property
    def here(self) -> Place:
        return self._places[self._at]

    @property
    def has_back(self) -> bool:
        """Was one anywhere before?"""
        return self._at > 0

    def visit(self, place: Place) -> None:
        """Come to a place: what one had gone back from is forgotten. The same place again is no step."""
        if place != self.here:
            self.before = self.here
            self._places = [*self._places[: self._at + 1], place][-PLACES_MAX:]
            self._at = len(self._places) - 1

    def move(self, by: int) -> bool:
        """Go back, or with a positive `by` on; return whether there is such a place."""
        if not 0 <= self._at + by < len(self._places):
            return False
        self.before = self.here
        self._at += by
        return True
