"""A throw-away ground for drills: FPVTrackside's stand-in, `pitlink pits`, our relay, `pitlink cloud`.

Each is a process of its own, so that a kill, a restart, a restored backup and a torn origin are what they are called:

    stand-in  <-- proxy "origin" --  pits  -- proxy "uplink" -->  cloud

Ports are held for as long as the ground lives: a daemon that starts again finds its own. Keys, sites and tokens are
made for this ground and go with it.
"""

import json
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from signal import SIGTERM

import trio
from attrs import frozen

from chaos.carrier import CarrierError
from chaos.doubles.fpvtrackside.port import reserved
from daemons.commands.drilldeeds import Machines, open_small_disk
from daemons.commands.drillmachines import Machine, open_warden, run_command
from daemons.demo import SITE, prepare_pair
from daemons.ops.ask import Place, ask
from daemons.ops.client import ADMIN_SOCKET, AdminClient, AdminError, Unreachable
from daemons.ops.environment import Environment
from daemons.pits import NOTIFY_PATH

__all__ = ["PROXIES", "SITE", "GroundOptions", "ThrowAwayGround", "open_ground"]

PROXIES = ("uplink", "origin")
"""Of the relay, each called as the target that it is."""

LINKED_S = 30.0


@frozen(kw_only=True)
class GroundOptions:
    """`seed`: of the race day and of the relay's draws; `speed`: of the day; `laps`: of its races; `torn_s`: how
    long each file of the stand-in is half written; `lease_s`: of a fault on the relay that nobody renews; `small_disks`: hub
    and site each have a disk of their own that can be filled, which takes root."""

    seed: int = 1
    speed: float = 1.0
    laps: int = 30
    torn_s: float = 0.02
    lease_s: float = 30.0
    small_disks: bool = False


@frozen(kw_only=True)
class ThrowAwayGround:
    """A running ground. `folder`: all of it; `machines` carries the deeds; `token`: of an operator at the hub."""

    folder: Path
    relay_api: Path
    hub_url: str
    site_url: str
    token: str
    machines: Machines

    @property
    def site_admin(self) -> Path:
        return self.folder / "pits" / ADMIN_SOCKET

    @property
    def hub_admin(self) -> Path:
        return self.folder / "cloud" / ADMIN_SOCKET


@asynccontextmanager
async def open_ground(options: GroundOptions) -> AsyncIterator[ThrowAwayGround]:
    """Start everything, and hold it for the body of the block: pits has its link to cloud at the beginning.

    All of it ends within 2 s, also by itself when this process is killed. Raises CarrierError when it does not start.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pitlink-drill-")))
        group = await stack.enter_async_context(open_warden(folder))
        disks = {"hub": folder / "cloud", "site": folder / "pits"} if options.small_disks else {}
        for disk in disks.values():
            await stack.enter_async_context(open_small_disk(disk))
        hub, site, origin = [await stack.enter_async_context(reserved(0, "127.0.0.1")) for _ in range(3)]
        token = prepare_pair(folder / "cloud", folder / "pits", SITE, Environment())
        started: list[Machine] = []
        stack.push_async_callback(_end_all, started)
        machine = partial(_machine, folder, group, started)

        api = folder / "relay.sock"
        relay = machine("relay", _relay_command(options, api, hub), partial(_is_served, api, "/version"))
        await relay.start()
        ways = await _open_origin_proxy(api, origin)

        _write_configs(folder, hub=hub, site=site, ways=ways)
        notify = f"http://127.0.0.1:{site}{NOTIFY_PATH}"
        machines = {
            "origin": machine(
                "origin", _double_command(options, folder, origin, notify), partial(_listens, origin)
            ),
            "hub": machine(
                "hub", _daemon_command(folder, "cloud"), partial(_is_served_admin, folder / "cloud")
            ),
            "site": machine(
                "site", _daemon_command(folder, "pits"), partial(_is_served_admin, folder / "pits")
            ),
        }
        await _start_all(list(machines.values()))
        await _wait_for_link(folder / "pits" / ADMIN_SOCKET)
        put_back = {
            "hub": await _backup(folder, "cloud"),
            "site": await _backup(folder, "pits"),
        }
        nursery = await stack.enter_async_context(trio.open_nursery())
        stack.callback(nursery.cancel_scope.cancel, reason="the ground ends")
        yield ThrowAwayGround(
            folder=folder,
            relay_api=api,
            hub_url=f"http://127.0.0.1:{hub}",
            site_url=f"http://127.0.0.1:{site}",
            token=token,
            machines=Machines(machines, put_back, disks, nursery),
        )


# --- the programs ------------------------------------------------------------------------------------------------------


def _machine(
    folder: Path,
    group: int,
    started: list[Machine],
    name: str,
    command: tuple[str, ...],
    answers: Callable[[], Awaitable[bool]],
) -> Machine:
    made = Machine(name, command, folder / f"{name}.log", group, answers)
    started.append(made)
    return made


def _relay_command(options: GroundOptions, api: Path, hub: int) -> tuple[str, ...]:
    return (
        *(sys.executable, "-m", "daemons.cli", "chaos", "proxy", "--name", "uplink"),
        *("--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{hub}", "--api", str(api)),
        *("--lease", str(options.lease_s), "--seed", str(options.seed)),
    )


def _double_command(options: GroundOptions, folder: Path, port: int, notify: str) -> tuple[str, ...]:
    return (
        *(sys.executable, "-m", "chaos.doubles.fpvtrackside", "--folder", str(folder / "laptop")),
        *("--port", str(port), "--seed", str(options.seed), "--speed", str(options.speed)),
        *("--laps", str(options.laps), "--torn-s", str(options.torn_s), "--notify", notify),
    )


def _daemon_command(folder: Path, daemon: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "daemons.cli", daemon, "--config", str(_config(folder, daemon)))


def _config(folder: Path, daemon: str) -> Path:
    return folder / f"{daemon}.toml"


def _write_configs(folder: Path, *, hub: int, site: int, ways: dict[str, str]) -> None:
    own = {
        "cloud": [f"listen = {_toml(f'127.0.0.1:{hub}')}"],
        "pits": [
            f"site = {_toml(SITE)}",
            f"listen = {_toml(f'127.0.0.1:{site}')}",
            f"cloud_url = {_toml('ws://' + ways['uplink'])}",
            f"origin_url = {_toml('http://' + ways['origin'].replace('127.0.0.1', 'localhost'))}",
        ],
    }
    for daemon, lines in own.items():
        state = f"state_dir = {_toml(str(folder / daemon))}"
        backup = f"[backup]\nevery_h = 0\nfolder = {_toml(str(folder / f'backups-{daemon}'))}"
        config = _config(folder, daemon)
        config.write_text("\n".join([*lines, state, backup, "[chaos]\nallow = true", ""]))
        config.chmod(0o600)


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


async def _start_all(machines: list[Machine]) -> None:
    """Start them all at once. Raises CarrierError of the first that failed."""
    failed: list[CarrierError] = []

    async def start(machine: Machine) -> None:
        try:
            await machine.start()
        except CarrierError as exc:
            failed.append(exc)

    async with trio.open_nursery() as nursery:
        for machine in machines:
            nursery.start_soon(start, machine)
    if failed:
        raise failed[0]


async def _end_all(started: list[Machine]) -> None:
    """End what runs: first the daemons, so that they can say goodbye, then what is between and behind them."""
    with trio.CancelScope(shield=True):  # each has a deadline, and is killed then
        for names in (("site", "hub"), ("origin", "relay")):
            async with trio.open_nursery() as nursery:
                for machine in started:
                    if machine.name in names and machine.is_up():
                        nursery.start_soon(machine.end, SIGTERM)


# --- asking them -------------------------------------------------------------------------------------------------------


async def _is_served(api: Path, target: str) -> bool:
    try:
        async with ask(Place(api), "GET", target) as answer:
            return answer.status == 200
    except Unreachable:
        return False


async def _is_served_admin(state: Path) -> bool:
    return await _is_served(state / ADMIN_SOCKET, "/admin/status")


async def _listens(port: int) -> bool:
    try:
        await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
    except OSError:
        return False
    return True


async def _open_origin_proxy(api: Path, origin: int) -> dict[str, str]:
    """Make the relay's second proxy; return where each proxy listens."""
    body = json.dumps({"name": "origin", "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{origin}"}).encode()
    async with ask(Place(api), "POST", "/proxies", body=body) as answer:
        if answer.status != 201:
            raise CarrierError(
                f"the relay made no proxy: {(await answer.read_all()).decode(errors='replace')}"
            )
    async with ask(Place(api), "GET", "/proxies") as answer:
        return {name: proxy["listen"] for name, proxy in json.loads(await answer.read_all()).items()}


async def _wait_for_link(site_admin: Path) -> None:
    client = AdminClient(site_admin)
    words = "nothing was heard of it"
    with trio.move_on_after(LINKED_S):
        while True:
            link = (await client.status())["link"]
            if link["status"] == "ready":
                return
            words = str(link.get("words", link["status"]))
            await trio.sleep(0.05)
    raise CarrierError(f"pits had no link to cloud in {LINKED_S:g} s: {words}")


async def _backup(folder: Path, daemon: str) -> Callable[[], Awaitable[None]]:
    """Take a backup of a running daemon; return what puts it back while the daemon is down."""
    try:
        taken = await AdminClient(folder / daemon / ADMIN_SOCKET).act("backup.take")
    except (AdminError, Unreachable) as exc:
        raise CarrierError(f"no backup of {daemon}: {exc}") from exc
    return partial(
        run_command,
        "backup",
        "restore",
        daemon,
        taken["path"],
        "--config",
        str(_config(folder, daemon)),
        "--replace",
    )
