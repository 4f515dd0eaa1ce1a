"""How things stand, asked of both daemons again and again: each answer as one value."""

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import trio
from attrs import define, field, frozen

from chaos.drills.drill import BUILT_IN, Probe
from chaos.drills.ground import Ground
from chaos.drills.record import Sample
from daemons.ops.ask import Place, Unreachable, ask
from daemons.ops.client import AdminClient, AdminError

__all__ = ["Ledger", "Reading", "Watcher", "read_labels", "read_metric"]

LOOK_S: Final = 2.0
"""A daemon that does not answer in this time is silent."""

_SAMPLE: Final = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Rows = Mapping[str, Mapping[int, Mapping[str, int]]]
"""By channel and epoch."""


@frozen
class Ledger:
    """Of one daemon: what was promised (`out`: last, acked) and what came (`into`: committed, skipped, dead)."""

    out: Rows
    into: Rows
    effects: Mapping[str, int] = field(factory=dict)

    @property
    def dead(self) -> int:
        return sum(row["dead"] for epochs in self.into.values() for row in epochs.values())


@frozen
class Reading:
    """One look at both. None is what is not known: a daemon is silent. `t_s`: when it began.

    `connections`: how often each end has been connected so far; `queue`: messages that wait at those that answer;
    `dead`: dead letters there, beside those that were there at the first look; `others`: sites besides this one that were
    connected to the hub then, and are not now.
    """

    t_s: float
    site_link: str | None
    hub_link: bool | None
    connections: tuple[int | None, int | None]
    origin: str | None
    phase: str | None
    age_s: float | None
    queue: int | None
    rtt_s: float | None
    warnings: frozenset[tuple[str, str]]
    site_ledger: Ledger | None
    hub_ledger: Ledger | None
    figures: Mapping[str, float | None] = field(factory=dict)
    dead: int | None = 0
    others: int | None = 0

    @property
    def is_connected(self) -> bool:
        return self.site_link == "ready" and self.hub_link is True

    @property
    def is_whole(self) -> bool:
        """Whether both daemons answered."""
        return self.site_ledger is not None and self.hub_ledger is not None

    def figure(self, probe: str) -> float | None:
        """Return what a probe shows."""
        if probe not in BUILT_IN:
            return self.figures.get(probe)
        value: float | None
        match probe:
            case "connected":
                value = float(self.is_connected)
            case "freshness_s":
                value = self.age_s
            case "queue":
                value = self.queue
            case "rtt_s":
                value = self.rtt_s
            case "dead":
                value = self.dead
            case "others":
                value = self.others
            case "silent":
                value = float((self.site_ledger is None) + (self.hub_ledger is None))
            case "origin_up":
                value = None if self.origin is None else float(self.origin == "up")
            case _:
                value = float(sum(severity == "failing" for _, severity in self.warnings))
        return value

    def sample(self) -> Sample:
        """Return what a record keeps of it."""
        is_known = self.site_link is not None or self.hub_link is not None
        return Sample(
            round(self.t_s, 3),
            self.is_connected if is_known else None,
            None if self.age_s is None else round(self.age_s, 3),
            self.queue,
            None if self.rtt_s is None else round(self.rtt_s, 4),
        )


@define(eq=False)
class Watcher:
    """Looks at a ground. `now`: seconds since the drill began."""

    ground: Ground
    probes: Sequence[Probe]
    now: Callable[[], float]
    _dead_before: dict[str, int] = field(factory=dict, init=False)
    _others_before: frozenset[str] | None = field(default=None, init=False)

    async def look(self) -> Reading:
        """Return how things stand; takes 2 s at most, when a daemon is silent."""
        at = self.now()
        found: dict[str, Any] = {}
        async with trio.open_nursery() as nursery:
            for name, client in (("site", self.ground.site), ("hub", self.ground.hub)):
                nursery.start_soon(self._ask, name, client, found)
            for probe in self.probes:
                if probe.page:
                    nursery.start_soon(self._time_page, probe, found)
        figures = {probe.name: self._figure(probe, found) for probe in self.probes}
        dead, others = self._dead(found), self._others(found)
        return _reading(at, self.ground.site_name, found, figures, dead, others)

    def _dead(self, found: Mapping[str, Any]) -> int | None:
        known = {name: found[f"{name} ledger"].dead for name in ("site", "hub") if name in found}
        self._dead_before = known | self._dead_before
        return sum(dead - self._dead_before[name] for name, dead in known.items()) if known else None

    def _others(self, found: Mapping[str, Any]) -> int | None:
        if "hub" not in found:
            return None
        sites = found["hub"]["sites"]
        connected = {name for name, member in sites.items() if member["connected"]} - {self.ground.site_name}
        if self._others_before is None:
            self._others_before = frozenset(connected)
        return len(self._others_before - connected)

    async def _ask(self, name: str, client: AdminClient, found: dict[str, Any]) -> None:
        params = {"site": self.ground.site_name} if name == "hub" else {}
        with trio.move_on_after(LOOK_S):
            try:
                status = await client.status()
                ledger = _ledger(await client.act("ledger", **params))
                if any(probe.of == name and probe.metric for probe in self.probes):
                    found[f"{name} metrics"] = await client.metrics()
            except Unreachable:
                return
            except AdminError as exc:
                if exc.status in (403, 404):
                    raise  # it will not be otherwise at the next look
                return
            found[name], found[f"{name} ledger"] = status, ledger

    async def _time_page(self, probe: Probe, found: dict[str, Any]) -> None:
        base = self.ground.pages.get(probe.of)
        if base is None:
            return
        began = time.monotonic()
        with trio.move_on_after(LOOK_S):
            try:
                async with ask(Place(base.rstrip("/")), "GET", probe.page) as answer:
                    await answer.read_all()
                    if answer.status == 200:
                        found[f"page {probe.name}"] = time.monotonic() - began
            except Unreachable:
                return

    def _figure(self, probe: Probe, found: Mapping[str, Any]) -> float | None:
        if probe.page:
            return found.get(f"page {probe.name}")
        if probe.metric:
            text = found.get(f"{probe.of} metrics")
            return None if text is None else read_metric(text, probe.metric)
        value = found.get(probe.of)
        for part in probe.status.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return float(value) if isinstance(value, int | float) else None


def _ledger(told: Mapping[str, Any]) -> Ledger:
    out, into = (
        {channel: {row["epoch"]: row for row in rows} for channel, rows in told[key].items()}
        for key in ("out", "in")
    )
    return Ledger(out, into, told.get("effects", {}))


def _reading(
    at: float,
    site_name: str,
    found: Mapping[str, Any],
    figures: Mapping[str, float | None],
    dead: int | None,
    others: int | None,
) -> Reading:
    site, hub = found.get("site"), found.get("hub")
    member = (hub or {}).get("sites", {}).get(site_name) or {}
    link = (site or {}).get("link") or {}
    waiting = [
        channel["unacknowledged"]
        for told in (site, member)
        if told
        for channel in told.get("channels", {}).values()
    ]
    trip_ms = link.get("round_trip_ms")
    return Reading(
        t_s=at,
        site_link=link.get("status"),
        hub_link=member.get("connected"),
        connections=(link.get("connections"), member.get("connections")),
        origin=None if site is None else site["origin"]["state"],
        phase=member.get("phase"),
        age_s=member.get("age_s"),
        queue=sum(waiting) if site or member else None,
        rtt_s=member.get("round_trip_s") if trip_ms is None else trip_ms / 1000,
        warnings=frozenset(
            (warning["name"], warning["severity"])
            for told in (site, hub)
            if told
            for warning in told["warnings"]
        ),
        site_ledger=found.get("site ledger"),
        hub_ledger=found.get("hub ledger"),
        figures=figures,
        dead=dead,
        others=others,
    )


def read_metric(text: str, wanted: str) -> float | None:
    """Return the sum of the samples in Prometheus' text that have the wanted name and labels; None: there are none."""
    asked = _SAMPLE.fullmatch(f"{wanted} 0")
    if asked is None:
        return None
    labels = set(_LABEL.findall(asked[2] or ""))
    values = [
        float(sample[3])
        for line in text.splitlines()
        if line.startswith(asked[1]) and (sample := _SAMPLE.fullmatch(line)) is not None
        if sample[1] == asked[1] and labels <= set(_LABEL.findall(sample[2] or ""))
    ]
    return math.fsum(values) if values else None


def read_labels(text: str, name: str) -> dict[str, str]:
    """Return the labels of the first sample of this name in Prometheus' text; {} when there is none."""
    for line in text.splitlines():
        sample = _SAMPLE.fullmatch(line)
        if sample is not None and sample[1] == name:
            return dict(_LABEL.findall(sample[2] or ""))
    return {}
