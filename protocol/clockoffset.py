"""What the peer's clock says, by our monotonic one: a by-product of pings.

Of the last 16 exchanges the one with the least delay is the best (the idea of NTP's clock filter): its answer
lay somewhere inside its round trip, so half of that bounds the error. Older samples widen by what clocks
drift apart. Two samples whose bounds do not overlap mean that a clock was set, or that our machine slept: the
older ones go.
"""

from collections import deque
from typing import NamedTuple

from protocol.frames import Pong

__all__ = ["ClockOffset", "PeerTime"]

_SAMPLES = 16
_DRIFT = 200e-6
_SLACK_S = 0.001


class PeerTime(NamedTuple):
    """The peer's UTC, in seconds, and how far it may be off either way."""

    utc_s: float
    error_s: float


class _Sample(NamedTuple):
    at: float
    offset_s: float
    error_s: float

    def error_at(self, now: float) -> float:
        return self.error_s + _DRIFT * abs(now - self.at)


class ClockOffset:
    """Estimate the peer's UTC. One for each peer process; it may outlive a connection. `now`: our monotonic
    seconds."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=_SAMPLES)
        self.steps = 0
        """How often samples were discarded because a clock was set."""

    def add(self, sent_at: float, now: float, pong: Pong) -> None:
        """Take a pong that was received at `now` for a ping sent at `sent_at`.

        A peer that does not know the time (utc_us 0) adds nothing.
        """
        if pong.utc_us == 0:
            return
        inside_s = max(0, pong.sent_us - pong.received_us) * 1e-6
        delay_s = max(0.0, now - sent_at - inside_s)
        offset_s = pong.utc_us * 1e-6 - inside_s / 2 - (sent_at + now) / 2
        sample = _Sample(now, offset_s, delay_s / 2 + _DRIFT * (now - sent_at))
        best = self._best(now)
        if best is not None:
            apart_s = abs(sample.offset_s - best.offset_s)
            if apart_s > sample.error_s + best.error_at(now) + _SLACK_S:
                self._samples.clear()
                self.steps += 1
        self._samples.append(sample)

    def forget(self) -> None:
        """Drop every sample: the peer is another process now, or on a machine that was started again."""
        self._samples.clear()

    def peer_time(self, now: float) -> PeerTime | None:
        """Return the peer's UTC at our monotonic `now`, or None when nothing is known."""
        best = self._best(now)
        return None if best is None else PeerTime(now + best.offset_s, best.error_at(now))

    def _best(self, now: float) -> _Sample | None:
        return min(self._samples, key=lambda sample: sample.error_at(now), default=None)
