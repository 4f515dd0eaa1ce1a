"""What a guest may do at somebody else's timing program, counted.

FPVTrackside answers from one thread, falls over when a client hangs up or sends HEAD, and hands out any file
that a clever path names. So its stand-in keeps count of its clients, and a test that used it asks
`assert_well_mannered`.
"""

from collections import deque

import attrs

__all__ = ["Manners", "MannersKeeper", "Visit"]

# Requests sent exactly at the limit arrive a little closer together than they were sent; without this slack a
# client that keeps 40 in 10 s to the millisecond is sometimes seen with 41.
WINDOW_S = 9.9
KEPT_VISITS = 10_000


@attrs.define(eq=False)
class Visit:
    """One request as it arrived (Trio clock), and what became of it."""

    at_s: float
    method: str
    target: str
    headers: dict[str, str]  # names in lower case; of a name sent twice the last
    is_in_flight: bool = True
    was_aborted: bool = False
    status: int | None = None
    done_at_s: float | None = None


@attrs.frozen(kw_only=True)
class Manners:
    """A count of what clients did so far."""

    requests: int
    max_in_flight: int  # requests being answered or waiting for it at one moment
    strange_methods: tuple[str, ...]  # "HEAD /path": everything but GET
    aborted: int  # responses that the client hung up on
    escapes: tuple[str, ...]  # targets that could name a file outside of the event
    wrong_host: int  # requests that http.sys refused for their Host header
    torn_down: int  # how often the listener was torn down
    max_in_10_s: int
    max_in_10_s_idle: int  # the same, counting only times in which no race was live

    def assert_well_mannered(
        self, *, aborts: int | None = 0, in_10_s: int | None = 40, in_10_s_idle: int | None = None
    ) -> None:
        """Raise AssertionError, in words, unless every client behaved.

        `aborts` is how many hang-ups are excused (those of the 30 s rule, of a shutdown or a crash);
        `in_10_s` the most requests in any 10 s, `in_10_s_idle` the same while no race is live. None leaves
        that one out.
        """
        faults = []
        if self.max_in_flight > 1:
            faults.append(f"never more than one request in flight, but there were {self.max_in_flight}")
        if self.strange_methods:
            faults.append(f"none but GET, but there was {', '.join(self.strange_methods[:5])}")
        if aborts is not None and self.aborted > aborts:
            faults.append(f"none aborted ({aborts} excused), but {self.aborted} were")
        if self.escapes:
            faults.append(f"nothing outside of the event, but there was {', '.join(self.escapes[:5])}")
        if in_10_s is not None and self.max_in_10_s > in_10_s:
            faults.append(f"at most {in_10_s} requests in any 10 s, but there were {self.max_in_10_s}")
        if in_10_s_idle is not None and self.max_in_10_s_idle > in_10_s_idle:
            faults.append(
                f"at most {in_10_s_idle} requests in any 10 s without a live race, "
                f"but there were {self.max_in_10_s_idle}"
            )
        if faults:
            raise AssertionError("ill-mannered at FPVTrackside: " + "; ".join(faults))


class _Window:
    """The most arrivals in any span of WINDOW_S."""

    def __init__(self) -> None:
        self.most = 0
        self._times: deque[float] = deque()

    def arrived(self, now: float) -> None:
        self._times.append(now)
        while self._times[0] <= now - WINDOW_S:
            self._times.popleft()
        self.most = max(self.most, len(self._times))

    def clear(self) -> None:
        self._times.clear()


class MannersKeeper:
    """Count visits as they come and go. `visits` keeps the last KEPT_VISITS of them."""

    def __init__(self) -> None:
        self.visits: deque[Visit] = deque(maxlen=KEPT_VISITS)
        self.aborted = 0
        self.wrong_host = 0
        self.torn_down = 0
        self._requests = 0
        self._in_flight = 0
        self._max_in_flight = 0
        self._strange_methods: list[str] = []
        self._escapes: list[str] = []
        self._window = _Window()
        self._idle_window = _Window()

    def arrived(self, now: float, visit: Visit, *, is_escape: bool, race_is_live: bool) -> None:
        """Note a request whose head is there; it is in flight from now on."""
        self.visits.append(visit)
        self._requests += 1
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        if visit.method != "GET" and len(self._strange_methods) < 100:
            self._strange_methods.append(f"{visit.method} {visit.target}")
        if is_escape and len(self._escapes) < 100:
            self._escapes.append(visit.target)
        self._window.arrived(now)
        if race_is_live:
            self._idle_window.clear()
        else:
            self._idle_window.arrived(now)

    def left(self, now: float, visit: Visit) -> None:
        """Note that a request is no longer in flight.

        Must come before its last byte is sent, else a client that answers the last byte with its next request
        would look like two.
        """
        if visit.is_in_flight:
            visit.is_in_flight = False
            visit.done_at_s = now
            self._in_flight -= 1

    def hung_up(self, now: float, visit: Visit) -> None:
        """Note that the client went away without reading the answer to the end.

        Its request is no longer in flight then, though the server does not know yet: a client that was killed
        and started again is blamed for the one abort, not for two at once.
        """
        if not visit.was_aborted:
            visit.was_aborted = True
            self.aborted += 1
        self.left(now, visit)

    def race_began(self) -> None:
        """Begin a new quiet time after this: a window must not reach across a race."""
        self._idle_window.clear()

    def manners(self) -> Manners:
        """Return the count so far."""
        return Manners(
            requests=self._requests,
            max_in_flight=self._max_in_flight,
            strange_methods=tuple(self._strange_methods),
            aborted=self.aborted,
            escapes=tuple(self._escapes),
            wrong_host=self.wrong_host,
            torn_down=self.torn_down,
            max_in_10_s=self._window.most,
            max_in_10_s_idle=self._idle_window.most,
        )
