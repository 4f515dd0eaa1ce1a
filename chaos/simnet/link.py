"""The pure model of one direction of a path: latency, jitter, rate with a finite queue, loss as a stall.

Nothing here knows Trio or a connection: times go in, times come out. What a direction carries has left the
sender's socket buffer and is under way; it arrives in order or, when the direction dies for good, not at all.

**Why a clock of its own.** A frozen direction is a conveyor that stands still: everything on it arrives later
by exactly the length of the pause. Instead of re-timing every chunk under way, a direction counts its own
*local* time, which stands still with it, and chunks carry local arrival times. `local()` and `real()`
convert.

**Why loss is a stall.** TCP never loses a byte: a lost segment is sent again, and everything behind it waits.
See loss.py.
"""

import dataclasses
import math
import random

from chaos.recording import Recording

SAME_INSTANT_S = 1e-9
"""Converting between local and real time rounds: an event may find itself due, by one bit, a moment later."""

MSS_BYTES = 1460
"""Payload of one segment on Ethernet (RFC 9293 §3.7.1)."""

RTO_FLOOR_S = 0.2
"""Linux's TCP_RTO_MIN: the retransmission timer never runs shorter than this beyond the round trip."""

LATE_ACK_S = 0.06
"""What a sender of little takes for part of the round trip, and adds to its timer: its peer acknowledges up to 40 ms
late, and after a loss only with what comes next. Fitted, with the one below, to what a kernel was measured to do."""

STALL_TIMERS_MAX = 3.0
"""The timer of a lost segment doubles up to so many times its first length: what is sent behind it, and heard of, has it
sent again earlier than a timer that goes on doubling would."""

RTO_CEILING_S = 120.0
"""Linux's TCP_RTO_MAX: doubling ends here."""

_PARETO_ALPHA = 3.0
_PARETO_MEAN = _PARETO_ALPHA / (_PARETO_ALPHA - 1)
_PARETO_DEVIATION = math.sqrt(_PARETO_ALPHA / (_PARETO_ALPHA - 2)) / (_PARETO_ALPHA - 1)


@dataclasses.dataclass(frozen=True, slots=True)
class Conditions:
    """How one direction behaves when it is neither frozen nor dead.

    All of it may be changed while bytes are under way.

    `jitter_s` is for each chunk: uniform, plus or minus; or the standard deviation of a normal distribution or
    of a Pareto one (alpha 3, a long tail of late ones, around the same mean). `correlation` is how much of a
    draw is the one before; `hold_s` how long a draw holds. `queue_bytes` is what waits in the modem when
    `rate_bytes_s` is finite; more than that stays in the sender's socket buffer. `recording` takes the place
    of the rate: what a real line let through, from `recording_from_s` on. `loss` is the probability
    that a segment is lost. `split` is the probability that a chunk arrives in two pieces cut at a random
    place.
    """

    latency_s: float = 0.02
    jitter_s: float = 0.0
    rate_bytes_s: float = math.inf
    queue_bytes: int = 64 * 1024
    loss: float = 0.0
    split: float = 0.0
    distribution: str = "uniform"
    correlation: float = 0.0
    hold_s: float = 0.0
    recording: Recording | None = None
    recording_from_s: float = 0.0

    def __post_init__(self) -> None:
        if not (
            self.latency_s >= 0 and self.jitter_s >= 0 and self.rate_bytes_s > 0 and self.queue_bytes > 0
        ):
            raise ValueError(f"latency and jitter must be >= 0, rate and queue > 0: {self}")
        if not (0 <= self.loss <= 0.9 and 0 <= self.split <= 1):
            raise ValueError(f"loss must be within 0..0.9 (beyond that: drop), split within 0..1: {self}")
        if self.distribution not in ("uniform", "normal", "pareto") or not 0 <= self.correlation <= 1:
            raise ValueError(f"an unknown distribution, or a correlation outside 0..1: {self}")


class OneWay:
    """One direction of one path, shared by every connection over it. `rng` is this direction's own stream."""

    def __init__(self, conditions: Conditions, rng: random.Random, now: float = 0.0) -> None:
        self.conditions = conditions
        self.rng = rng
        self.paused = False
        self._paused_at = 0.0
        self._lag_s = 0.0
        self._recording_began = 0.0
        self._busy_until = 0.0
        self._draw = 0.0
        self._held_until = -math.inf
        self._adopt(conditions, now)

    def _adopt(self, conditions: Conditions, local: float) -> None:
        # Copied out of the frozen value because these four are read for every chunk.
        recording = self.recording = conditions.recording
        self._recording_began = local - conditions.recording_from_s
        self.conditions = conditions
        self.rate_bytes_s = conditions.rate_bytes_s if recording is None else recording.mean_bytes_s
        self.loss = conditions.loss
        self.split = conditions.split

    def local(self, now: float) -> float:
        """Convert `now` to this direction's own time, which stands still while it is paused."""
        return (self._paused_at if self.paused else now) - self._lag_s

    def real(self, local: float) -> float:
        """Convert a local time to the run's; `inf` while paused, because nobody knows when it goes on."""
        return math.inf if self.paused else local + self._lag_s

    def pause(self, now: float) -> None:
        """Stop this direction's time. Idempotent."""
        if not self.paused:
            self.paused, self._paused_at = True, now

    def resume(self, now: float) -> None:
        """Let this direction's time go on where it stood. Idempotent."""
        if self.paused:
            self.paused = False
            self._lag_s += now - self._paused_at

    def change(self, conditions: Conditions, now: float) -> float:
        """Adopt new conditions; return the factor by which what waits in the queue is delayed."""
        local = self.local(now)
        waiting_s = max(0.0, self._busy_until - local)
        if self.recording is None and conditions.recording is None:
            factor = self.rate_bytes_s / conditions.rate_bytes_s if waiting_s else 1.0
            self._adopt(conditions, local)
        else:
            waiting_bytes = self.backlog_bytes(now)
            same = (conditions.recording, conditions.recording_from_s)
            began, before = self._recording_began, self.conditions
            self._adopt(conditions, local)
            if same == (before.recording, before.recording_from_s):
                self._recording_began = began  # another delay or queue: the recording goes on
            factor = self._drain_s(waiting_bytes, local) / waiting_s if waiting_s else 1.0
        self._busy_until = local + waiting_s * factor
        return factor

    def _drain_s(self, size: float, begins: float) -> float:
        """Return how long `size` bytes take to leave from the local time `begins` on."""
        if self.recording is None:
            return size / self.rate_bytes_s
        at = begins - self._recording_began
        return self.recording.done_at(size, at) - at

    def backlog_bytes(self, now: float) -> float:
        """Return what waits in the queue; 0 when the rate is unlimited."""
        local = self.local(now)
        waiting_s = self._busy_until - local
        if waiting_s <= 0:
            return 0.0
        if self.recording is None:
            return waiting_s * self.rate_bytes_s
        began = self._recording_began
        return self.recording.passed(self._busy_until - began) - self.recording.passed(local - began)

    def room_bytes(self, now: float) -> float:
        """Return what the queue still takes. An empty one always takes a segment, however small it is."""
        if self.rate_bytes_s == math.inf:
            return math.inf
        backlog = self.backlog_bytes(now)
        return max(self.conditions.queue_bytes - backlog, 0.0 if backlog else MSS_BYTES)

    def room_at(self, size: int, now: float) -> float:
        """Return the time (of the run) from which the queue takes `size` bytes; `inf` while paused."""
        spare = max(0.0, self.conditions.queue_bytes - size)
        if self.recording is not None:
            busy = self.recording.passed(self._busy_until - self._recording_began)
            return max(now, self.real(self._recording_began + self.recording.when(busy - spare)))
        fits_s = spare / self.rate_bytes_s
        return max(now, self.real(self._busy_until - fits_s))

    def carry(self, size: int, now: float) -> tuple[float, float]:
        """Put `size` bytes on the way; return the local times at which they leave the queue and arrive."""
        conditions = self.conditions
        departure = self.local(now)
        if self.rate_bytes_s != math.inf:
            begins = max(departure, self._busy_until)
            departure = begins + self._drain_s(size, begins)
            self._busy_until = departure
        if not conditions.jitter_s:
            return departure, departure + conditions.latency_s
        return departure, departure + max(0.0, conditions.latency_s + self._jitter_s(departure))

    def _jitter_s(self, departure: float) -> float:
        conditions = self.conditions
        if departure < self._held_until:
            return self._draw
        self._held_until = departure + conditions.hold_s
        match conditions.distribution:
            case "normal":
                draw = self.rng.gauss(0.0, conditions.jitter_s)
            case "pareto":
                draw = (self.rng.paretovariate(_PARETO_ALPHA) - _PARETO_MEAN) / _PARETO_DEVIATION
                draw *= conditions.jitter_s
            case _:
                draw = self.rng.uniform(-conditions.jitter_s, conditions.jitter_s)
        self._draw = conditions.correlation * self._draw + (1.0 - conditions.correlation) * draw
        return self._draw

    def lost(self, size: int) -> bool:
        """Draw whether a chunk of `size` bytes loses a segment that only a timer brings back.

        A loss inside a larger flight is shown by the segments behind it and costs one round trip, which is
        noise beside the timer: only the last three segments of a chunk count.
        """
        if not self.loss:
            return False
        segments = min(3, -(-size // MSS_BYTES)) or 1
        return self.rng.random() >= (1.0 - self.loss) ** segments

    def stall_s(self, round_trip_s: float) -> float:
        """Draw how long a lost segment takes to get through: a tail loss probe, then doubling timers."""
        first_s = stall_s = timer_s = stall_timer_s(round_trip_s)
        while self.rng.random() < self.loss:
            stall_s += timer_s
            timer_s = min(timer_s * 2, first_s * STALL_TIMERS_MAX)
        return stall_s


def stall_timer_s(round_trip_s: float) -> float:
    """Return how long nothing is heard of a segment before it is sent again."""
    return RTO_FLOOR_S + LATE_ACK_S + round_trip_s


def next_retransmission(stuck_since: float, round_trip_s: float, not_before: float) -> float:
    """Return the first tick, at or after `not_before`, of a retransmission timer set at `stuck_since`."""
    timer_s = RTO_FLOOR_S + round_trip_s
    at = stuck_since + timer_s
    while at < not_before:
        timer_s = min(timer_s * 2, RTO_CEILING_S)
        at += timer_s
    return at
