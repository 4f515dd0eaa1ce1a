"""How a relay stands, told to its backend as a state: what it captures, what it thins and why, what waits on its disk."""

from collections.abc import Callable
from typing import Any, Final

import trio
from attrs import define, field, frozen

from daemons.ops.environment import Environment
from protocol import cbor
from protocol.errors import RemoteProtocolError
from protocol.publisher import Publisher

__all__ = ["TOPIC", "Standing", "StandingTold", "read_standing"]


TOPIC: Final = "relay"
KEY: Final = "standing"
EVERY_S = 1.0
GATHER_S, SILENCE_S, BEAT_S = 0.2, 30.0, 15.0
WORDS_MAX, DEGREE_MAX = 300, 20


@frozen(kw_only=True)
class Standing:
    """`capture`: in words; `degree`: how thin live is, `degree_words`: why, "" at 0; `waiting`: seconds of ticks on the
    disk there that are not here for good."""

    capture: str = ""
    degree: int = 0
    degree_words: str = ""
    waiting: int = 0

    def pack(self) -> bytes:
        """Return it as a row."""
        words = (self.capture[:WORDS_MAX], self.degree_words[:WORDS_MAX])
        return cbor.encode([words[0], self.degree, words[1], self.waiting])


def read_standing(row: bytes) -> Standing | None:
    """Read a row; None for what is none: of another version, or of a stranger."""
    try:
        told: Any = cbor.decode(row)
    except RemoteProtocolError:
        return None
    match told:
        case [str(capture), int(degree), str(words), int(waiting), *_] if (
            len(capture) <= WORDS_MAX
            and len(words) <= WORDS_MAX
            and 0 <= degree <= DEGREE_MAX
            and waiting >= 0
        ):
            return Standing(capture=capture, degree=degree, degree_words=words, waiting=waiting)
    return None


@define(eq=False)
class StandingTold:
    """Tells it. `publisher` goes to the link's `Peer`; `run` must be running."""

    now_stands: Callable[[], Standing]
    environment: Environment
    publisher: Publisher = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.publisher = Publisher(
            TOPIC, self.environment.new_epoch(), GATHER_S, max_silence_s=SILENCE_S, beat_s=BEAT_S
        )

    async def run(self) -> None:
        """Tell whenever it is another, until cancelled."""
        while True:
            self.publisher.set(KEY, self.now_stands().pack(), trio.current_time())
            self.publisher.read_at(round(self.environment.utc_now() * 1e6))
            await trio.sleep(EVERY_S)
