"""Reading sensors that block, each in a thread of its own with a deadline, and what each said last.

A thread that never comes back cannot be ended. So there is one a sensor at most: while it hangs its sensor is lost, no
other is begun for it, and all others are read as if nothing were. When it comes back its sensor is read again.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import structlog
import trio
from attrs import define, field

from daemons.heating.hardware.ds18b20 import Said
from daemons.heating.state import Fault, Reading

__all__ = ["ReadSensor", "Sensing"]

T = TypeVar("T")

_log = structlog.stdlib.get_logger("pitlink.heating")

_AT_ONCE = 4
"""Conversions on one 1-wire bus overlap, but for asking and fetching."""
_TRIES = 2
"""What was damaged or not ready on the way (3 of 10 times on a Pi Zero) is asked for again at once."""
_BUS = "1-wire conversion"
_AGAIN = (Fault.CRC, Fault.LOST)

ReadSensor = Callable[[], Said]
"""Runs in a thread, and may block. What it raises is Fault.LOST."""


@define(eq=False)
class Sensing:
    """`mono`: readings are stamped with it; `read_s`, `deadline_s`: real seconds. `prepare`: before each round, in a thread
    with the same deadline (starts the conversion of all sensors of a bus)."""

    sensors: Mapping[str, ReadSensor]
    mono: Callable[[], float]
    read_s: float
    deadline_s: float
    prepare: Callable[[], object] | None = None
    readings: dict[str, Reading] = field(factory=dict, init=False)
    read: int = field(default=0, init=False)
    """How often a sensor was asked; `failed`: and had no temperature; `late`: and had not answered by the deadline."""
    failed: int = field(default=0, init=False)
    late: int = field(default=0, init=False)
    _threads: dict[str, trio.CapacityLimiter] = field(factory=dict, init=False)
    _late: set[str] = field(factory=set, init=False)
    _slots: trio.Semaphore = field(factory=partial(trio.Semaphore, _AT_ONCE), init=False)

    @property
    def hanging(self) -> list[str]:
        """What has a thread that has not come back."""
        return sorted(name for name in self._late if self._threads[name].borrowed_tokens)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Read all, again and again. Started: after the first round, or two deadlines when much hangs: a house is heated
        by the sensors that there are."""
        first = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._rounds, first)
            with trio.move_on_after(2 * self.deadline_s):
                await first.wait()
            task_status.started()

    async def _rounds(self, first: trio.Event) -> None:
        while True:
            began = trio.current_time()
            await self.round()
            first.set()
            await trio.sleep_until(max(began + self.read_s, trio.current_time()))

    async def round(self) -> None:
        """Ask every sensor once. Returns by about the deadline of the slowest, whatever hangs."""
        if self.prepare is not None:
            await self._in_thread(_BUS, self.prepare)
        async with trio.open_nursery() as nursery:
            for name, read in self.sensors.items():
                nursery.start_soon(self._ask, name, read)

    async def _ask(self, name: str, read: ReadSensor) -> None:
        async with self._slots:
            said = await self._in_thread(name, partial(_read_again, read))
        if said is None:
            said = Fault.LOST
        self.read += 1
        is_fault = isinstance(said, Fault)
        self.failed += is_fault
        self._tell(name, said if is_fault else None)
        now = self.mono()
        self.readings[name] = (
            Reading(now, fault=said) if isinstance(said, Fault) else Reading(now, celsius=said)
        )

    async def _in_thread(self, name: str, work: Callable[[], T]) -> T | None:
        """Do it in the one thread of this name; None when that hangs, or does not come back in time."""
        limiter = self._threads.setdefault(name, trio.CapacityLimiter(1))
        if limiter.borrowed_tokens:
            return None
        self._late.discard(name)
        with trio.move_on_after(self.deadline_s):
            return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)
        self.late += 1
        self._late.add(name)
        return None

    def _tell(self, name: str, fault: object) -> None:
        """A line in the log when a sensor's fault changes."""
        last = self.readings.get(name)
        if last is not None and last.fault is not fault:
            if fault is None:
                _log.info("sensor.good", sensor=name)
            else:
                _log.warning("sensor.fault", sensor=name, fault=str(fault))


def _read_again(read: ReadSensor) -> Said:
    said: Said = Fault.LOST
    for _ in range(_TRIES):
        try:
            said = read()
        except (
            Exception
        ):  # a sensor's own trouble, whatever a driver makes of it, ends neither thread nor heating
            said = Fault.LOST
        if said not in _AGAIN:
            return said
    return said
