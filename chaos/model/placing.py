"""The faults that are set on the connections of one proxy or path, and the outages among them that play."""

import random
from collections.abc import Collection

import trio

from chaos.faults import Bandwidth, Outage, Placed, Silence, Stream, Trace
from chaos.model.carried import Carried, InForce
from chaos.model.counts import Counts
from chaos.recording import Recording
from chaos.simnet.link import Conditions, OneWay

__all__ = ["Placing"]

STOPPED_BYTES_S = 1e-3
"""A line with rate 0 stands still; this is its rate on paper."""

_BOTH = (Stream.UPSTREAM, Stream.DOWNSTREAM)


class Placing:
    """`seed` decides every draw. Outages play inside `nursery`.

    Who carries makes a subclass that has `connections`, those that are open.
    """

    def __init__(self, seed: str, nursery: trio.Nursery) -> None:
        self.seed = seed
        self.nursery = nursery
        self.placed: dict[str, Placed] = {}
        self.counts = Counts()
        self._lines: dict[tuple[str, Stream], OneWay] = {}
        self._recordings: dict[str, Recording] = {}
        self._out: set[str] = set()
        self._outages: dict[str, trio.CancelScope] = {}

    @property
    def connections(self) -> Collection[Carried]:
        """Those that are open."""
        raise NotImplementedError

    def place(self, placed: Placed) -> None:
        """Add a fault, or change the one of that name, live. Raises FaultError for a recording that cannot be read."""
        if isinstance(placed.fault, Trace):
            self._recordings[placed.name] = placed.fault.load()
        else:
            self._recordings.pop(placed.name, None)
        before = self.placed.get(placed.name)
        self.placed[placed.name] = placed
        if isinstance(placed.fault, Outage):
            if before is None or before.fault != placed.fault:
                self._end_outage(placed.name)
                scope = self._outages[placed.name] = trio.CancelScope()
                self.nursery.start_soon(self._play, placed.name, placed.fault, scope)
        else:
            self._end_outage(placed.name)
        self._adopt()

    def remove(self, name: str) -> None:
        """End a fault; one that is not there is no matter."""
        if self.placed.pop(name, None) is not None:
            self._recordings.pop(name, None)
            self._end_outage(name)
            self._adopt()
            del self.counts.met[name]

    def clear(self) -> None:
        """End all faults."""
        for name in list(self.placed):
            self.remove(name)

    def meet(self, connection: Carried) -> None:
        """Let all faults meet a connection."""
        connection.adopt(InForce(self.placed, self._lines, frozenset(self._out)))

    def is_out(self, connection: Carried, *how: str) -> bool:
        """Whether an outage of this kind keeps `connection` from being opened."""
        faults = [connection.met[name].fault for name in self._out if name in connection.met]
        return any(isinstance(fault, Outage) and fault.how in how for fault in faults)

    def hangs(self, connection: Carried) -> bool:
        """Whether the first packet of a connection would not get through."""
        return any(
            one.stream.covers(Stream.UPSTREAM) and (isinstance(one.fault, Silence) or one.name in self._out)
            for one in connection.met.values()
        )

    def _end_outage(self, name: str) -> None:
        self._out.discard(name)
        if (scope := self._outages.pop(name, None)) is not None:
            scope.cancel(reason="the fault ends")

    async def _play(self, name: str, outage: Outage, scope: trio.CancelScope) -> None:
        rng = random.Random(f"{self.seed}/{name}/outage")

        def draw(mean_s: float) -> float:
            return rng.expovariate(1 / mean_s) if outage.spread == "exponential" else mean_s

        with scope:
            while True:
                await trio.sleep(draw(outage.up_s))
                down_s = draw(outage.down_s)
                self._out.add(name)
                self._adopt()
                for connection in list(self.connections):
                    if name in connection.met and outage.how != "silence":
                        (connection.abort if outage.how == "reset" else connection.close)()
                await trio.sleep(min(down_s, outage.most_s) if outage.most_s else down_s)
                self._out.discard(name)
                self._adopt()

    def _adopt(self) -> None:
        self._adopt_lines(trio.current_time())
        for connection in list(self.connections):
            self.meet(connection)

    def _adopt_lines(self, now: float) -> None:
        wanted = {
            (name, stream): one.fault
            for name, one in self.placed.items()
            if isinstance(one.fault, Bandwidth | Trace)
            for stream in _BOTH
            if one.stream.covers(stream)
        }
        for key in set(self._lines) - set(wanted):
            del self._lines[key]
            self._hasten(key, 0.0, now)
        for (name, stream), fault in wanted.items():
            conditions = self._line(name, fault)
            line = self._lines.get((name, stream))
            if line is None:
                line = OneWay(conditions, random.Random(0), now)
                self._lines[(name, stream)] = line
            elif line.conditions != conditions:
                self._hasten((name, stream), line.change(conditions, now), now)
            stands = (isinstance(fault, Bandwidth) and fault.rate_bytes_s == 0) or self._is_silent(stream)
            (line.pause if stands else line.resume)(now)

    def _line(self, name: str, fault: Bandwidth | Trace) -> Conditions:
        if isinstance(fault, Bandwidth):
            rate = fault.rate_bytes_s or STOPPED_BYTES_S
            return Conditions(latency_s=0.0, rate_bytes_s=rate, queue_bytes=fault.queue)
        recording = self._recordings[name]
        return Conditions(
            latency_s=0.0,
            queue_bytes=fault.queue(recording),
            recording=recording,
            recording_from_s=fault.start_s,
        )

    def _hasten(self, key: tuple[str, Stream], factor: float, now: float) -> None:
        name, stream = key
        for connection in self.connections:
            for belt in connection.belts:
                if belt.stream is stream and name in connection.met:
                    belt.hasten(factor, now)

    def _is_silent(self, stream: Stream) -> bool:
        """Whether nobody's bytes move in this direction."""
        return any(
            one.stream.covers(stream)
            and one.toxicity >= 1
            and (isinstance(one.fault, Silence) or one.name in self._out)
            for one in self.placed.values()
        )
