"""Faults that know what the link's frames mean, for who sees them: a daemon itself, in a simulation or at a real race.

They are put in through the port `tampering` of `daemons.link`: what is to be sent comes by before it is compressed, what
has come behind the decompressor, so that a frame can be missing, late or there twice without breaking the stream.
"""

import heapq
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence

import trio
from attrs import define, field

from chaos.faults import DelayAcks, DuplicateMessage, EatMessage, Placed, StarveHeartbeats, Stream
from protocol.frames import Ack, Frame, Message, Ping, Pong, StateAck

__all__ = ["FrameFaults"]

HELD_MAX = 4096
"""Frames of one connection that wait to be said; past it the oldest do not wait any longer."""


@define(eq=False)
class FrameFaults:
    """The faults in force on the links of one program. `outgoing`: which direction is the one that it sends in.

    `join` is what the link is given as its `tampering`. The draws depend on `seed`, the number of the connection and the
    fault's name, and so on nothing else that is placed.
    """

    outgoing: Stream
    seed: str = "0"
    placed: dict[str, Placed] = field(factory=dict, init=False)
    touched: Counter[str] = field(factory=Counter, init=False)
    """Frames that were late, doubled or eaten, by the name of the fault: also after its end."""
    _eaten: Counter[str] = field(factory=Counter, init=False)
    _connections: int = field(default=0, init=False)

    @property
    def incoming(self) -> Stream:
        return Stream.DOWNSTREAM if self.outgoing is Stream.UPSTREAM else Stream.UPSTREAM

    def place(self, placed: Placed) -> None:
        """Add a fault, or change the one of that name; what was eaten before does not count for the new one."""
        assert placed.fault.knows_messages, f"{placed.fault.type} is one of bytes"
        self._eaten.pop(placed.name, None)
        self.placed[placed.name] = placed

    def remove(self, name: str) -> None:
        """End a fault. What it holds comes when it would have come."""
        self.placed.pop(name, None)

    def join(self) -> "FrameTamper":
        """Begin a connection."""
        self._connections += 1
        return FrameTamper(self, f"{self.seed}/{self._connections}")

    def may_eat(self, placed: Placed, fault: EatMessage) -> bool:
        return not fault.count or self._eaten[placed.name] < fault.count

    def ate(self, placed: Placed) -> None:
        self._eaten[placed.name] += 1


@define(eq=False)
class FrameTamper:
    """One connection's."""

    faults: FrameFaults
    seed: str
    _late: list[tuple[float, int, Stream, Frame]] = field(factory=list, init=False)
    _numbers: "itertools.count[int]" = field(factory=itertools.count, init=False)
    _passing: list[Frame] = field(
        factory=list, init=False
    )  # said by us: comes by once more, and is let through
    _draws: dict[str, random.Random] = field(factory=dict, init=False)
    _strikes: dict[str, float] = field(factory=dict, init=False)
    _sleep: trio.CancelScope = field(factory=trio.CancelScope, init=False)

    @property
    def is_armed(self) -> bool:
        return bool(self.faults.placed or self._passing)

    def outgoing(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        return [
            frame for frame in frames if self._was_ours(frame) or self._passes(frame, self.faults.outgoing)
        ]

    def incoming(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        if not self.faults.placed:
            return frames
        return [frame for frame in frames if self._passes(frame, self.faults.incoming)]

    async def run(self, send: Callable[[Frame], None], take: Callable[[Frame], None]) -> None:
        late = self._late
        while True:
            now = trio.current_time()
            while late and (late[0][0] <= now or len(late) > HELD_MAX):
                _, _, stream, frame = heapq.heappop(late)
                if stream is self.faults.outgoing:
                    self._passing.append(frame)
                    send(frame)
                else:
                    take(frame)
            with trio.CancelScope(deadline=late[0][0] if late else math.inf) as self._sleep:
                await trio.sleep_forever()

    def _was_ours(self, frame: Frame) -> bool:
        if not self._passing or frame != self._passing[0]:
            return False
        del self._passing[0]
        return True

    def _passes(self, frame: Frame, stream: Stream) -> bool:
        for placed in self.faults.placed.values():
            if not placed.stream.covers(stream) or not self._is_struck(placed):
                continue
            match placed.fault, frame:
                case StarveHeartbeats(), Ping() | Pong():
                    self.faults.touched[placed.name] += 1
                    return False
                case DelayAcks(delay_s=delay_s), Ack() | StateAck():
                    self._say_later(placed, delay_s, stream, frame)
                    return False
                case EatMessage() as fault, Message():
                    if self.faults.may_eat(placed, fault) and self._draw(placed.name) < fault.share:
                        self.faults.ate(placed)
                        self.faults.touched[placed.name] += 1
                        return False
                case DuplicateMessage(share=share), Message():
                    if self._draw(placed.name) < share:
                        self._say_later(placed, 0.0, stream, frame)
        return True

    def _say_later(self, placed: Placed, delay_s: float, stream: Stream, frame: Frame) -> None:
        self.faults.touched[placed.name] += 1
        due_at = trio.current_time() + delay_s
        heapq.heappush(self._late, (due_at, next(self._numbers), stream, frame))
        self._sleep.deadline = self._late[0][0] if len(self._late) <= HELD_MAX else -math.inf

    def _is_struck(self, placed: Placed) -> bool:
        """Whether the fault met this connection: drawn once."""
        name = placed.name
        if name not in self._strikes:
            self._strikes[name] = random.Random(f"{self.seed}/{name}/toxicity").random()
        return self._strikes[name] < placed.toxicity

    def _draw(self, name: str) -> float:
        if name not in self._draws:
            self._draws[name] = random.Random(f"{self.seed}/{name}")
        return self._draws[name].random()
