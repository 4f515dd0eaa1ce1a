"""What a boiler's health says of its house: relays, control, disk, sensors, clock, alarms, room for an outage."""

from attrs import define, field

from daemons.heating.boilerloop import ControlLoop
from daemons.heating.hardware.port import Hardware
from daemons.heating.primary.primary import Primary
from daemons.heating.state import Severity as AlarmSeverity
from daemons.ops.health import Health, Severity

__all__ = ["HouseWarnings"]

ROOM_DAYS = 7
SAID_MAX = 3


@define(eq=False)
class HouseWarnings:
    """`look` is called by the watchman."""

    health: Health
    loop: ControlLoop
    primary: Primary
    hardware: Hardware
    _told: set[str] = field(factory=set, init=False)  # names of the hardware's own

    async def look(self) -> None:
        """Raise and take back warnings."""
        warn = self.health.warn
        warn("relays", self.loop.words, Severity.FAILING)
        warn(
            "control",
            "" if self.loop.is_working else "control has not gone its round for long",
            Severity.FAILING,
        )
        warn("control-disk", self.loop.disk_words)
        said = self.hardware.warnings()
        for name in self._told - said.keys():
            self.health.clear(name)
        for name, words in said.items():
            warn(name, words)
        self._told = set(said)
        self._look_at_state()
        days = self.primary.capacity_days
        is_short = self.primary.tells and days < ROOM_DAYS
        warn(
            "outbox-room", f"what happens finds room for {days} more days without a link" if is_short else ""
        )

    def _look_at_state(self) -> None:
        state = self.primary.state
        alarms = () if state is None else state.alarms
        for severity, name in ((AlarmSeverity.SAFETY, "house-safety"), (AlarmSeverity.WARNING, "house")):
            words = [alarm.words for alarm in alarms if alarm.severity is severity]
            more = f"; and {len(words) - SAID_MAX} more" if len(words) > SAID_MAX else ""
            self.health.warn(name, "; ".join(words[:SAID_MAX]) + more)
        unsure = state is not None and not state.clock_sure
        words_of_clock = (
            "the time of day is not known since this machine's start: no schedule holds, nothing is sampled"
        )
        self.health.warn("house-clock", words_of_clock if unsure else "")
