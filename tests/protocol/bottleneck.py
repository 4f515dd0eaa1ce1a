"""A slow line with a deep buffer in front of it, as a discrete-event model; lanes and cap are tuned on it.

One sender with a `Scheduler`, a socket buffer, a modem's FIFO drained at the line's rate, a path with a delay
that may change, a receiver with a `ReceivedMeter`; acknowledgements come back over the same delay. No clock
but the model's.
"""

import heapq
import itertools
import math
from collections.abc import Callable, Iterator

from attrs import Factory, define, field

from protocol.lanes import Lane, Scheduler
from protocol.received import ReceivedMeter

WIRE_OVERHEAD_BYTES = 1 + 4
"""A message's flag byte and WebSocket header."""

PACKET_BYTES = 1448
PACKET_OVERHEAD_BYTES = 52
"""TCP and IP headers of a full segment."""


class Backlog:
    """A source that holds `frames` of `frame_bytes` each, all there from the start: a body, or waiting
    events."""

    def __init__(self, frame_bytes: int, frames: int) -> None:
        self.frame_bytes = frame_bytes
        self.left = frames

    def pull(self, now: float, max_bytes: int) -> bytes | None:
        if not self.left:
            return None
        count = max(1, min(self.left, max_bytes // self.frame_bytes))
        self.left -= count
        return bytes(self.frame_bytes) * count


class Body:
    """A body on the bulk lane: one chunk a pull, as long as it may be."""

    def __init__(self, n_bytes: int) -> None:
        self.left_bytes = n_bytes

    def pull(self, now: float, max_bytes: int) -> bytes | None:
        n_bytes = min(self.left_bytes, max_bytes)
        self.left_bytes -= n_bytes
        return bytes(n_bytes) or None


class Commands:
    """A command when `issue` says so; it remembers when each was issued and pulled."""

    def __init__(self, frame_bytes: int = 120) -> None:
        self.frame_bytes = frame_bytes
        self.waiting: list[float] = []
        self.pulled: list[float] = []

    def pull(self, now: float, max_bytes: int) -> bytes | None:
        if not self.waiting:
            return None
        count = len(self.waiting)
        self.pulled += self.waiting
        self.waiting.clear()
        return bytes(self.frame_bytes) * count


@define
class Bottleneck:
    """The model. `rtt_s(now)`: round trip without any queue. `run` until a time; figures are in the lists."""

    rate_bytes_s: float
    rtt_s: Callable[[float], float]
    buffer_bytes: int = 256 * 1024
    socket_bytes: int = 16 * 1024
    jitter_s: Callable[[], float] = lambda: 0.0
    grid_s: float = 0.0
    """What arrives waits for the next multiple of this: radio links deliver in bursts."""
    now: float = 0.0
    scheduler: Scheduler = field(init=False)
    meter: ReceivedMeter = Factory(ReceivedMeter)
    latencies_s: list[tuple[float, float]] = Factory(list)
    """(issued at, round trip) of each command."""
    delivered: list[tuple[float, int]] = Factory(list)
    """(arrived at, counted bytes) of each counted message."""
    caps: list[tuple[float, int]] = Factory(list)
    _events: list[tuple[float, int, Callable[[], None]]] = Factory(list)
    _order: Iterator[int] = Factory(itertools.count)
    _queued_bytes: float = 0
    _line_free_at: float = 0.0
    _last_arrival: float = 0.0
    _last_return: float = 0.0
    _commands: Commands = Factory(Commands)
    _is_writing: bool = False

    def __attrs_post_init__(self) -> None:
        self.scheduler = Scheduler(self.now, on_ready=self._write_soon)

    def at(self, when: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(when, self.now), next(self._order), do))

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, do = heapq.heappop(self._events)
            do()
        self.now = until

    def command_every(self, period_s: float, start: float = 0.0) -> None:
        """Issue a command on lane 1 every `period_s`, for ever."""
        handle = self.scheduler.register(Lane.COMMAND, self._commands)

        def issue() -> None:
            self._commands.waiting.append(self.now)
            handle.wake()
            self.at(self.now + period_s, issue)

        self.at(start, issue)

    def delivered_bytes(self, start: float, end: float) -> int:
        return sum(n_bytes for at, n_bytes in self.delivered if start <= at < end)

    def finished_at(self) -> float:
        return self.delivered[-1][0]

    def latency_ms(self, quantile: float, start: float = 0.0, end: float = float("inf")) -> float:
        """The quantile of the round trips of the commands issued in [start, end)."""
        ordered = sorted(latency for at, latency in self.latencies_s if start <= at < end)
        return 1e3 * ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]

    def _write_soon(self) -> None:
        if not self._is_writing:
            self._is_writing = True
            self.at(self.now, self._write)

    def _write(self) -> None:
        """The writer: while the socket has room, pick and send."""
        self._is_writing = False
        while self._queued_bytes < self.buffer_bytes + self.socket_bytes:
            pick = self.scheduler.pick(self.now)
            if pick is None:
                held_until = self.scheduler.next_wake(self.now)
                if held_until is not None:
                    self.at(held_until, self._write_soon)
                return
            wire_bytes = len(pick.data) + WIRE_OVERHEAD_BYTES
            self.scheduler.sent(self.now, wire_bytes, pick.counted)
            commands, self._commands.pulled = self._commands.pulled, []
            self._transmit(wire_bytes, pick.counted, len(pick.data), commands)

    def _transmit(self, wire_bytes: int, counted: bool, data_bytes: int, commands: list[float]) -> None:
        packets = -(-wire_bytes // PACKET_BYTES)
        line_bytes = wire_bytes + packets * PACKET_OVERHEAD_BYTES
        self._queued_bytes += line_bytes
        self._line_free_at = max(self._line_free_at, self.now) + line_bytes / self.rate_bytes_s
        leaves_at = self._line_free_at

        def left() -> None:
            self._queued_bytes -= line_bytes
            self._write_soon()

        self.at(leaves_at, left)
        arrives_at = leaves_at + self.rtt_s(leaves_at) / 2 + self.jitter_s()
        if self.grid_s:
            arrives_at = math.ceil(arrives_at / self.grid_s) * self.grid_s
        arrives_at = max(self._last_arrival, arrives_at)
        self._last_arrival = arrives_at

        def arrive() -> None:
            back_s = self.rtt_s(self.now) / 2
            self.latencies_s += [(issued, self.now + back_s - issued) for issued in commands]
            if counted:
                self.delivered.append((self.now, data_bytes))
                self.meter.counted(self.now, wire_bytes)
                due_at = self.meter.due_at()
                if due_at is not None:
                    self.at(due_at, self._report)

        self.at(arrives_at, arrive)

    def _report(self) -> None:
        due_at = self.meter.due_at()
        if due_at is None or due_at > self.now:
            return
        report = self.meter.take(self.now)
        assert report is not None
        self._last_return = max(self._last_return, self.now + self.rtt_s(self.now) / 2)

        def came_back() -> None:
            self.scheduler.on_received(self.now, report.total, report.hold_us)
            self.caps.append((self.now, self.scheduler.cap.cap_bytes))

        self.at(self._last_return, came_back)
