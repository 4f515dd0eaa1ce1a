"""The demo of telemetry: a car, its `relay` and the team's `backend`, with throw-away secrets.

The simulator is a stand-in: a process that writes the same shared memory, with a race of its own or a recording in it, and
is read by the relay as the real one is. With a file the relay plays that instead. The daemons are the ones that serve a
real team, in this process.
"""

import contextlib
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import trio
from attrs import define, frozen

from chaos.profiles import PROFILES
from chaos.relay import Relay as Uplink
from daemons.backend import Backend, open_backend
from daemons.demo import open_nursery, own_log, prepare_pair, show_status
from daemons.ops.authority.identity import ALL_SITES, Role
from daemons.ops.authority.users import Passwords, add_user
from daemons.ops.environment import Environment
from daemons.ops.errors import RefusedToStart
from daemons.ops.lifecycle import run_daemon
from daemons.ops.logs import LogLevel, configure_logs
from daemons.ops.options import Address
from daemons.relay import Relay, open_relay
from daemons.telemetry.config import BackendConfig, LiveConfig, RelayConfig

__all__ = ["LapsDemo", "LapsDemoOptions", "main", "open_laps_demo"]

SITE = USER = "demo"
CARS, LAP_S = 20, 30.0
READY_S = 20.0
LOOK_S = 0.05
STOP_S = 0.9
_MEMORY = Path("/dev/shm")


@frozen
class LapsDemoOptions:
    """What can be asked of it. `seconds` 0: until Ctrl-C; `from_file`: an .ibt file in place of the stand-in's race, played
    `speed` times as fast."""

    seconds: float = 0.0
    speed: float = 1.0
    seed: int = 1
    from_file: Path | None = None
    bad_uplink: str = "clean"
    port: int = 0


@define(eq=False)
class LapsDemo:
    """A running demo. `password`: of the user "demo" at the backend's pages."""

    relay: Relay
    backend: Backend
    password: str

    @property
    def address(self) -> str:
        """The backend's page."""
        assert self.backend.front is not None
        return f"http://127.0.0.1:{self.backend.front.ports[0]}/"

    @property
    def socket(self) -> str:
        """The relay's WebSocket for programs of this PC."""
        assert self.relay.front is not None
        return f"ws://localhost:{self.relay.front.ports[0]}"


@contextlib.asynccontextmanager
async def open_laps_demo(options: LapsDemoOptions, folder: Path) -> AsyncIterator[LapsDemo]:
    """Start everything, with its state under `folder`, and hold it for the body of the block. Raises RefusedToStart for a
    file that is not there."""
    if options.from_file is not None and not options.from_file.is_file():
        raise RefusedToStart(f"{options.from_file} is no file: --from takes an .ibt file of the simulator")
    environment = Environment()
    prepare_pair(folder / "backend", folder / "relay", SITE, environment)
    password = secrets.token_urlsafe(9)
    async with contextlib.AsyncExitStack() as stack:
        nursery = await open_nursery(stack)
        memory = None
        if options.from_file is None:
            memory = Path(stack.enter_context(_memory_folder(folder))) / "memory"
            _begin_simulator(nursery, memory, options.seed)
        backend_config = BackendConfig(
            state_dir=folder / "backend", listen=Address("127.0.0.1", options.port)
        )
        with own_log():
            backend = await stack.enter_async_context(open_backend(backend_config, environment=environment))
            await (await open_nursery(stack)).start(backend.run)
        assert backend.front is not None
        hub_port = backend.front.ports[0]
        if options.bad_uplink != "clean":
            hub_port = await nursery.start(
                Uplink("127.0.0.1", hub_port, PROFILES[options.bad_uplink], options.seed).run
            )
        relay_config = RelayConfig(
            site=SITE,
            backend_url=f"ws://127.0.0.1:{hub_port}",
            state_dir=folder / "relay",
            listen=Address("localhost", 0),
            memory_file=memory,
            from_file=options.from_file,
            speed=options.speed,
            live=LiveConfig(core_share=1.0, memory_mb=1024),  # this process is the backend too
        )
        with own_log():
            relay = await stack.enter_async_context(open_relay(relay_config, environment=environment))
            await (await open_nursery(stack)).start(relay.run)
        hashed = Passwords().hash(password)
        backend.authority.write_now(
            lambda conn: add_user(conn, USER, hashed, Role.OPERATOR, (ALL_SITES,), environment.utc_now())
        )
        try:
            yield LapsDemo(relay, backend, password)
        finally:
            # The link is told goodbye before anything under it goes.
            with trio.move_on_after(STOP_S, shield=True):
                async with trio.open_nursery() as stopping:
                    stopping.start_soon(backend.stop)
                    stopping.start_soon(relay.stop)


def _memory_folder(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a folder whose files need no disk, where there is one: the memory is written 60 times a second."""
    return tempfile.TemporaryDirectory(prefix="pitlink-demo-", dir=_MEMORY if _MEMORY.is_dir() else folder)


def _begin_simulator(nursery: trio.Nursery, memory: Path, seed: int) -> None:
    """Start the stand-in as a process of its own; the relay waits for it as for the real one."""
    command = [
        sys.executable, "-m", "chaos.doubles.iracing", "--memory", str(memory), "--race", "--cars", str(CARS),
        "--seed", str(seed), "--lap-s", f"{LAP_S:g}", "--stay",
    ]  # fmt: skip
    nursery.start_soon(partial(trio.run_process, command, stdin=b"", stdout=subprocess.DEVNULL, check=False))


def status_line(demo: LapsDemo) -> str:
    """Return how it stands, in one line, as the backend knows it."""
    state = demo.backend.book.state(SITE)
    kept = demo.backend.ingest.statistics()
    ticks = f"{kept.rows} ticks kept · {kept.laps} laps"
    if state.taken_us is None:
        return f"the backend has heard nothing live yet · {ticks}"
    age_s = max(0.0, demo.backend.environment.utc_now() - state.taken_us / 1e6)
    speed = state.values.get("Speed")
    lap = state.values.get("Lap")
    words = [
        "" if speed is None else f"{speed * 3.6:.0f} km/h",
        "" if lap is None else f"lap {lap:.0f}",
        f"{age_s:.2f} s old at the backend",
        ticks,
        state.degree_words,
    ]
    return " · ".join(filter(None, words))


async def run_demo(options: LapsDemoOptions, stop: trio.Event) -> None:
    """Run until `options.seconds` are over or `stop` is set, then end in order."""
    with tempfile.TemporaryDirectory(prefix="pitlink-demo-") as folder:
        async with open_laps_demo(options, Path(folder)) as demo:
            print(f"The team's page: {demo.address}")
            print(f"To sign in there: {USER}, {demo.password}")
            print(f"For programs of this PC: {demo.socket}, token in {folder}/relay/local-token")
            print(f"Command line: pitlink laps {SITE} --at {folder}/backend")
            print(
                f"Both daemons on a terminal: pitlink tui --connect {folder}/backend --connect {folder}/relay"
            )
            if options.bad_uplink != "clean":
                print(f"Uplink: {options.bad_uplink} ({PROFILES[options.bad_uplink].source})")
            print("Ctrl-C ends it.", flush=True)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(show_status, partial(status_line, demo), " ticks kept")
                with trio.move_on_after(options.seconds or float("inf")):
                    await stop.wait()
                nursery.cancel_scope.cancel(reason="the demo ends")
        if sys.stdout.isatty():
            print()


def main(options: LapsDemoOptions, *, verbose: bool) -> int:
    """Run the demo as a process; return its exit code."""
    configure_logs(LogLevel.INFO, shown_from=LogLevel.INFO if verbose else LogLevel.ERROR)
    return run_daemon(partial(run_demo, options))
