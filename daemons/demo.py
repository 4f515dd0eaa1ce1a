"""The demo: the stand-in for FPVTrackside, `pits` and `cloud` in one process on loopback, with throw-away secrets.

Nothing in it is special to the demo but the stand-in: the daemons are the ones that run at a race, joined by a real
link over TCP, and, when asked for, through a relay that behaves like a bad uplink.
"""

import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import apsw
import trio
from attrs import define, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, Notifier, RaceDay, Replay, load_event_dir
from chaos.profiles import PROFILES
from chaos.relay import Relay
from daemons.cloud import Cloud, open_cloud
from daemons.ops.authority.file import open_authority
from daemons.ops.authority.identity import ALL_SITES, Role
from daemons.ops.authority.keys import init_keys, make_hub_id
from daemons.ops.authority.sitekey import KEY_FILE, SiteKey, save_site_key
from daemons.ops.authority.sites import CODE_LIFETIME_S, add_site, enrol, make_code
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.authority.tokens import issue_token
from daemons.ops.environment import Environment
from daemons.ops.lifecycle import run_daemon
from daemons.ops.logring import RING, LogRing
from daemons.ops.logs import LogLevel, configure_logs
from daemons.ops.options import Address
from daemons.pits import NOTIFY_PATH, Pits, open_pits
from daemons.race.config import CloudConfig, PitsConfig
from daemons.store.connect import PLAIN

SITE = "demo"
STATUS_S = 1.0
TOKEN_S = 7 * 86400.0
STOP_S = 0.9


@frozen
class DemoOptions:
    """What can be asked of the demo. `seconds` 0: until Ctrl-C. `event`: a recorded event directory to play instead."""

    seconds: float = 0.0
    speed: float = 4.0
    seed: int = 1
    event: Path | None = None
    bad_uplink: str = "clean"
    port: int = 0
    share_private: bool = False


@define(eq=False)
class Demo:
    """A running demo."""

    double: FPVTrackside
    pits: Pits
    cloud: Cloud
    relay: Relay | None
    caller_token: str

    @property
    def address(self) -> str:
        """The spectators' page."""
        assert self.cloud.front is not None
        return f"http://127.0.0.1:{self.cloud.front.ports[0]}/"

    @property
    def pits_address(self) -> str:
        """The field's own page."""
        assert self.pits.front is not None
        return f"http://127.0.0.1:{self.pits.front.ports[0]}/"


@contextlib.asynccontextmanager
async def open_demo(options: DemoOptions, folder: Path) -> AsyncIterator[Demo]:
    """Start everything, with its state under `folder`, and hold it for the body of the block."""
    environment = Environment()
    caller_token = prepare_pair(folder / "cloud", folder / "pits", SITE, environment)
    cloud_config = CloudConfig(state_dir=folder / "cloud", listen=Address("127.0.0.1", options.port))
    async with contextlib.AsyncExitStack() as stack:
        nursery = await open_nursery(stack)
        with own_log():
            cloud = await stack.enter_async_context(open_cloud(cloud_config, environment=environment))
            await (await open_nursery(stack)).start(cloud.run)
        assert cloud.front is not None
        hub_port, relay = cloud.front.ports[0], None
        if options.bad_uplink != "clean":
            relay = Relay("127.0.0.1", hub_port, PROFILES[options.bad_uplink], options.seed)
            hub_port = await nursery.start(relay.run)
        double = FPVTrackside(EventTree(), utc_now=environment.utc_now)
        origin_port = await _start_double(double, nursery)
        pits_config = PitsConfig(
            site=SITE,
            origin_url=f"http://localhost:{origin_port}",
            cloud_url=f"ws://127.0.0.1:{hub_port}",
            state_dir=folder / "pits",
            listen=Address("127.0.0.1", 0),
            share_private=options.share_private,
        )
        with own_log():
            pits = await stack.enter_async_context(open_pits(pits_config, environment=environment))
            await (await open_nursery(stack)).start(pits.run)
        assert pits.front is not None
        notifier = Notifier(f"http://127.0.0.1:{pits.front.ports[0]}{NOTIFY_PATH}", environment.utc_now)
        await nursery.start(notifier.run)
        if options.event is not None:
            replay = Replay(double, load_event_dir(options.event), options.speed, notifier=notifier)
            nursery.start_soon(replay.run)  # noqa: ASYNC113
        else:
            day = RaceDay(
                double,
                options.seed,
                options.speed,
                start_utc_s=environment.utc_now(),
                rounds=None,
                notifier=notifier,
            )
            nursery.start_soon(day.run)  # noqa: ASYNC113
        try:
            yield Demo(double, pits, cloud, relay, caller_token)
        finally:
            # The link is told goodbye before anything under it goes.
            with trio.move_on_after(STOP_S, shield=True):
                async with trio.open_nursery() as stopping:
                    stopping.start_soon(cloud.stop)
                    stopping.start_soon(pits.stop)


@contextlib.contextmanager
def own_log() -> Iterator[None]:
    """Keep the log lines of the tasks that are begun here apart: each daemon tells its own."""
    token = RING.set(LogRing())
    try:
        yield
    finally:
        RING.reset(token)


async def open_nursery(stack: contextlib.AsyncExitStack) -> trio.Nursery:
    """Return a nursery that is cancelled and joined when the stack comes to it: what opened before outlives its tasks."""
    nursery = await stack.enter_async_context(trio.open_nursery())
    stack.callback(nursery.cancel_scope.cancel, reason="the demo ends")
    return nursery


def prepare_pair(hub_dir: Path, site_dir: Path, site: str, environment: Environment) -> str:
    """Have a hub and a site know each other, in their state folders: do as `pitlink keys init`, `site add`, `enroll` and
    `token issue`, before either daemon runs; return the token."""
    private = Ed25519PrivateKey.generate()
    now, urandom = environment.utc_now(), environment.urandom

    def work(conn: apsw.Connection) -> tuple[str, str]:
        init_keys(conn, now, urandom)
        add_site(conn, site, now)
        code = make_code(conn, site, now, urandom, CODE_LIFETIME_S)
        enrol(conn, code, private.public_key().public_bytes_raw(), now)
        _, token = issue_token(
            conn,
            name="demo operator",
            role=Role.OPERATOR,
            sites=(ALL_SITES,),
            now=now,
            expires_at=now + TOKEN_S,
            by="demo",
            urandom=urandom,
        )
        return make_hub_id(conn, urandom), token

    with open_authority(hub_dir, migrations=AUTHORITY_MIGRATIONS, key=PLAIN) as file:
        hub, token = file.write_now(work)
    save_site_key(site_dir / KEY_FILE, SiteKey(private, site, hub))
    return token


async def _start_double(double: FPVTrackside, nursery: trio.Nursery) -> int:
    port: int = await nursery.start(partial(double.serve, 0))
    return port


def status_line(demo: Demo) -> str:
    """Return how it stands, in one line."""
    site = demo.cloud.members[SITE].site
    board = site.keeper.board
    age_s = site.keeper.freshness(demo.cloud.environment.utc_now()).age_s
    link = demo.pits.dialer.status if demo.pits.dialer is not None else None
    laps = sum(row["laps"] for row in board["race"]["rows"]) if board["race"] else 0
    counts = site.remote.statistics
    return (
        f"{board['headline']} · {laps} laps · "
        f"{'never read' if age_s is None else f'{age_s:.1f} s old'} · link {link.status if link else '-'} · "
        f"{counts.pushes} pushes, {counts.deltas} deltas, {counts.bytes_saved // 1024} KiB saved"
    )


async def run_demo(options: DemoOptions, stop: trio.Event) -> None:
    """Run until `options.seconds` are over or `stop` is set, then end in order."""
    with tempfile.TemporaryDirectory(prefix="pitlink-demo-") as folder:
        async with open_demo(options, Path(folder)) as demo:
            print(f"Spectators' page: {demo.address}")
            print(f"Page at the field: {demo.pits_address}")
            origin = f"{demo.address}api/sites/{SITE}/origin/"
            print(f"API of the origin: {origin}, such as:")
            print(f'  curl -H "Authorization: Bearer {demo.caller_token}" {origin}httpfiles/Channels.json')
            print(f"Both daemons on a terminal: pitlink tui --connect {folder}/cloud --connect {folder}/pits")
            if options.bad_uplink != "clean":
                print(f"Uplink: {options.bad_uplink} ({PROFILES[options.bad_uplink].source})")
            print("Ctrl-C ends it.", flush=True)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(show_status, partial(status_line, demo), " s old")
                with trio.move_on_after(options.seconds or float("inf")):
                    await stop.wait()
                nursery.cancel_scope.cancel(reason="the demo ends")
        if sys.stdout.isatty():
            print()


async def show_status(say: Callable[[], str], until: str) -> None:
    """Rewrite one line on a terminal; elsewhere print a line when what happens changes: what stands before `until`."""
    is_terminal = sys.stdout.isatty()
    last = ""
    while True:
        line = say()
        if is_terminal:
            print(f"\r\x1b[K{line}", end="", flush=True)
        elif line.partition(until)[0].rpartition(" · ")[0] != last:
            last = line.partition(until)[0].rpartition(" · ")[0]
            print(line, flush=True)
        await trio.sleep(STATUS_S)


def main(options: DemoOptions, *, verbose: bool) -> int:
    """Run the demo as a process; return its exit code."""
    configure_logs(LogLevel.INFO, shown_from=LogLevel.INFO if verbose else LogLevel.ERROR)
    return run_daemon(partial(run_demo, options))
