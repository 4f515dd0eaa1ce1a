"""One zone as it runs: its relay, its timers, what it wants and why it is as it is."""

from attrs import define, field

from daemons.heating.control.senses import Sensor
from daemons.heating.control.targets import Wish, Wishes
from daemons.heating.plant import ZoneKind, ZonePlan

__all__ = ["TRIES", "Key", "ZoneRun"]

TRIES = 3
"""How often a stuck valve is closed and opened again."""

Key = tuple[object, ...]
"""Why something is as it is: a name and what belongs to it. While it is the same, so are the words."""


@define(eq=False)
class ZoneRun:
    """Moments are of the monotonic clock. `limit_s`: how long it may want heat at a stretch; the rest of its longest
    run is for the overrun of the boiler."""

    plan: ZonePlan
    room: Sensor | None
    supply: Sensor | None
    wishes: Wishes
    limit_s: float
    wish: Wish = field(factory=lambda: Wish(None, ""))
    call: bool | None = None
    celsius: float | None = None
    """The room's temperature in this step, if it is known."""

    is_on: bool = False
    since: float = 0.0
    moved_at: float = 0.0
    resting: bool = False

    lost_since: float | None = None
    """Since when its room is not known; a reading now and then does not end it, ten minutes of them do. Over a restart
    behind which nobody knows how long ago that was, it goes on where it was: frost duty's share of an hour does not begin
    anew with each boot."""
    well_since: float | None = None
    held: bool = False
    frosting: bool = False
    hot: bool = False
    mild: bool = False

    heat: bool = False
    is_frost: bool = False
    forced: bool = False
    """Off at once, whatever its minimum on time."""
    shed: bool = False
    extra: bool = False
    exercising: bool = False
    key: Key = ("start",)
    told_key: Key = ()
    cause: str = ""

    ran_s: float = 0.0
    """Seconds it was heated in all: a room that does not feel them has a frozen sensor."""
    welded: bool = False
    welded_for: float = 0.0
    stuck: bool = False
    stuck_for: float = 0.0
    tries: int = 0
    gave_up_at: float = 0.0
    """When it was last found stuck."""
    cycling: bool = False
    unlocked: int | None = None
    """How often somebody has reset it by hand, as of the last step; None: before the first."""

    @property
    def asks(self) -> bool:
        """Does it ask the boiler for heat? Not through a valve that stayed stuck, however often it was moved: but for frost
        that one is served with others only, and tried again every two hours. Hot water with nowhere to go would lock the
        boiler for the whole house."""
        return self.is_on and self.heat and (self.is_frost or not self.stuck or self.tries < TRIES)

    def is_ready(self, mono: float) -> bool:
        """Has its valve had the time to open?"""
        return self.is_on and mono - self.since >= self.plan.valve_s

    def reset(self, count: int) -> bool:
        """Forget what is held against its valve, if somebody has reset it since the last step."""
        was, self.unlocked = self.unlocked, count
        if was is None or count <= was:
            return False
        self.welded = self.stuck = self.cycling = False
        self.welded_for = self.stuck_for = 0.0
        self.tries = 0
        return True

    def track(self, mono: float) -> bool:
        """Note since when nothing tells how warm the room is, nor, where it has no sensor, whether it calls; return whether
        that is news."""
        if self.plan.kind is ZoneKind.DHW:
            return False
        if self.celsius is None and (self.room is not None or self.call is None):
            self.well_since = None
            if self.lost_since is None:
                self.lost_since = mono if self.room is None else self.room.good_at
                self.held = self.is_on and self.heat
                return True
        elif self.lost_since is not None:
            if self.well_since is None:
                self.well_since = mono
            elif mono - self.well_since >= 600:
                self.lost_since = self.well_since = None
                return True
        return False

    def gate(self, mono: float) -> bool:
        """Hold what is wanted against the longest run, the rest after it and the minimum off time; return whether the
        relay may be switched on now."""
        for_s = mono - self.since
        if self.is_on:
            if self.heat and for_s >= self.limit_s:
                self.resting = True
            if self.heat and (self.resting or self.cycling):
                self.heat = False
                self.key = ("max-run",) if self.resting else ("cycle",)
            return False
        self.cycling = False
        if self.resting and for_s >= self.plan.rest_s:
            self.resting = False
        if not self.heat:
            return False
        if self.resting:
            self.key = ("rest", self.since + self.plan.rest_s)
            return False
        if for_s < self.plan.min_off_s:
            self.key = ("min-off", self.since + self.plan.min_off_s)
            return False
        return True
