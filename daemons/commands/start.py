"""How the command line begins a daemon: its configuration, what opens it, and what breaks it on purpose where that is
allowed. What a daemon needs is imported here: the others begin without it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

from daemons.commands.daemonconfig import SITES, Daemon, config_class

__all__ = ["start"]

Open = Callable[..., AbstractAsyncContextManager[Any]]


def start(daemon: Daemon, file: Path | None, flags: Mapping[str, Any]) -> int:
    """Run a daemon as a process until it is stopped; return its exit code. Raises ConfigError."""
    if daemon == "boiler":  # it runs on small machines
        from daemons.ops.leanlogs import import_structlog_alone

        import_structlog_alone()
    from daemons.ops.config import load_config
    from daemons.ops.lifecycle import run_process

    config = load_config(config_class(daemon), file, flags=flags)
    open_daemon = _opener(daemon)
    if config.chaos.allow:
        from daemons.commands.inside import open_fragile

        open_daemon = partial(open_fragile, "site" if daemon in SITES else "hub", open_daemon)
    return run_process(partial(open_daemon, config), config.log_level)


def _opener(daemon: Daemon) -> Open:
    match daemon:
        case "pits":
            from daemons.pits import open_pits

            return open_pits
        case "cloud":
            from daemons.cloud import open_cloud

            return open_cloud
        case "boiler":
            from daemons.boiler import open_boiler

            return open_boiler
        case "nas":
            from daemons.nas import open_nas

            return open_nas
        case "relay":
            from daemons.relay import open_relay
            from daemons.telemetry.capture.priority import give_way

            give_way()
            return open_relay
        case "backend":
            from daemons.backend import open_backend

            return open_backend
