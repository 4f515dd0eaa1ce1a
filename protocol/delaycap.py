"""How many bytes of lanes 2–5 may be on their way: a cap adapted by delay (the idea of LEDBAT, RFC 6817).

What was written cannot be overtaken, and the worst queue is the modem's. So the bytes under way are held to
what the line itself needs (rate × base delay) plus a queue of about 60 ms. The reasoning behind the numbers:

* A sample is the time from handing a message to the socket to its acknowledgement, less what the peer held
  the acknowledgement back. `base` is its minimum, `sample - base` the queue that a command would have to sit
  behind.
* By Little's law a message that was sent with `f` bytes under way and took `d` says that the line carries
  `f / d`; the cap that leaves a queue of `TARGET_S` is then `f × (base + TARGET_S) / d`. Shrinking *to* that
  value, not *by* a factor, makes it harmless that all the samples of one round trip say the same thing: with
  a factor a sample, a long path, where forty of them come back a round trip, would collapse to the floor at
  every touch of the target.
* Growing acts one round trip late. A growth of g a round trip overshoots by g round trips of queue: doubling
  on a satellite path means 600 ms of it. So the cap doubles only up to what the line is known to carry, and
  creeps from there. That is known best from `f / d` of messages that met a full queue; before the first of
  them, from the spacing of the acknowledgements (a train of messages leaves the bottleneck at its rate),
  which radio links that deliver in bursts make look faster than it is.
* A queue that is always ours hides the base: after two windows even the minimum has 60 ms of it, and the next
  target starts from there. A window that saw no sample near the base therefore ends with one round trip at
  half the cap or less (LEDBAT++ slows down periodically for the same reason).
"""

from collections import deque
from typing import NamedTuple

from protocol.errors import RemoteProtocolError

__all__ = ["CAP_BYTES_MAX", "FLOOR_BYTES", "TARGET_S", "DelayCap"]

TARGET_S = 0.060
FLOOR_BYTES = 8 * 1024
CAP_BYTES_MAX = 4 * 1024 * 1024
INITIAL_BYTES = 16 * 1024
CHUNK_BYTES_MIN = 4 * 1024
CHUNK_BYTES_MAX = 48 * 1024

_CHUNK_S = 0.016
"""A chunk is what the line carries in this time: it is the wait that no priority can avoid."""

_WINDOW_S = 60.0
_RAISED_S = 0.200
_RAISED_FOR_S = 10.0
_SPACING_S = 0.050
_SPACING_KEPT_S = 5.0


class _Sent(NamedTuple):
    total: int
    sent_at: float
    under_way: int
    is_limited: bool


class _Sample(NamedTuple):
    delay_s: float
    under_way: int
    at: float
    number: int


class DelayCap:
    """Decide how many counted bytes may be under way on one connection. `now` is monotonic seconds.

    Bounded by itself: it remembers one record for each message under way.
    """

    def __init__(self, now: float) -> None:
        self.cap_bytes = INITIAL_BYTES
        self.under_way_bytes = 0
        self.delay_s = 0.0
        """The last sample."""
        self._total = 0
        self._acknowledged = 0
        self._sent: deque[_Sent] = deque()
        self._samples = 0
        self._recent: deque[_Sample] = deque()
        # base delay
        self._base = self._previous = float("inf")
        self._window_least = float("inf")
        self._window_ends = now + _WINDOW_S
        self._raised_since: float | None = None
        self._raised_least = float("inf")
        # line rate by the spacing of acknowledgements: the greatest of this and the last few seconds
        self._mark_at = now
        self._mark_total = 0
        self._spaced_rate = self._spaced_rate_before = 0.0
        self._spaced_rate_until = now + _SPACING_KEPT_S
        # line rate by messages that met a full queue: the greatest of this and the last window
        self._full_rate = self._full_rate_before = 0.0
        # a probe: the cap is small and stays as it is until a message sent under it has come back
        self._probe_from: int | None = None
        self._has_fallen = False

    def __repr__(self) -> str:
        return (
            f"<DelayCap {self.under_way_bytes}/{self.cap_bytes} B, base {self.base_s * 1e3:.1f} ms, "
            f"queue {self.queue_s * 1e3:.1f} ms>"
        )

    @property
    def base_s(self) -> float:
        """The least delay of the last two windows; 0 before the first sample."""
        return self._base if self._base != float("inf") else 0.0

    @property
    def queue_s(self) -> float:
        """How long the queue was that the last acknowledged message met."""
        return max(0.0, self.delay_s - self.base_s)

    @property
    def rate_bytes_s(self) -> float:
        """What the line was found to carry. Bytes a second; it lags while nothing much is sent."""
        base = self._base  # as base_s: asked for each message, more than once
        return self.cap_bytes / (TARGET_S if base == float("inf") else base + TARGET_S)

    @property
    def chunk_bytes(self) -> int:
        """The chunk size of the moment: 16 ms of the line, 4–48 KiB."""
        return min(CHUNK_BYTES_MAX, max(CHUNK_BYTES_MIN, int(self.rate_bytes_s * _CHUNK_S)))

    @property
    def is_open(self) -> bool:
        """Tell whether a chunk may go now.

        Half a chunk of room is enough, and the chunk is then sent whole: cutting it to the room that is left
        would in time cut everything into crumbs (the silly window of TCP).
        """
        return self.under_way_bytes == 0 or self.under_way_bytes + self.chunk_bytes // 2 <= self.cap_bytes

    def sent(self, now: float, wire_bytes: int) -> None:
        """Count a message. To be called just *before* it is given to the socket.

        Called after the write, the peer's acknowledgement could be read first, and would seem to acknowledge
        what was never sent.
        """
        self._total += wire_bytes
        self.under_way_bytes += wire_bytes
        is_limited = 2 * self.under_way_bytes >= self.cap_bytes
        self._sent.append(_Sent(self._total, now, self.under_way_bytes, is_limited))

    def received(self, now: float, total: int, hold_us: int) -> None:
        """Take the acknowledgement of the first `total` counted bytes, held back by the peer for `hold_us`.

        Raises RemoteProtocolError when the total was never sent, goes back, or ends inside a message.
        """
        if total < self._acknowledged or total > self._total or hold_us < 0:
            raise RemoteProtocolError(
                f"received({total}, {hold_us} µs) between {self._acknowledged} and {self._total}"
            )
        if total == self._acknowledged:
            return
        record = self._sent.popleft()
        while record.total < total:
            record = self._sent.popleft()
        if record.total != total:
            raise RemoteProtocolError(f"received({total}) ends inside a message")
        acknowledged = total - self._acknowledged
        self._acknowledged = total
        self.under_way_bytes = self._total - total

        arrived_at = now - hold_us * 1e-6
        self.delay_s = max(0.0, arrived_at - record.sent_at)
        self._measure_spacing(arrived_at)
        self._measure_base(now)
        least = self._least_of_a_round_trip(now, record.under_way)
        if self._probe_from is None:
            self._adapt(least, acknowledged if record.is_limited else 0)
        elif total > self._probe_from:
            self._probe_from = None
            self.cap_bytes = max(FLOOR_BYTES, self.cap_bytes)

    def _measure_spacing(self, arrived_at: float) -> None:
        elapsed_s = arrived_at - self._mark_at
        # A train too short to be timed still says that the line carries at least this.
        rate = (self._acknowledged - self._mark_total) / max(elapsed_s, _SPACING_S)
        if elapsed_s >= _SPACING_S:
            self._mark_at, self._mark_total = arrived_at, self._acknowledged
        if arrived_at >= self._spaced_rate_until:
            self._spaced_rate_before, self._spaced_rate = self._spaced_rate, 0.0
            self._spaced_rate_until = arrived_at + _SPACING_KEPT_S
        self._spaced_rate = max(self._spaced_rate, rate)

    def _measure_base(self, now: float) -> None:
        delay = self.delay_s
        self._has_fallen = self._has_fallen or delay < self._base - TARGET_S < float("inf")
        self._window_least = min(self._window_least, delay)
        if self._is_raised_for_good(now):
            # Another path, or somebody else's queue that will not go: the old base is of no use any more.
            self._previous, self._window_least = float("inf"), self._raised_least
            self._window_ends = now + _WINDOW_S
            self._full_rate_before = self._full_rate = 0.0
            self._raised_since = None
            self._recent.clear()
            self._probe(self.cap_bytes // 2)
        elif now >= self._window_ends:
            was_near = self._window_least <= self._base + TARGET_S / 4
            self._previous, self._window_least = self._window_least, delay
            self._window_ends = now + _WINDOW_S
            self._full_rate_before, self._full_rate = self._full_rate, 0.0
            if not was_near:
                drained = 0.75 * self.cap_bytes * self._base / (self._base + TARGET_S)
                self._probe(int(min(self.cap_bytes / 2, drained)))
        self._base = min(self._previous, self._window_least)

    def _is_raised_for_good(self, now: float) -> bool:
        """Tell whether every sample of the last 10 s lay 200 ms above the base.

        With the cap at its floor, above the target is enough: it is not our bytes that queue, or the probe
        that follows will show that it is. The new base is taken from the second half: while the path changes,
        a message may travel half of it the old way.
        """
        raised_s = TARGET_S if self.cap_bytes == FLOOR_BYTES else _RAISED_S
        if self.delay_s <= self._base + raised_s:
            self._raised_since = None
            return False
        if self._raised_since is None:
            self._raised_since, self._raised_least = now, float("inf")
        raised_for_s = now - self._raised_since
        if raised_for_s >= _RAISED_FOR_S / 2:
            self._raised_least = min(self._raised_least, self.delay_s)
        return raised_for_s >= _RAISED_FOR_S

    def _probe(self, probe_bytes: int) -> None:
        self.cap_bytes = max(CHUNK_BYTES_MIN, probe_bytes)
        self._probe_from = self._total

    def _least_of_a_round_trip(self, now: float, under_way: int) -> _Sample:
        """Return the sample with the least delay of the last round trip, but at least of the last three.

        A round trip: the end of every burst meets a queue that the pause behind it drains. Three: one late
        message (a retransmission, a pause of the peer) is no queue.
        """
        recent = self._recent
        self._samples += 1
        # In rising order of delay: a newer and lesser sample makes the older ones irrelevant.
        while recent and recent[-1].delay_s >= self.delay_s:
            recent.pop()
        recent.append(_Sample(self.delay_s, under_way, now, self._samples))
        while recent[0].at < now - recent[0].delay_s and recent[0].number <= self._samples - 3:
            recent.popleft()
        return recent[0]

    def _adapt(self, least: _Sample, acknowledged: int) -> None:
        wanted_s = self._base + TARGET_S
        queue = least.delay_s - self._base
        if queue > TARGET_S:
            self._full_rate = max(self._full_rate, least.under_way / least.delay_s)
            fitting_bytes = int(least.under_way * wanted_s / least.delay_s)
            self.cap_bytes = max(FLOOR_BYTES, min(self.cap_bytes, fitting_bytes))
            return
        if self._has_fallen:
            # The path became shorter while our bytes filled the longer one: the base has our queue in it.
            self._has_fallen = False
            self._probe(FLOOR_BYTES)
            return
        full_rate = max(self._full_rate, self._full_rate_before)
        line_rate = full_rate or max(self._spaced_rate, self._spaced_rate_before)
        if queue < TARGET_S / 2 and self.cap_bytes < line_rate * (self._base + TARGET_S / 2):
            growth = 1.0
        else:
            growth = 0.5 * (TARGET_S / wanted_s) * (1 - queue / TARGET_S)
        self.cap_bytes = min(CAP_BYTES_MAX, self.cap_bytes + int(acknowledged * growth))
