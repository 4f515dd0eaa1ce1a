"""Plays a timeline through a carrier: begins and ends its steps in time, keeps their leases, ends everything at last."""

from collections.abc import Callable
from typing import Any

import trio
from attrs import define, evolve, field

from chaos.carrier import Carrier, CarrierError, NotBack
from chaos.drills.record import FaultRun
from chaos.drills.show import describe
from chaos.scenario import Deed, Scenario, Step

__all__ = ["HEAL_S", "LEASE_S", "Player", "heal"]

LEASE_S = 15.0
"""Whoever plays is gone when nothing was heard for so long: then every fault ends by itself."""

TOUCH_S = 2.0
HEAL_S = 45.0
HEAL_TRY_S = 0.5


@define(eq=False)
class Player:
    """`now`: seconds since the drill began; `tell`: says what is done. `runs`: each step as it really ran."""

    carrier: Carrier
    now: Callable[[], float]
    tell: Callable[[str], None]
    runs: dict[str, FaultRun] = field(factory=dict, init=False)

    @property
    def active(self) -> list[str]:
        """The names of the steps that are on."""
        return [run.step for run in self.runs.values() if run.from_s is not None and run.until_s is None]

    async def play(self, scenario: Scenario) -> None:
        """Play the timeline to its end, each step in a task of its own.

        Raises CarrierError (in groups); NotBack when a machine does not start again.
        """
        began_at = trio.current_time()
        zero_s = self.now()
        for step in scenario.timeline:
            asked_at_s = round(zero_s + step.at_s, 3)
            self.runs[step.name] = FaultRun(
                step.name, step.kind, step.target, asked_at_s, step.lasts_s, None, None, 0, describe(step)
            )
        async with trio.open_nursery() as keeping:
            keeping.start_soon(self._keep)
            async with trio.open_nursery() as nursery:
                for step in scenario.timeline:
                    nursery.start_soon(self._play_step, step, scenario.ends_at_s(step), began_at)
            await trio.sleep_until(began_at + scenario.length_s)
            keeping.cancel_scope.cancel(reason="the timeline has ended")

    async def _play_step(self, step: Step, ends_at_s: float, began_at: float) -> None:
        await trio.sleep_until(began_at + step.at_s)
        # Noted before it is done: what is cut short in between may have been done.
        self._note(step.name, from_s=round(self.now(), 3))
        if isinstance(step.fault, Deed):
            await self.carrier.deed(step.name, step.fault, LEASE_S)
        else:
            await self.carrier.place(step.name, step.target, step.fault, LEASE_S)
        self.tell(f"on   {step.name}: {describe(step)}")
        await trio.sleep_until(began_at + ends_at_s)
        await self.touch(step.name)
        try:
            await self.carrier.remove(step.name)
        except CarrierError as exc:
            raise (NotBack if isinstance(step.fault, Deed) else CarrierError)(str(exc)) from exc
        await self.touch(step.name)
        self._note(step.name, until_s=round(self.now(), 3))
        self.tell(f"off  {step.name}")

    async def touch(self, name: str) -> None:
        """Ask what a fault has met so far. Raises CarrierError."""
        touched = await self.carrier.touched(name)
        run = self.runs[name]  # as it is now: its end may have been noted meanwhile
        self.runs[name] = evolve(run, touched=max(run.touched, touched))

    async def _keep(self) -> None:
        """Renew the leases, and ask what the faults have met: a machine that dies takes its counts with it."""
        beat_s = min(TOUCH_S, LEASE_S / 3)
        while True:
            await trio.sleep(beat_s)
            await self.carrier.renew()
            for name in self.active:
                await self.touch(name)

    def _note(self, name: str, **times_s: Any) -> None:
        self.runs[name] = evolve(self.runs[name], **times_s)

    def note_healed(self) -> None:
        """Note the heal as the end of what was on."""
        for name in self.active:
            self._note(name, until_s=round(self.now(), 3))


async def heal(carrier: Carrier) -> list[str]:
    """End everything, look whether it has ended, and try again for 45 s; return what is left, in words.

    May be called again. Not cancelled by anything but its own deadline.
    """
    left = ["nobody could be asked"]
    with trio.move_on_after(HEAL_S, shield=True):
        while True:
            try:
                await carrier.reset()
                left = await carrier.left_over()
            except CarrierError as exc:
                left = [str(exc)]
            if not left:
                return []
            await trio.sleep(HEAL_TRY_S)
    return left
