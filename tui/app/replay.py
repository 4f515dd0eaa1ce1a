"""A replay on the screen: its keys and words, and what stands in the place of the daemons of then."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from attrs import define
from textual.binding import Binding

from tui.app.looks import Cell, Kind
from tui.model import Model

if TYPE_CHECKING:
    from tui.record import Player

__all__ = ["OFFERS", "REPLAY", "REPLAY_BINDINGS", "Replayed", "position_cell", "press", "speak", "title_cell"]

REPLAY = "this is a replay: nothing is done from here"
OFFERS = ("seek ", "speed ")
REPLAY_BINDINGS = (
    Binding("p", "replay('pause')", "replay: pause, or go on", id="replay.pause"),
    Binding("comma", "replay('move', -10)", "replay: 10 s back, 10 s on", id="replay.back10", key_display=","),
    Binding("full_stop", "replay('move', 10)", "replay: 10 s back, 10 s on", id="replay.on10", key_display="."),
    Binding("less_than_sign", "replay('move', -60)", "replay: a minute back, a minute on", id="replay.back60", key_display="<"),
    Binding("greater_than_sign", "replay('move', 60)", "replay: a minute back, a minute on", id="replay.on60", key_display=">"),
    Binding("left_curly_bracket", "replay('turn', -1)", "replay: slower, faster", id="replay.slower", key_display="{"),
    Binding("right_curly_bracket", "replay('turn', 1)", "replay: slower, faster", id="replay.faster", key_display="}"),
)  # fmt: skip


@define(eq=False)
class Replayed:
    """Stands where the feeds of living daemons stand. Nobody is asked for anything."""

    player: "Player"

    @property
    def model(self) -> Model:
        return self.player.model

    async def run(self) -> None:
        """Play until cancelled."""
        await self.player.run()

    async def act(self, daemon: str, action: str, params: Mapping[str, Any]) -> Any:
        """Raises Unreachable."""
        from daemons.ops.client import Unreachable

        raise Unreachable(REPLAY)

    def look_at_all(self, sites: Iterable[tuple[str, str]]) -> None:
        """What was recorded is all that there is."""

    def look_at_chaos(self, is_wanted: bool) -> None:
        """What was recorded is all that there is."""

    def look_for(self, trace: str) -> None:
        """What was recorded is all that there is."""

    def place(self, daemon: str) -> str:
        return ""


def press(player: "Player", what: str, by: float = 0.0) -> None:
    """Do what a key says."""
    match what:
        case "pause":
            player.pause()
        case "move":
            player.move(by)
        case "turn":
            player.turn(int(by))


def speak(player: "Player", text: str) -> str | None:
    """Do what was typed after `:`; return why not, "" when it was done, None when it is not for a replay."""
    word, _, rest = text.strip().partition(" ")
    if word == "seek":
        try:
            player.seek(player.find(rest.strip()))
        except ValueError as exc:
            return str(exc)
        return ""
    if word == "speed":
        from tui.record import SPEEDS

        try:
            speed = float(rest.strip().removesuffix("x"))
        except ValueError:
            speed = 0.0
        if speed not in SPEEDS:
            return f"{rest.strip()!r} is no speed: {', '.join(f'{one:g}' for one in SPEEDS)}"
        player.play_at(speed)
        return ""
    return None


def title_cell(player: "Player") -> Cell:
    """Return when it was, and how it goes on."""
    then = datetime.fromtimestamp(player.utc(), UTC)
    words = f"REPLAY {then:%Y-%m-%d %H:%M:%S} UTC"
    if player.goal is not None:
        return Cell(f"{words} seeking", Kind.STRONG)
    if player.is_paused:
        return Cell(f"{words} paused", Kind.STRONG)
    return Cell(f"{words} {'end' if player.is_at_end else f'{player.speed:g}x'}", Kind.STRONG)


def position_cell(player: "Player") -> Cell:
    """Return how far it is, to where it is going, and what is wrong with the file."""
    words = f"{_clock(player.position)} of {_clock(player.recording.duration_s)}"
    if player.goal is not None:
        words = f"{_clock(player.position)}, going to {_clock(player.goal)} of {_clock(player.recording.duration_s)}"
    return Cell(
        f"{words}; {player.words}" if player.words else words, Kind.NOTICE if player.words else Kind.PLAIN
    )


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
