"""Is the peer there? When to ask, and when to give up.

Any received byte is life. A ping goes out at once after the hello, after 5 s without receiving, at least
every 20 s (NATs drop idle paths at about 30 s), and, while something of ours is unacknowledged, after max(1
s, 4 × round trip) of silence. The peer is dead when nothing came for max(5 s, 3 × the largest round trip of
the last minute), at most 20 s, after a ping; max(3 s, …) while something is unacknowledged: a silent black
hole under traffic is found 4 s after the last byte.

Two things have cost others false alarms and missed deaths. A tick that was itself late (the machine slept, or
the CPU was taken) would find every deadline past before the waiting bytes were read: the lost time is
granted, and half a second to read. And a ping that waits behind a blocked write counts from when it was due,
because on a dead connection it would never leave.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from attrs import frozen

from protocol.errors import RemoteProtocolError
from protocol.frames import Pong

__all__ = ["Dead", "Liveness", "RoundTrips", "SendPing"]

_SILENCE_S = 5.0
_PING_EVERY_S = 20.0
_QUIET_PING_EVERY_S = 300.0
_PROBE_S = 1.0
_DEAD_S = 5.0
_DEAD_UNACKNOWLEDGED_S = 3.0
_DEAD_S_MAX = 20.0
_LATE_S = 0.1
_GRACE_S = 0.5
_GRACES_MAX = 5
_MINUTE_S = 60.0
_SAMPLES_MAX = 128
_PINGS_REMEMBERED = 16


@frozen
class SendPing:
    """Send a ping with this id, ahead of everything else; tell `ping_left` when it goes."""

    id: int


@frozen
class Dead:
    """The peer is silent: end the connection with PEER_SILENT and these words."""

    words: str


class _RoundTrip(NamedTuple):
    at: float
    seconds: float


class RoundTrips:
    """The round trips of the last while, for deadlines and for display."""

    def __init__(self) -> None:
        self._samples: deque[_RoundTrip] = deque(maxlen=_SAMPLES_MAX)
        self.smoothed_s = 0.0
        """Moving average (gain 1/8, as in RFC 6298)."""
        self.on_sample: Callable[[float], None] | None = None
        """Called with every sample, in seconds; must not wait."""

    def add(self, now: float, seconds: float) -> None:
        """Add a sample."""
        self.smoothed_s += (seconds - self.smoothed_s) * (0.125 if self._samples else 1.0)
        self._samples.append(_RoundTrip(now, seconds))
        if self.on_sample is not None:
            self.on_sample(seconds)

    def largest_s(self, now: float) -> float:
        """Return the largest of the last minute; the last one of all when there was none; 0 before any."""
        recent = [sample.seconds for sample in self._samples if sample.at >= now - _MINUTE_S]
        return max(recent) if recent else self._samples[-1].seconds if self._samples else 0.0

    def quantile_s(self, quantile: float) -> float | None:
        """Return a quantile of the remembered samples, or None before any."""
        ordered = sorted(sample.seconds for sample in self._samples)
        return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] if ordered else None


class Liveness:
    """Watch one connection. `now` is monotonic seconds. Call `tick` at `wake_at()`, which only `received`
    moves back.

    The reader calls `received` for whatever it reads and `pong` for pongs; whoever knows what is
    unacknowledged calls `sent_unacknowledged` when that changes; the writer calls `ping_left`.
    """

    def __init__(self, now: float, quiet_s: float = 0.0) -> None:
        """`quiet_s`: where bytes are dear and nobody waits for the peer, a ping goes out after so long a silence, and
        every 5 min for the clocks, at no other time while nothing is unacknowledged; 0: as above."""
        self._silence_s, self._ping_every_s = (
            (quiet_s, _QUIET_PING_EVERY_S) if quiet_s else (_SILENCE_S, _PING_EVERY_S)
        )
        self.round_trips = RoundTrips()
        self._received_at = now
        self._unacknowledged_since: float | None = None
        self._next_id = 1
        self._pings: dict[int, float] = {}
        self._pinged_at = now - self._ping_every_s
        self._awaiting_since: float | None = None
        self._graces = 0
        self._expected_at = now

    def __repr__(self) -> str:
        return (
            f"<Liveness received {self._received_at:.3f}, awaiting since {self._awaiting_since}, "
            f"round trip {self.round_trips.smoothed_s * 1e3:.1f} ms>"
        )

    @property
    def received_at(self) -> float:
        """When anything was last received."""
        return self._received_at

    def received(self, now: float) -> bool:
        """Note that bytes came; return whether they end a silence: the peer owed an answer for longer than we wait
        before we ask."""
        ends_silence = now - self._received_at > _PROBE_S and self._is_overdue(now)
        self._received_at = now
        self._awaiting_since = None
        self._graces = 0
        return ends_silence

    def _is_overdue(self, now: float) -> bool:
        owed = [at for at in (self._awaiting_since, self._unacknowledged_since) if at is not None]
        return bool(owed) and now - max(self._received_at, min(owed)) > self._probe_s()

    @property
    def is_unacknowledged(self) -> bool:
        """Was something of ours unacknowledged when that was last said?"""
        return self._unacknowledged_since is not None

    def sent_unacknowledged(self, flag: bool, now: float) -> bool:
        """Note whether something of ours is unacknowledged; return whether `wake_at()` came nearer."""
        if flag is (self._unacknowledged_since is not None):
            return False
        self._unacknowledged_since = now if flag else None
        return flag and self._due_at() < self._expected_at

    def ping_left(self, ping_id: int, now: float) -> None:
        """Note that the writer gives this ping to the socket: its round trip begins here."""
        if ping_id in self._pings:
            self._pings[ping_id] = now
        if ping_id == self._next_id - 1 and self._awaiting_since is not None:
            self._awaiting_since = now

    def pong(self, now: float, pong: Pong) -> float | None:
        """Take a pong; return when its ping left (the clock offset wants it), or None if that is forgotten.

        Raises RemoteProtocolError when no such ping was sent.
        """
        if not 0 < pong.id < self._next_id:
            raise RemoteProtocolError(f"pong {pong.id} answers no ping")
        left_at = self._pings.pop(pong.id, None)
        if left_at is not None:
            inside_peer_s = max(0, pong.sent_us - pong.received_us) * 1e-6
            self.round_trips.add(now, max(0.0, now - left_at - inside_peer_s))
        return left_at

    def wake_at(self) -> float:
        """Return when to call `tick` next."""
        self._expected_at = self._due_at()
        return self._expected_at

    def tick(self, now: float) -> SendPing | Dead | None:
        """Say what is to be done now; to be called at `wake_at()`, harmless earlier."""
        late_s = now - self._expected_at
        self._expected_at = max(self._expected_at, now)
        if self._awaiting_since is not None:
            if late_s > _LATE_S and self._graces < _GRACES_MAX:
                self._graces += 1
                self._awaiting_since += late_s + _GRACE_S
            if now >= self._dead_at(self._awaiting_since):
                return Dead(
                    f"nothing received for {now - self._received_at:.1f} s, "
                    f"a ping unanswered for {now - self._awaiting_since:.1f} s"
                )
        if now < self._ping_at():
            return None
        ping_id = self._next_id
        self._next_id += 1
        self._pings[ping_id] = self._pinged_at = now
        if len(self._pings) > _PINGS_REMEMBERED:
            del self._pings[next(iter(self._pings))]
        if self._awaiting_since is None:
            self._awaiting_since = now
        return SendPing(ping_id)

    def _due_at(self) -> float:
        ping_at = self._ping_at()
        return ping_at if self._awaiting_since is None else min(ping_at, self._dead_at(self._awaiting_since))

    def _ping_at(self) -> float:
        due_at = self._pinged_at + self._ping_every_s
        if self._awaiting_since is None:
            due_at = min(due_at, self._received_at + self._silence_s)
            if self._unacknowledged_since is not None:
                silent_since = max(self._received_at, self._unacknowledged_since)
                due_at = min(due_at, silent_since + self._probe_s())
        return due_at

    def _probe_s(self) -> float:
        return max(_PROBE_S, 4 * self.round_trips.smoothed_s)

    def _dead_at(self, awaiting_since: float) -> float:
        least_s = _DEAD_S if self._unacknowledged_since is None else _DEAD_UNACKNOWLEDGED_S
        return awaiting_since + min(_DEAD_S_MAX, max(least_s, 3 * self.round_trips.largest_s(awaiting_since)))
