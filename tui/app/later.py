"""What stands where the daemons' feeds will stand, until the first picture is shown: they take as long to import as it does."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field

from tui.model import Model

if TYPE_CHECKING:
    from tui.app.desk import Backend

__all__ = ["Later"]


@define(eq=False)
class Later:
    """A backend that knows nothing yet. `make`: makes the one that takes its place."""

    make: "Callable[[], Backend]"
    model: Model = field(factory=Model)

    def made(self) -> "Backend":
        """Return what takes its place. Raises what keeps that from being made."""
        return self.make()

    async def run(self) -> None:
        """There is nothing to run yet."""

    async def act(self, daemon: str, action: str, params: Mapping[str, Any]) -> Any:
        """Nobody can be asked yet."""
        raise AssertionError("not made yet")

    def look_at_all(self, sites: Iterable[tuple[str, str]]) -> None:
        """The desk says it again to what takes its place."""

    def look_at_chaos(self, is_wanted: bool) -> None:
        """The desk says it again to what takes its place."""

    def look_for(self, trace: str) -> None:
        """There is nothing to search yet."""

    def place(self, daemon: str) -> str:
        return ""
