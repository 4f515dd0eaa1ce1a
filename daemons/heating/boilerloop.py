"""The round of control: look, decide, drive off, make durable, drive on, and only then say that all is well.

What goes off goes off before anything else, whatever the disk does. What goes on is on the disk first, so that no restart
forgets how long something was on; but a disk that is full, broken or hangs keeps no house cold: after `commit_s` the round
goes on from memory. The alive output and the watchdog hear of rounds that were completed, and of nothing else.
"""

from collections.abc import Callable, Mapping, Set
from typing import Protocol

import structlog
import trio
from attrs import define, field

from daemons.heating.clock import HouseClock
from daemons.heating.hardware.port import Hardware, HardwareError
from daemons.heating.settings import Settings
from daemons.heating.state import Decision, Inputs, Instant
from daemons.store import StorageError

__all__ = ["ControlLoop", "Controlling", "Keeping"]

_log = structlog.stdlib.get_logger("pitlink.heating")

ANSWERED_S = 0.005
"""A round begins so long after what asks for it: the answer to who changed something is on its way before."""
POKED_S = 0.05
"""Between rounds that were asked for: a contact that chatters has no more than twenty in a second."""


class Controlling(Protocol):
    """What decides: `daemons.heating.control.core.Control`."""

    def step(self, now: Instant, inputs: Inputs, settings: Settings) -> Decision: ...


class Keeping(Protocol):
    """What makes decisions durable: `daemons.heating.primary.primary.Primary`."""

    @property
    def settings(self) -> Settings: ...

    async def decide(self, now: Instant, decision: Decision) -> None:
        """Raises StorageError; what was decided then waits for the disk, also when this is cancelled."""


@define(eq=False)
class ControlLoop:
    """The control of one house's hardware, whose sensors are read by somebody else. `run` must be running.

    `on_round(decision)` is called after each completed round, and may not block.
    """

    hardware: Hardware
    primary: Keeping
    control: Controlling
    clock: HouseClock
    control_s: float = 10.0
    commit_s: float = 2.0
    vital: Set[str] = frozenset()
    """Relays without which nothing may be heated: the burner's, the pump's."""
    on_round: list[Callable[[Decision], None]] = field(factory=list)
    rounds: int = field(default=0, init=False)
    late_commits: int = field(default=0, init=False)
    """Rounds that did not wait for the disk any longer, or that it took nothing of."""
    words: str = field(default="", init=False)
    """What the relays did not do in the last round, "" when they did all."""
    disk_words: str = field(default="", init=False)
    """Why decisions are kept in memory only, "" when they are not."""
    step_s: float = field(default=0.0, init=False)  # how long the last decision took
    completed_at: float = field(factory=trio.current_time, init=False)  # by Trio's clock
    _wrong: str = field(default="", init=False)  # in this round
    _driven: dict[str, bool] = field(factory=dict, init=False)  # as far as is known
    _shut: Set[str] = field(default=frozenset(), init=False)  # relays of zones that did not go on
    _poked: trio.Event = field(factory=trio.Event, init=False)
    _stopped: bool = field(default=False, init=False)

    def poke(self) -> None:
        """Have a round begin now: something has changed. Does not block."""
        self._poked.set()

    def stop(self) -> None:
        """Drive everything off, at once, and on no more. What cannot be driven is told in the log."""
        self._stopped = True
        self._off()

    @property
    def is_working(self) -> bool:
        """Were rounds completed lately? A daemon for which this is not so is to be started anew."""
        return trio.current_time() - self.completed_at < 3 * self.clock.real_s(self.control_s) + self.commit_s

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Go round until cancelled; then, and when anything goes wrong that nobody thought of, everything is off.

        Started: the first round is over, whatever came of it.
        """
        self.hardware.on_change = self.poke
        try:
            first = True
            while not self._stopped:
                began = trio.current_time()
                self._poked = trio.Event()
                await self._round()
                if first:
                    task_status.started()
                    first = False
                await trio.sleep(POKED_S)
                with trio.move_on_at(began + self.clock.real_s(self.control_s)):
                    await self._poked.wait()
                    await trio.sleep(ANSWERED_S)
        finally:
            self._off()

    async def _round(self) -> None:
        now, inputs = self.clock.instant(), self.clock.of_inputs(self.hardware.inputs())
        began = self.clock.mono()
        decision = self.control.step(now, inputs, self.primary.settings)
        self.step_s = self.clock.mono() - began
        off_first = {id_: is_on and self._driven.get(id_, False) for id_, is_on in decision.outputs.items()}
        self._wrong = ""
        is_off = self._drive(off_first)
        await self._keep(now, decision)
        if not is_off or self._stopped or not self._drive(decision.outputs):
            return
        self.words = self._wrong
        self.rounds += 1
        self.completed_at = trio.current_time()
        self.hardware.pulse()
        for callback in self.on_round:
            callback(decision)

    def _drive(self, outputs: Mapping[str, bool]) -> bool:
        """Drive relays; False when they could not be, and all are off. A zone's relay that does not go on keeps no other
        zone cold, but burner and pump stay off while no other is on: control takes a valve for open that was told to be.
        One that does not go off, and burner or pump that do not do as they are told, end all heat."""
        if self._goes_nowhere(outputs):
            outputs = {id_: is_on and id_ not in self.vital for id_, is_on in outputs.items()}
        try:
            self.hardware.drive(outputs)
        except HardwareError as exc:
            if not self.words:
                _log.error("relays.failed", words=str(exc), of=list(exc.of))
            self.words = self._wrong = str(exc)
            failed = set(exc.of)
            if not failed or failed & self.vital or not all(outputs.get(id_, False) for id_ in failed):
                self._off()
                return False
            self._shut = frozenset(failed)
            if self._goes_nowhere(outputs):
                return self._drive(outputs)
        else:
            self._shut = frozenset()
        self._driven = dict(outputs)
        return True

    def _goes_nowhere(self, outputs: Mapping[str, bool]) -> bool:
        """Would there be heat, and no relay of a zone on that lets it go anywhere?"""
        on = {id_ for id_, is_on in outputs.items() if is_on}
        return bool(self._shut & on) and bool(on & self.vital) and not on - self.vital - self._shut

    async def _keep(self, now: Instant, decision: Decision) -> None:
        """Wait until the decision is on the disk, but no longer than `commit_s`."""
        try:
            with trio.move_on_after(self.commit_s) as waiting:
                await self.primary.decide(now, decision)
        except StorageError as exc:
            self.late_commits += 1
            self.disk_words = f"control goes on from memory: {exc.detail}"
            return
        if waiting.cancelled_caught:
            self.late_commits += 1
            self.disk_words = (
                f"control goes on from memory: the disk has not answered for {self.commit_s:g} s"
            )
        else:
            self.disk_words = ""

    def _off(self) -> None:
        self._driven = {}
        try:
            self.hardware.all_off()
        except HardwareError as exc:
            _log.error("relays.not_off", words=str(exc), of=list(exc.of))
