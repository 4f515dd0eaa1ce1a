"""Relays and valves that do not do as they are told, found from the temperatures of pipes.

Where the water that goes out is hot, the pipe of an open zone is hot, and the pipe of one that is long shut is as warm
as its room. Time counts only while that can be told: while the pump turns and the water is well above the room.
"""

from collections.abc import Sequence

from attrs import define

from daemons.heating.control.burner import Burner
from daemons.heating.control.zonerun import TRIES, ZoneRun

__all__ = ["Suspects"]

_SHUT_S = 1800.0
"""A pipe that was hot has this long to cool before it is blamed."""
_OPEN_S = 300.0
"""An open valve's pipe has this long to become warm, beyond the time that the valve takes."""
_SURE_S = 600.0
_AGAIN_S = 2 * 3600.0
"""A valve that stayed stuck is tried once more: it may have been the pump."""
_ABOVE_K = 15.0
_ROOM = 20.0
"""What stands for a room that is not known, for no more than how warm its pipe is."""


@define
class Suspects:
    """Judges every zone and the burner, each step."""

    burner: Burner
    runs: Sequence[ZoneRun]
    _mono: float | None = None
    _steady_since: float = 0.0
    _steady: tuple[bool, int] = (False, 0)
    _lowest: float | None = None
    _highest: float = 0.0
    _rising_since: float | None = None
    is_dry: bool = False
    """Nothing flows though the pump turns: of several open valves every pipe is cold."""
    _dry_for: float = 0.0

    def step(self, mono: float, *, pump_on: bool, moves: int, firing: bool | None) -> bool:
        """Judge; return whether any verdict changed. `moves` changes with each valve that is moved."""
        passed = 0.0 if self._mono is None else min(60.0, mono - self._mono)
        self._mono = mono
        changed = self._burner(mono, pump_on, moves, firing)
        for run in self.runs:
            if run.stuck and run.tries >= TRIES and mono - run.gave_up_at >= _AGAIN_S:
                run.tries, run.cycling, run.gave_up_at, changed = TRIES - 1, run.is_on, mono, True
        if not pump_on:
            return changed
        opened: list[tuple[ZoneRun, float]] = []
        for run in self.runs:
            if run.supply is None or (pipe := run.supply.celsius) is None:
                continue
            hot = self.burner.flow.celsius if self.burner.flow is not None else self._hottest(run, mono)
            base = _ROOM if run.celsius is None else run.celsius
            if hot is not None and hot - base >= _ABOVE_K:
                share, for_s = (pipe - base) / (hot - base), mono - run.since  # 0 as the room, 1 as the water
                if run.is_on:
                    run.welded_for = 0.0
                    if for_s >= run.plan.valve_s + _OPEN_S:
                        opened.append((run, share))
                else:
                    run.stuck_for = 0.0
                    if for_s >= _SHUT_S:
                        changed = self._shut(run, share, passed) or changed
        self._pump(opened, passed)
        if self._dry_for == 0:
            for run, share in opened:
                changed = self._open(run, share, mono, passed) or changed
        return changed

    def _pump(self, opened: Sequence[tuple[ZoneRun, float]], passed: float) -> None:
        """Where all pipes are cold it is the pump, and no valve is blamed for it."""
        if not opened:
            return
        if len(opened) > 1 and all(share < 0.25 for _, share in opened):
            self._dry_for += passed
            self.is_dry = self.is_dry or self._dry_for >= _SURE_S
        elif any(share >= 0.5 for _, share in opened):
            self.is_dry, self._dry_for = False, 0.0
        elif not self.is_dry:
            self._dry_for = 0.0

    def _open(self, run: ZoneRun, share: float, mono: float, passed: float) -> bool:
        before = (run.stuck, run.tries)
        if share >= 0.5:
            run.stuck, run.stuck_for, run.tries = False, 0.0, 0
        elif share < 0.25:
            run.stuck_for += passed
            if run.stuck_for >= _SURE_S:
                run.stuck, run.stuck_for = True, 0.0
                run.gave_up_at = mono
                if run.tries < TRIES:
                    run.tries += 1
                    run.cycling = True
        return before != (run.stuck, run.tries)

    def _shut(self, run: ZoneRun, share: float, passed: float) -> bool:
        before = run.welded
        if share < 0.4:
            run.welded, run.welded_for = False, 0.0
        elif share >= 0.6 and not run.welded:
            run.welded_for += passed
            run.welded = run.welded_for >= _SURE_S
        return before is not run.welded

    def _hottest(self, run: ZoneRun, mono: float) -> float | None:
        """Return how warm the water is that goes out where no flow is measured: as the warmest pipe of another open zone."""
        others = [
            other.supply.celsius
            for other in self.runs
            if other is not run and other.supply is not None and other.supply.celsius is not None
            and other.is_ready(mono)
        ]  # fmt: skip
        return max(others, default=None)

    def _burner(self, mono: float, pump_on: bool, moves: int, firing: bool | None) -> bool:
        burner, flow = self.burner, self.burner.celsius
        if burner.plan.output is None:
            return False
        if burner.is_on or mono - burner.since < 180:
            self._lowest = self._rising_since = None
            return False
        if self._steady != (pump_on, moves):
            self._steady, self._steady_since, self._lowest = (pump_on, moves), mono, None
        if flow is not None and mono - self._steady_since >= 180:
            self._lowest = flow if self._lowest is None else min(self._lowest, flow)
            self._highest = max(self._highest, flow) if burner.welded else flow
        rises = flow is not None and self._lowest is not None and flow >= 35
        rises = rises and flow is not None and flow - (self._lowest or 0.0) >= (5.0 if pump_on else 10.0)
        if firing is True or rises:
            if self._rising_since is None:
                self._rising_since = mono
            if not burner.welded and mono - self._rising_since >= 60:
                burner.welded = True
                return True
            return False
        self._rising_since = None
        cools = flow is not None and flow <= self._highest - 10
        if burner.welded and (cools or firing is False):
            burner.welded, self._lowest = False, flow
            return True
        return False
