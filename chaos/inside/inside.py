"""Faults inside of a daemon: on its own connections, its frames, its clock and its names.

    async with open_inside("site", base=Environment()) as inside:
        ...open the daemon with `inside` as its `hazards` and `inside.utc_now` as its clock

Everything set here has a lease, and ends with it when nobody renews it.
"""

import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import trio

from chaos.faults import FAULTS, FaultError, Placed, Stream, Trace, read_fault, show_fault
from chaos.inside.catalogue import HERE, kinds_of, parts_of
from chaos.inside.frames import FrameFaults, FrameTamper
from chaos.inside.stream import FaultyStream
from chaos.model.carried import InForce
from chaos.model.leases import Leases
from chaos.model.placing import Placing
from chaos.proxy.wheel import Wheel
from chaos.scenario import DEEDS, NAME, Deed

__all__ = ["LEASE_MAX_S", "Inside", "open_inside"]

LEASE_S = 600.0
LEASE_MAX_S = 24 * 3600.0
FAULTS_MAX = 50
LEFT_MAX = 200
"""Connections that the daemon has dropped and the far end has not heard of; past it the oldest are closed."""


class Inside(Placing):
    """`side`: "site", which dials, or "hub". `utc_now` is `base` as clock_step has it.

    `site` of a fault narrows it to the link with that site; "": all.
    """

    def __init__(self, side: str, base: Callable[[], float], seed: str, nursery: trio.Nursery) -> None:
        super().__init__(seed, nursery)
        self.side = side
        self.wheel = Wheel()
        self._base = base
        self._outgoing = Stream.UPSTREAM if side == "site" else Stream.DOWNSTREAM
        self._open: dict[FaultyStream, str] = {}
        self._frames: dict[str, FrameFaults] = {}  # by site
        self._framed: dict[str, Placed] = {}
        self._sites: dict[str, str] = {}  # of a fault that is for one site only
        self._deeds: dict[str, Deed] = {}
        self._past: dict[str, int] = {}  # what faults that are over had met
        self._deeds_met: dict[str, int] = {}
        self._since: dict[str, float] = {}
        self._number = 0
        self._leases: Leases[str] = Leases(nursery, self._on_lease_end)
        self.leases_ended = 0
        self.on_change: Callable[[], None] = _nobody
        """Called when what is in force has changed."""

    # --- what the daemon calls -----------------------------------------------------------------------------------

    @property
    def connections(self) -> Collection[FaultyStream]:
        return list(self._open)

    def wrapper(self, site: str) -> Callable[[trio.abc.Stream], trio.abc.Stream]:
        """Return what the link with `site` wraps each of its connections in."""
        return partial(self._wrap, site)

    def tampering(self, site: str) -> Callable[[], FrameTamper]:
        """Return what the link with `site` lets its frames come by."""
        if site not in self._frames:
            mine = self._frames[site] = FrameFaults(self._outgoing, f"{self.seed}/{site}")
            for placed in self._framed.values():
                if self._sites[placed.name] in ("", site):
                    mine.place(placed)
        return self._frames[site].join

    def utc_now(self) -> float:
        """Return UTC in seconds, as the daemon is to believe it."""
        steps = 0.0
        for name, deed in self._deeds.items():
            if deed.kind == "clock_step":
                steps += deed.get("seconds")
                self._deeds_met[name] = max(1, self._deeds_met.get(name, 0))
        return self._base() + steps

    async def look_up(self, host: str) -> None:
        """Do to a name what is wrong with names; an address is none. Raises socket.gaierror."""
        try:
            ipaddress.ip_address(host)
            return
        except ValueError:
            pass
        for name, deed in list(self._deeds.items()):
            if deed.kind == "dns_slow":
                self._deeds_met[name] = self._deeds_met.get(name, 0) + 1
                await trio.sleep(deed.get("delay_s"))
            elif deed.kind == "dns_dead":
                self._deeds_met[name] = self._deeds_met.get(name, 0) + 1
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    # --- what operators call -------------------------------------------------------------------------------------

    def kinds(self) -> dict[str, Any]:
        """Return what can be begun here: "faults" and "profiles"."""
        return kinds_of(self.side)

    def parts(self, profile: str) -> list[dict[str, Any]]:
        """Return the faults of a profile. Raises ValueError in words."""
        return parts_of(profile)

    def show(self) -> list[dict[str, Any]]:
        """Return what is in force, each with for how long it has been on and what is left of its lease."""
        return [self._show(name) for name in self._names()]

    def begin(
        self,
        name: str,
        kind: str,
        attributes: Mapping[str, Any],
        stream: str = "both",
        toxicity: float = 1.0,
        site: str = "",
        lease_s: float = LEASE_S,
    ) -> dict[str, Any]:
        """Begin a fault, or put it in the place of the one of this name; return it as shown. Raises ValueError."""
        self.check(name, kind, attributes, stream, toxicity, lease_s)
        if kind in DEEDS:
            self._end(name)
            self._deeds[name] = Deed(kind, self.side, dict(attributes))
        else:
            self._begin_fault(Placed(name, read_fault(kind, attributes), Stream(stream), toxicity), site)
        self._since.setdefault(name, trio.current_time())
        self._leases.begin(name, lease_s)
        self.on_change()
        return self._show(name)

    def check(
        self,
        name: str,
        kind: str,
        attributes: Mapping[str, Any],
        stream: str = "both",
        toxicity: float = 1.0,
        lease_s: float = LEASE_S,
    ) -> None:
        """Raise ValueError, in words, for what `begin` would not begin."""
        if not NAME.fullmatch(name):
            raise ValueError("name: must be a short text of letters, digits, blanks, '.', '_' and '-'")
        if not 0.1 <= lease_s <= LEASE_MAX_S:
            raise ValueError(f"lease_s: must be 0.1 to {LEASE_MAX_S:g}")
        if not 0 <= toxicity <= 1:
            raise ValueError("toxicity: must be 0 to 1")
        if stream not in list(Stream):
            raise ValueError("stream: must be upstream, downstream or both")
        if name not in self._names() and len(self._names()) >= FAULTS_MAX:
            raise ValueError(f"there are {FAULTS_MAX} already, and more are not kept")
        _check_attributes(kind, attributes)
        if kind in DEEDS:
            self._check_deed(kind, attributes)
        elif kind == Trace.type:
            raise ValueError("trace: a daemon reads no recordings; a relay before it does")
        else:
            read_fault(kind, attributes)

    def end(self, name: str) -> bool:
        """End a fault; return whether there was one."""
        self._leases.drop(name)
        return self._end(name)

    def renew(self) -> int:
        """Begin all leases anew; return how many there are."""
        return self._leases.renew()

    def reset(self) -> int:
        """End everything; return how many faults there were."""
        names = self._names()
        for name in names:
            self.end(name)
        return len(names)

    def touched(self) -> dict[str, int]:
        """Return what each fault has met (connections, frames, looks at the clock or for a name), those too that are over."""
        return {**self._past, **{name: self._touched(name) for name in self._names()}}

    # --- faults --------------------------------------------------------------------------------------------------

    def meet(self, connection: Any) -> None:
        site = self._open.get(connection, "")
        mine = {name: one for name, one in self.placed.items() if self._sites.get(name, "") in ("", site)}
        connection.adopt(InForce(mine, self._lines, frozenset(self._out)))

    def _wrap(self, site: str, inner: trio.abc.Stream) -> trio.abc.Stream:
        number, self._number = self._number, self._number + 1
        stream = FaultyStream(
            inner,
            self._outgoing,
            number,
            self.seed,
            self.wheel,
            self.counts,
            spawn=self.nursery.start_soon,
            on_over=self._over,
        )
        self.counts.connections += 1
        self._open[stream] = site
        left = [one for one in self._open if one.is_left]
        for one in left[:-LEFT_MAX]:
            one.abort()
        stream.open(self.meet, is_refused=lambda: self.is_out(stream, "reset", "close"))
        return stream

    def _over(self, stream: FaultyStream) -> None:
        self._open.pop(stream, None)

    def close(self) -> None:
        """End every connection that is open still."""
        for stream in list(self._open):
            stream.abort()

    def _begin_fault(self, placed: Placed, site: str) -> None:
        name = placed.name
        before = self.placed.get(name) or self._framed.get(name)
        if before is None or type(before.fault) is not type(placed.fault) or self._sites[name] != site:
            self._end(name)
        self._sites[name] = site
        if not placed.fault.knows_messages:
            self.place(placed)
            return
        self._framed[name] = placed
        for each, faults in self._frames.items():
            if site in ("", each):
                faults.place(placed)

    def _check_deed(self, kind: str, attributes: Mapping[str, Any]) -> None:
        if kind not in HERE:
            raise ValueError(f"{kind} is done to a machine from outside, not by a daemon to itself")
        if self.side not in HERE[kind]:
            raise ValueError(f"{kind} is for a site: a hub asks for no names")
        for key, value in attributes.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
                raise ValueError(f"{key}: must be a number")
        if attributes.get("delay_s", 0) < 0:
            raise ValueError("delay_s: must not be negative")

    def _names(self) -> list[str]:
        return [*self.placed, *self._framed, *self._deeds]

    def _touched(self, name: str) -> int:
        if name in self._deeds:
            return self._deeds_met.get(name, 0)
        return self.counts.met[name] + sum(faults.touched[name] for faults in self._frames.values())

    def _end(self, name: str) -> bool:
        if name not in self._names():
            return False
        self._past[name] = self._touched(name)
        while len(self._past) > 4 * FAULTS_MAX:
            del self._past[next(iter(self._past))]
        self._deeds.pop(name, None)
        self._deeds_met.pop(name, None)
        self._since.pop(name, None)
        self.remove(name)
        self._framed.pop(name, None)
        self._sites.pop(name, None)
        for faults in self._frames.values():
            faults.remove(name)
            del faults.touched[name]
        self.on_change()
        return True

    async def _on_lease_end(self, name: str) -> None:
        self.leases_ended += 1
        self._end(name)

    def _show(self, name: str) -> dict[str, Any]:
        left_s = self._leases.left_s(name)
        on_s = round(trio.current_time() - self._since[name], 1)
        shown: dict[str, Any] = {"name": name, "touched": self._touched(name), "on_s": on_s}
        if left_s is not None:
            shown["lease_left_s"] = round(left_s, 1)
        if name in self._deeds:
            deed = self._deeds[name]
            return shown | {"type": deed.kind, "attributes": {**DEEDS[deed.kind], **deed.attributes}}
        placed = self.placed.get(name) or self._framed[name]
        if site := self._sites.get(name):
            shown["site"] = site
        return shown | {
            "type": placed.fault.type,
            "attributes": show_fault(placed.fault),
            "stream": placed.stream.value,
            "toxicity": placed.toxicity,
        }


def _nobody() -> None:
    """Stand for who is told of changes."""


def _check_attributes(kind: str, attributes: Mapping[str, Any]) -> None:
    """Raise ValueError for a type or attributes that do not exist: a slip of the pen must not be another fault."""
    if kind in DEEDS:
        known = list(DEEDS[kind])
    elif kind in FAULTS:
        known = [one.metadata["json"] for one in attrs.fields(FAULTS[kind])]
    else:
        raise FaultError(f"type: {kind!r} is none of {', '.join([*FAULTS, *HERE])}")
    for key in attributes:
        if key not in known:
            has = f"it has {', '.join(known)}" if known else "it has no attributes"
            raise FaultError(f"attributes: {kind} has no {key!r}; {has}")


@asynccontextmanager
async def open_inside(side: str, base: Callable[[], float], seed: str = "0") -> AsyncIterator[Inside]:
    """Hold the faults of one daemon for the block, which the daemon's life must be inside of."""
    async with trio.open_nursery() as nursery:
        inside = Inside(side, base, seed, nursery)
        nursery.start_soon(inside.wheel.run)  # noqa: ASYNC113
        try:
            yield inside
        finally:
            inside.reset()
            inside.close()
            nursery.cancel_scope.cancel(reason="the daemon ends")
