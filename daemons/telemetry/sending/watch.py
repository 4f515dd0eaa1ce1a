"""Looks once a second at what the live sender meets: the line, the capture, this process's processor time and memory."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
import trio
from attrs import define, field

from daemons.telemetry.sending.live import LiveSender
from daemons.telemetry.sending.pressure import Degree, Load

__all__ = ["Watch", "resident_mb"]

_log = structlog.stdlib.get_logger("pitlink.telemetry")

LOOK_S: Final = 1.0
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def resident_mb() -> float:
    """Return the memory that this process holds; 0 where the system does not tell: then memory is no reason to thin."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE_BYTES / 1e6
    except (OSError, ValueError, IndexError):
        return 0.0


@define(eq=False)
class Watch:
    """`missed`: the ticks that the capture has missed since it began. `on_degree`: told when it changes, with the words."""

    sender: LiveSender
    missed: Callable[[], int]
    on_degree: Callable[[Degree, str], None] = lambda degree, words: None
    cpu_s: Callable[[], float] = time.process_time
    memory_mb: Callable[[], float] = resident_mb
    _seen: tuple[float, float, int, int, int, int] | None = field(default=None, init=False)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await trio.sleep(LOOK_S)

    def look(self) -> None:
        """Look once; what counts up is taken since the last look."""
        now, sender = trio.current_time(), self.sender
        seen = (now, self.cpu_s(), self.missed(), sender.unpacked, sender.crowded, sender.sent_bytes)
        before, self._seen = self._seen or seen, seen
        passed_s = max(now - before[0], 1e-6)
        pressure, degree = sender.pressure, sender.pressure.degree
        # A line that stands still is not slow: thinner would not help, and all that is wished is wanted behind it.
        moves = seen[5] > before[5]
        load = Load(
            waited_s=sender.statistics().waited_s if moves else 0.0,
            dropped=seen[4] - before[4] if moves else 0,
            unencoded=seen[3] - before[3],
            missed=seen[2] - before[2],
            core_share=(seen[1] - before[1]) / passed_s,
            memory_mb=self.memory_mb(),
        )
        if pressure.look(now, load) is not degree:
            _log.info(
                "live.degree", degree=int(pressure.degree), words=pressure.words or "all that is wished"
            )
            self.on_degree(pressure.degree, pressure.words)
