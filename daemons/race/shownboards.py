"""The boards that a hub shows, by field: of several pits with one event, only the one that shows it."""

from collections.abc import Callable, Iterator, Mapping

from attrs import frozen

from daemons.race.active import ActivePits
from daemons.race.keeper import BoardKeeper

__all__ = ["ShownBoards"]


@frozen
class ShownBoards(Mapping[str, BoardKeeper]):
    """Goes through the fields; but any pits of a field's group are found too, and give the board that is shown for it.

    `board_of(site)` returns None for a site that is not here any more.
    """

    active: ActivePits
    board_of: Callable[[str], BoardKeeper | None]

    def __getitem__(self, name: str) -> BoardKeeper:
        site = self.active.site_of(name)
        board = None if site is None else self.board_of(site)
        if board is None:
            raise KeyError(name)
        return board

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, site in self.active.shown.items() if self.board_of(site) is not None])

    def __len__(self) -> int:
        return sum(1 for _ in self)
