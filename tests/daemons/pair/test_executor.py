"""The site's end of commands: nothing too late is begun, nothing is done that was withdrawn, and nobody guesses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import trio
from attrs import define, field
from trio.testing import MockClock, wait_all_tasks_blocked

from daemons.link import schema
from daemons.link.durable import DurableChannels
from daemons.link.outbox import OutChannel
from daemons.ops.environment import Environment
from daemons.pair import executor
from daemons.pair.executor import INTERRUPTED, TOO_LATE, CommandExecutor, Work
from daemons.store import Store, fetch, open_store
from protocol.frames import Message
from protocol.messages import Action, Command, Purge, ResultStatus, Revoke, decode_body, encode_body

ID = "0a1b2c3d-0000-4000-8000-00000000000%d"


@define(eq=False)
class Site:
    """A site that purges, as soon as it may. `hub_utc`: the hub's time, None while it is not known."""

    store: Store
    hub_utc: float | None
    purged: list[str] = field(factory=list)
    may: trio.Event = field(factory=trio.Event)
    commands: CommandExecutor = field(init=False)

    async def act(self, action: Action, by: str, against: int) -> str | Work:
        assert isinstance(action, Purge)
        await self.may.wait()
        self.purged.append(action.prefix)
        return "done"

    async def take(self, seq: int, body: Command | Revoke) -> None:
        """Take a message as it comes over the link."""
        message = Message("command", 1, seq, *encode_body(body))
        await self.store.transact(lambda conn: self.commands.effect(conn, message))
        await wait_all_tasks_blocked()

    async def link(self, hub_utc: float) -> None:
        self.hub_utc = hub_utc
        self.commands.link_is_up()
        await wait_all_tasks_blocked()

    async def results(self) -> list[tuple[str, ResultStatus, str]]:
        """Return what the hub is told, oldest first: the last character of the id, how it ended, the words."""

        def read(conn: apsw.Connection) -> list[object]:
            rows = fetch(conn, "SELECT type, version, body FROM link_out_row ORDER BY id")
            return [decode_body(*row) for row in rows]

        return [(one.id[-1], one.status, one.words) for one in await self.store.read(read)]  # type: ignore[attr-defined]


@asynccontextmanager
async def open_site(folder: Path, hub_utc: float | None, *, may: bool = True) -> AsyncIterator[Site]:
    environment = Environment()
    migrations = (*schema.MIGRATIONS, *executor.MIGRATIONS)
    async with open_store(folder / "site.db", migrations=migrations, inline=True) as store:
        durable = DurableChannels(
            store, "hub", out=[OutChannel("result")], inbound={}, new_epoch=environment.new_epoch,
            utc_now=environment.utc_now,
        )  # fmt: skip
        await durable.open()
        site = Site(store, hub_utc)
        if may:
            site.may.set()
        site.commands = CommandExecutor(store, durable, site, lambda: site.hub_utc, environment.utc_now)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(site.commands.run)
            await wait_all_tasks_blocked()
            yield site
            nursery.cancel_scope.cancel()


def command(number: int, expires_at: float) -> Command:
    return Command(ID % number, "user ann", expires_at, 0, Purge(f"/{number}"))


async def test_while_the_hubs_time_is_not_known_nothing_is_begun(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_site(tmp_path, None) as site:
        await site.take(1, command(1, 200.0))
        await site.take(2, command(2, 400.0))
        await trio.sleep(3600)
        assert site.purged == [] == await site.results()
    async with open_site(tmp_path, None) as site:  # nor after a restart
        await trio.sleep(3600)
        assert site.purged == []
        await site.link(300.0)
        assert site.purged == ["/2"]
        assert await site.results() == [
            ("1", ResultStatus.EXPIRED, TOO_LATE),
            ("2", ResultStatus.DONE, "done"),
        ]


async def test_what_a_restart_interrupted_is_done_again_or_it_is_said_that_nobody_knows(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_site(tmp_path, 100.0, may=False) as site:
        await site.take(1, command(1, 200.0))
        await site.take(2, command(2, 400.0))
    async with open_site(tmp_path, 101.0, may=False) as site:  # interrupted once more
        assert await site.results() == []
    async with open_site(tmp_path, None) as site:
        await site.link(300.0)
        assert site.purged == ["/2"]
        assert await site.results() == [
            ("1", ResultStatus.FAILED, INTERRUPTED),
            ("2", ResultStatus.DONE, "done"),
        ]


async def test_what_is_being_done_is_not_withdrawn_any_more(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_site(tmp_path, 100.0, may=False) as site:
        await site.take(1, command(1, 200.0))
        await site.take(2, command(2, 200.0))  # has its turn behind that
        for number in (1, 2, 3):
            await site.take(2 + number, Revoke(ID % number))
        await site.take(6, command(3, 200.0))  # comes behind its withdrawal
        site.may.set()
        await wait_all_tasks_blocked()
        assert site.purged == ["/1"]
        withdrawn = "withdrawn before it ran"
        assert await site.results() == [
            ("2", ResultStatus.FAILED, withdrawn),
            ("3", ResultStatus.FAILED, withdrawn),
            ("1", ResultStatus.DONE, "done"),
        ]


async def test_what_was_decided_long_ago_is_forgotten_by_the_hubs_clock(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    day_s = 86_400.0

    async def kept(site: Site) -> list[str]:
        sql = "SELECT id FROM command_taken ORDER BY rowid"
        return await site.store.read(lambda conn: [id_[-1] for (id_,) in fetch(conn, sql)])

    async with open_site(tmp_path, 0.0, may=False) as site:
        site.may.set()
        await site.take(1, command(1, 60.0))
        site.hub_utc = 5 * day_s
        await site.take(2, command(2, 6 * day_s))
        site.may = trio.Event()
        await site.take(3, command(3, 6 * day_s))
        site.hub_utc = 9 * day_s
        await site.commands.sweep(10 * day_s)
        assert await kept(site) == ["1", "2", "3"]
        site.hub_utc = 10.5 * day_s
        await site.commands.sweep(10 * day_s)
        assert await kept(site) == ["2", "3"]
        site.hub_utc = None
        await site.commands.sweep(0.0)
        assert await kept(site) == ["2", "3"], "how old they are is not known"
        site.hub_utc = 1000 * day_s
        await site.commands.sweep(10 * day_s)
        assert await kept(site) == ["3"], "what is not decided stays"
