"""What `pitlink doctor` looks at for a relay and for a backend, beside what any site and any hub needs."""

import ctypes
import importlib.util
import sys
from collections.abc import Iterator
from typing import Any

from daemons.link.doctor.way import Way
from daemons.ops.doctor.finding import Finding, bad, good, warning
from daemons.pair.doctor import Tell, examine_hub, examine_site
from daemons.telemetry.config import BackendConfig, RelayConfig

__all__ = ["examine_backend", "examine_relay"]


async def examine_relay(
    config: RelayConfig, tell: Tell, *, user: str | None = None, thorough: bool = True
) -> None:
    """Examine the driver's PC, as `examine_site`: what it reads the simulator with, and as whom."""

    async def own(health: dict[str, Any] | None) -> list[Finding]:
        return list(_source(config))

    alone = "no backend_url is set: ticks are kept on this PC, and nobody else sees them"
    await examine_site(config, "relay", tell, own, alone=alone, user=user, thorough=thorough)


async def examine_backend(
    config: BackendConfig,
    tell: Tell,
    *,
    url: str = "",
    has_tokens: bool = False,
    user: str | None = None,
    thorough: bool = True,
) -> None:
    """Examine the team's hub, as `examine_hub`."""

    async def outside(way: Way) -> list[Finding]:
        return []

    await examine_hub(
        config, "backend", tell, outside, url=url, has_tokens=has_tokens, user=user, thorough=thorough
    )


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
