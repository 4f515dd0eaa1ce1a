"""A house to look at: its look over real tables of history, with a state, settings and commands that tests set."""

import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import apsw
from attrs import define, evolve, field

from daemons.heating.look import Changes
from daemons.heating.plant import BurnerPlan, Plant, ZoneKind, ZonePlan
from daemons.heating.settings import Entry, Mode, Override, OverrideEnd, Settings, Target, ZoneSettings
from daemons.heating.state import Alarm, BoilerState, HouseState, Sense, Severity, ZoneState
from daemons.ops.authority.identity import Identity
from protocol.errors import ErrorCode, RequestError
from protocol.heating import HeatAction, HeatMode, HeatOverride, HeatResume, HeatSwitch, HeatWeek
from protocol.messages import action_from_map, action_to_map

__all__ = ["NOW", "ZONE", "House", "make_house", "weekdays"]

T = TypeVar("T")

NOW = 1_773_500_400.0  # Sat, 14 Mar 2026 15:00 UTC, which is 09:00 in Denver
ZONE = "America/Denver"

TITLES = (
    "Master BR", "Master Bath", "Master Closet", "Guest Bath", "Study", "Mud Room", "Kitchen", "Dining", "Family",
    "Guest Suite", "East BRs", "South BRs", "Up Bath",
)  # fmt: skip


def weekdays(*entries: tuple[int, float]) -> tuple[Entry, ...]:
    """Return a week whose days are all the same: minute and temperature."""
    return tuple(Entry(day, minute, Target(celsius)) for day in range(7) for minute, celsius in entries)


def _id(title: str) -> str:
    return title.lower().replace(" ", "-")[:40]


def _plant(titles: tuple[str, ...]) -> Plant:
    rooms = tuple(
        ZonePlan(id=_id(title), title=title, output=f"r{n}", room=f"t{n}", supply=f"p{n}", call=f"c{n}")
        for n, title in enumerate(titles)
    )
    water = ZonePlan(id="hot-water", title="Water Heat", kind=ZoneKind.DHW, output="r99", supply="p99")
    burner = BurnerPlan(output="b", firing="f", pump="p", flow="bf", back="bb")
    return Plant(house="Aspen Lodge", time_zone=ZONE, zones=(*rooms, water), burner=burner, outdoor="outdoor")


@define(eq=False)
class House:
    """One house. `put` changes what is seen of it; commands are done at once where it `is_here`, and queued else."""

    name: str = "lodge"
    is_here: bool = False
    switch_s: float = 30.0
    speed: float = 1.0
    now: Callable[[], float] = lambda: NOW
    age: float | None = 2.0
    changes: Changes = field(factory=Changes)
    connected: bool = True
    connection: apsw.Connection | None = None
    house: int = 1
    orders: list[dict[str, Any]] = field(factory=list)
    letters: list[dict[str, Any]] = field(factory=list)
    refusing: Exception | None = None
    reads: int = 0
    _plan: Plant | None = None
    _settings: Settings | None = None
    _state: HouseState | None = None

    def put(self, **changes: Any) -> None:
        """Set `state`, `settings`, `plan`, `age` or `connected`, and tell."""
        for name, value in changes.items():
            setattr(self, name if name in ("age", "connected") else f"_{name}", value)
        self.changes.tell()

    def zone(self, id_: str, **changes: Any) -> None:
        """Change a zone's state."""
        assert self._state is not None
        zones = tuple(evolve(zone, **changes) if zone.id == id_ else zone for zone in self._state.zones)
        self.put(state=evolve(self._state, zones=zones, at=self.now()))

    def state(self) -> HouseState | None:
        return self._state

    def age_s(self) -> float | None:
        return self.age

    def house_now(self) -> float | None:
        return None if self._state is None else self.now()

    def plan(self) -> Plant | None:
        return self._plan

    def settings(self) -> Settings | None:
        return self._settings

    def standing(self) -> dict[str, Any]:
        told = {"connected": self.connected, "waiting": 0, "capacity_days": 62.0}
        return told if self.connected else {**told, "why": "the link is down"}

    async def read(self, fn: Callable[[apsw.Connection, int], T]) -> T:
        assert self.connection is not None, "this house has no history"
        return fn(self.connection, self.house)

    async def command(
        self, action: HeatAction, identity: Identity, *, lifetime_s: float, against: int
    ) -> dict[str, Any]:
        if self.refusing is not None:
            raise self.refusing
        now = self.now()
        order: dict[str, Any] = {
            "id": str(uuid.uuid4()), "issuer": identity.who, "issued_at": now, "expires_at": now + lifetime_s,
            "action": action_to_map(action), "against": against, "status": "QUEUED", "attempts": [], "words": None,
            "decided_at": None,
        }  # fmt: skip
        if self.is_here:
            try:
                order |= {"status": "DONE", "words": self.do(action, identity.who), "decided_at": now}
            except ValueError as exc:
                order |= {"status": "FAILED", "words": str(exc), "decided_at": now}
        self.orders.insert(0, order)
        self.changes.tell()
        return order

    def take(self) -> None:
        """The boiler takes what waits, and says what became of it."""
        for order in self.orders:
            if order["status"] in ("QUEUED", "SENT", "UNKNOWN"):
                action = self._action(order)
                try:
                    order |= {"status": "DONE", "words": self.do(action, order["issuer"])}
                except ValueError as exc:
                    order |= {"status": "FAILED", "words": str(exc)}
                order["decided_at"] = self.now()
        self.changes.tell()

    def _action(self, order: dict[str, Any]) -> HeatAction:
        action = action_from_map(order["action"])
        assert isinstance(action, HeatAction)
        return action

    def do(self, action: HeatAction, who: str) -> str:
        """Do what the tests of the pages ask for; what a real house does is tried with a real one."""
        assert self._settings is not None and self._plan is not None and self._state is not None
        version = self._settings.version + 1
        match action:
            case HeatOverride(zone=zone, celsius=celsius, is_on=is_on, end=end, until=until):
                bounds = self._plan.zone(zone)
                if celsius is not None and not bounds.lowest <= celsius <= bounds.highest:
                    raise ValueError(f"{zone} takes {bounds.lowest} to {bounds.highest} °C, not {celsius}")
                wish = Target(celsius, is_on)
                over = Override(target=wish, end=OverrideEnd(end), ends_at=until, by=who, since=self.now())
                self._settle(zone, version, override=over)
                self.zone(zone, target=wish, override=over)
                return f"{zone} is overridden"
            case HeatResume(zone=zone):
                self._settle(zone, version, override=None)
                self.zone(zone, override=None, target=Target(19.0))
                return f"{zone} follows its week"
            case HeatMode(zone=zone, mode=mode, celsius=celsius):
                manual = None if celsius is None else Target(celsius)
                self._settle(zone, version, mode=Mode(mode), manual=manual)
                self.zone(zone, mode=Mode(mode), target=manual)
                return f"{zone} is {mode}"
            case HeatWeek(zone=zone, entries=entries):
                week = tuple(Entry(e.day, e.minute, Target(e.celsius, e.is_on)) for e in entries)
                self._settle(zone, version, week=week)
                self.put()
                return f"the week of {zone} has {len(entries)} entries"
            case HeatSwitch(is_on=is_on):
                self.put(
                    settings=evolve(self._settings, is_on=is_on, version=version),
                    state=evolve(self._state, is_on=is_on),
                )
                return "on" if is_on else "off"
        self.put(settings=evolve(self._settings, version=version))
        return "done"

    def _settle(self, zone: str, version: int, **changes: Any) -> None:
        assert self._settings is not None
        zones = {**self._settings.zones, zone: evolve(self._settings.of(zone), changed_in=version, **changes)}
        self._settings = evolve(self._settings, zones=zones, version=version)

    async def commands(self) -> list[dict[str, Any]]:
        self.reads += 1
        return [dict(order) for order in self.orders]

    async def withdraw(self, id_: str, identity: Identity) -> dict[str, Any]:
        for order in self.orders:
            if order["id"] == id_:
                if order["decided_at"] is not None:
                    raise RequestError(ErrorCode.BAD_REQUEST, "this command is decided already")
                order |= {
                    "status": "FAILED",
                    "words": f"withdrawn by {identity.name}",
                    "decided_at": self.now(),
                }
                self.changes.tell()
                return dict(order)
        raise KeyError(id_)

    async def dead_letters(self) -> list[dict[str, Any]]:
        return list(self.letters)

    async def requeue(self, id_: str, identity: Identity) -> dict[str, Any]:
        return self._take_letter(id_)

    async def drop(self, id_: str, identity: Identity) -> dict[str, Any]:
        return self._take_letter(id_)

    def _take_letter(self, id_: str) -> dict[str, Any]:
        for letter in self.letters:
            if letter["id"] == id_:
                self.letters.remove(letter)
                self.changes.tell()
                return letter
        raise KeyError(id_)


def make_house(titles: tuple[str, ...] = TITLES, **more: Any) -> House:
    """Return a house in which something of everything is going on: heat, an override, a lost sensor, an alarm."""
    plan = _plant(titles)
    house = House(plan=plan, **more)
    now = house.now()
    over = Override(
        target=Target(22.5), end=OverrideEnd.UNTIL, ends_at=now + 5400, by="user ann", since=now - 600
    )
    zones = []
    for n, zone in enumerate(plan.zones):
        if zone.kind is ZoneKind.DHW:
            zones.append(
                ZoneState(id=zone.id, supply=48.5, target=Target(is_on=True), sense=Sense.NONE, call=False,
                          cause="the tank does not call", since=now - 7200)
            )  # fmt: skip
            continue
        base = ZoneState(
            id=zone.id, celsius=19.0 + n * 0.25, supply=21.0, target=Target(19.5), read_at=now - 5 - n, since=now - 900,
            cause="0.3 K below its target" if n % 3 == 0 else "warm enough", is_on=n % 3 == 0, call=False,
            next_at=now + 3600 * 8, next_target=Target(17.0),
        )  # fmt: skip
        if n == 0:
            base = evolve(
                base, target=over.target, override=over, is_on=True, supply=44.5, cause="overridden by ann"
            )
        if n == 1:
            base = evolve(base, celsius=None, sense=Sense.LOST, fault="lost", read_at=now - 4200,
                          cause="no temperature: frost duty", is_on=False)  # fmt: skip
        zones.append(base)
    alarms = () if len(zones) < 3 else (
        Alarm("sensor-lost", zones[1].id, Severity.WARNING, f"{plan.zones[1].title}: the sensor does not answer", now - 4200),
    )  # fmt: skip
    boiler = BoilerState(
        state="burning", is_burning=True, pump_on=True, cause="5 zones call", since=now - 900, flow=52.5, back=41.0,
        target=55.0, starts=7,
    )  # fmt: skip
    house.put(
        state=HouseState(
            house=house.name, at=now, zones=tuple(zones), boiler=boiler, outdoor=-6.5, outdoor_read_at=now - 40,
            alarms=alarms, settings_version=14,
        ),
        settings=Settings(
            version=14,
            zones={
                zone.id: ZoneSettings(
                    week=weekdays((360, 19.5), (1320, 17.0)), changed_in=12, override=over if n == 0 else None
                )
                for n, zone in enumerate(plan.zones)
                if zone.kind is ZoneKind.ROOM
            },
            presets={"Away": {zone.id: weekdays((0, 12.0)) for zone in plan.zones if zone.kind is ZoneKind.ROOM}},
        ),
    )  # fmt: skip
    return house
