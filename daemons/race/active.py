"""Which of several pits shows an event: main and spare laptop with the same event open. Pure.

The first that was there with the event shows it, for as long as it is there. One that is away for half a minute, while
another has the event, gives it up, and does not take it back by itself: pages must not flap. What the organiser chooses
holds until he takes it back, also while that one is away.

A group of pits goes by one name, its field: that of the first one that showed the event. So pages and addresses stay as
they are when another one of the group takes over.
"""

from collections.abc import Iterable, Mapping

from attrs import define, evolve, field, frozen

__all__ = ["ActivePits", "Holding", "Standing"]

HOLD_S = 30.0
"""A laptop that is started again, or a hotspot that is carried across the field, is back by then."""

EVENTS_MAX = 1000
"""Events that are remembered; those that nobody has open go first."""


@frozen
class Standing:
    """How a site stands. `event_id`: what it has open, as far as is known; None: nothing."""

    site: str
    event_id: str | None
    is_connected: bool


@frozen
class Holding:
    """Who shows an event. `field`: what it goes by; `is_chosen`: by the organiser."""

    site: str
    field: str
    is_chosen: bool = False


@define(eq=False)
class ActivePits:
    """Decides by event who shows it. `holdings`: what is to be kept over restarts."""

    holdings: dict[str, Holding] = field(factory=dict)
    _shown: dict[str, str] = field(factory=dict, init=False)  # field → site
    _field_of: dict[str, str] = field(factory=dict, init=False)
    _event_of: dict[str, str] = field(factory=dict, init=False)
    _groups: dict[str, list[Standing]] = field(factory=dict, init=False)
    _first: dict[tuple[str, str], None] = field(
        factory=dict, init=False
    )  # (event, site), as they were first connected
    _away_since: dict[str, float] = field(factory=dict, init=False)  # by event: its holder

    @property
    def shown(self) -> Mapping[str, str]:
        """Which site shows each field."""
        return self._shown

    def site_of(self, name: str) -> str | None:
        """Return the site that shows what goes by this name: a field, or any pits of its group."""
        return self._shown.get(self._field_of.get(name, name))

    @property
    def is_waiting(self) -> bool:
        """Is a site away whose time runs? Then the next look is due soon."""
        return bool(self._away_since)

    def event_of(self, site: str) -> str | None:
        """Return the event that a site has open."""
        return self._event_of.get(site)

    def group(self, site: str) -> list[str]:
        """Return all pits that have the same event open as this one, in the order in which they came with it."""
        return [standing.site for standing in self._groups.get(self._event_of.get(site, ""), [])]

    def look(self, standings: Iterable[Standing], now: float) -> bool:
        """Decide anew; return whether anything is shown otherwise than before. `now`: monotonic seconds."""
        alone: list[str] = []
        groups: dict[str, list[Standing]] = {}
        for standing in sorted(standings, key=lambda standing: standing.site):
            if standing.event_id is None:
                alone.append(standing.site)
                continue
            groups.setdefault(standing.event_id, []).append(standing)
            if standing.is_connected:
                self._first.setdefault((standing.event_id, standing.site))
        order = {key: number for number, key in enumerate(self._first)}
        shown, field_of, event_of = (
            {site: site for site in alone},
            {site: site for site in alone},
            dict[str, str](),
        )
        for event_id, group in groups.items():
            group.sort(key=lambda standing: order.get((standing.event_id or "", standing.site), len(order)))
            holding = self._hold(event_id, group, now)
            shown[holding.field] = holding.site
            field_of |= {standing.site: holding.field for standing in group}
            event_of |= {standing.site: event_id for standing in group}
        self._forget(groups)
        self._groups, self._event_of = groups, event_of
        is_other = (shown, field_of) != (self._shown, self._field_of)
        self._shown, self._field_of = shown, field_of
        return is_other

    def choose(self, event_id: str, site: str | None) -> None:
        """Have a site show an event from the next look on, until this is taken back with None."""
        before = self.holdings.get(event_id)
        if site is not None:
            self.holdings[event_id] = Holding(site, site if before is None else before.field, is_chosen=True)
        elif before is not None:
            self.holdings[event_id] = evolve(before, is_chosen=False)

    def waiting(self) -> list[tuple[str, str, str]]:
        """Return (event, chosen site, other site) for each event whose chosen site is away while another one is there."""
        found = []
        for event_id, group in self._groups.items():
            holding = self.holdings.get(event_id)
            there = [standing.site for standing in group if standing.is_connected]
            if holding is not None and holding.is_chosen and there and holding.site not in there:
                found.append((event_id, holding.site, there[0]))
        return found

    def _hold(self, event_id: str, group: list[Standing], now: float) -> Holding:
        """Return who shows an event, and remember it where there is a choice."""
        by_name = {standing.site: standing for standing in group}
        known = self.holdings.get(event_id)
        there = [standing.site for standing in group if standing.is_connected]
        first = there[0] if there else group[0].site
        site = first if known is None or known.site not in by_name else known.site
        is_chosen = known is not None and known.is_chosen and known.site in by_name
        if is_chosen or by_name[site].is_connected or not there:
            self._away_since.pop(event_id, None)
        elif now - self._away_since.setdefault(event_id, now) >= HOLD_S:
            site = first
            del self._away_since[event_id]
        name = known.field if known is not None and known.field in by_name else site
        if known is not None and known.is_chosen and not is_chosen:
            return Holding(site, name)  # the chosen one has another event open; it may come back to this one
        self.holdings[event_id] = Holding(site, name, is_chosen)
        return self.holdings[event_id]

    def _forget(self, groups: Mapping[str, object]) -> None:
        for event_id in [known for known in self.holdings if known not in groups]:
            if len(self.holdings) <= EVENTS_MAX:
                break
            del self.holdings[event_id]
        self._first = {key: None for key in self._first if key[0] in groups}
        self._away_since = {event_id: at for event_id, at in self._away_since.items() if event_id in groups}
