"""What `pitlink doctor` looks at for a relay and for a backend, beside what any site and any hub needs."""

import ctypes
import importlib.util
import sys
from collections.abc import Iterator
from functools import partial

from daemons.ops.doctor.finding import Finding, bad, good, warning
from daemons.pair.doctor import Health, examine_hub, examine_site, nothing_more
from daemons.telemetry.config import RelayConfig

__all__ = ["examine_backend", "examine_relay"]


async def _own(config: RelayConfig, health: Health) -> list[Finding]:
    """Look at what the driver's PC reads the simulator with, and as whom."""
    return list(_source(config))


def _source(config: RelayConfig) -> Iterator[Finding]:
    missing = [name for name in ("irsdk", "numpy") if importlib.util.find_spec(name) is None]
    if missing:
        yield bad(
            "simulator", f"{' and '.join(missing)} cannot be imported", 'pip install "pitlink[telemetry]"'
        )
        return
    if config.from_file is not None:
        yield good("simulator", f"{config.from_file} is read in its place")
    elif config.memory_file is not None:
        if config.memory_file.exists():
            yield good("simulator", f"its stand-in's memory, {config.memory_file}, is there")
        else:
            yield warning(
                "simulator", f"{config.memory_file} is not there: it is waited for", "start the stand-in"
            )
    elif sys.platform != "win32":
        words = "iRacing runs on Windows only: here nothing will ever come"
        yield bad("simulator", words, "play a file: pitlink relay --from FILE.ibt")
    else:
        yield from _session()


def _session() -> Iterator[Finding]:
    """Windows: a service lives in a session of its own, and never sees the simulator's memory, named for the user's."""
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - there is none elsewhere, as the type checker knows
    session = ctypes.c_ulong()
    kernel.ProcessIdToSessionId(kernel.GetCurrentProcessId(), ctypes.byref(session))
    if session.value == 0:
        words = "this runs as a service: the simulator's memory is not visible there"
        yield bad("simulator", words, "run the relay as the driver, at log-on: docs/relay.md")
    else:
        yield good("simulator", "the relay runs in the driver's own session")


examine_relay = partial(
    examine_site,
    "relay",
    _own,
    "no backend_url is set: ticks are kept on this PC, and nobody else sees them",
)
examine_backend = partial(examine_hub, "backend", nothing_more)
