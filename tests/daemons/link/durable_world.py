"""Two daemons with real databases and durable channels between them, in virtual time, and all that befalls them.

`site` sends events, which are kept, and answers commands with results inside the effect's transaction; `hub` sends
commands, which are not kept. A process can be cut off, crash at any checkpoint, and have its database put back from a
copy. Everything random comes from one seed.
"""

import random
import shutil
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw
import trio
from attrs import define, field

from daemons.link.durable import ChannelReport, DurableChannels, Effect, Keep, OutboxFull, OutChannel
from daemons.link.schema import MIGRATIONS
from daemons.store import Migration, Store, fetch, open_store
from protocol.codec import decode_frames
from protocol.frames import Ack, InPosition, Limits, Message, OutPosition, Skip
from protocol.reliable import Bounds
from tests.oracle import ChannelOracle, Copy

LIMITS = Limits(window_messages=8, window_bytes=400)
_TABLES = """
CREATE TABLE effect (id INTEGER PRIMARY KEY, channel TEXT, name INTEGER, epoch INTEGER, seq INTEGER) STRICT;
CREATE TABLE dropped (channel_id INTEGER, epoch INTEGER, first INTEGER, last INTEGER) STRICT;
CREATE TRIGGER dropped_new AFTER INSERT ON link_out_skip BEGIN
    INSERT INTO dropped SELECT channel_id, epoch, new.first, new.last FROM link_out_epoch WHERE id = new.epoch_id;
END;
CREATE TRIGGER dropped_more AFTER UPDATE ON link_out_skip BEGIN
    INSERT INTO dropped SELECT channel_id, epoch, new.first, new.last FROM link_out_epoch WHERE id = new.epoch_id;
END;
"""
TABLES = [*MIGRATIONS, Migration("world", 1, _TABLES)]
POISON = 7
"""Messages whose name can be divided by this cannot be applied."""


def _body(name: int) -> bytes:
    return struct.pack(">I", name).ljust(4 + name % 60, b".")


def _note(conn: apsw.Connection, message: Message) -> int:
    (name,) = struct.unpack_from(">I", message.body)
    row = (message.channel, name, message.epoch, message.seq)
    conn.execute("INSERT INTO effect (channel, name, epoch, seq) VALUES (?, ?, ?, ?)", row)
    if name % POISON == 0:
        raise ValueError(f"{name} is poison")
    return int(name)


class Take:
    """An effect with the fast form as well: both note what came and refuse poison after it was written."""

    def __call__(self, conn: apsw.Connection, message: Message, /) -> None:
        _note(conn, message)

    def many(self, conn: apsw.Connection, messages: Sequence[Message]) -> None:
        for message in messages:
            _note(conn, message)


@define(eq=False)
class Host:
    """A machine with a disk: the process on it comes and goes."""

    name: str
    folder: Path
    world: "World"
    out: list[OutChannel]
    durable: DurableChannels | None = None
    store: Store | None = None
    scope: trio.CancelScope = field(factory=trio.CancelScope)
    tasks: trio.Nursery | None = None
    stopped: trio.Event = field(factory=trio.Event)
    copies: list[tuple[Path, dict[str, Copy]]] = field(factory=list)
    sending: int = 0

    @property
    def path(self) -> Path:
        return self.folder / "store.db"

    def effects(self) -> dict[str, Effect]:
        """What comes to this host."""
        if self.name == "hub":
            return {"event": Take(), "result": Take()}
        return {"command": self._execute}

    def _execute(self, conn: apsw.Connection, message: Message, /) -> None:
        """Note a command, and answer it in the same transaction."""
        _note(conn, message)
        assert self.durable is not None
        assert self.store is not None
        oracle, name = self.world.oracles["result"], self.world.next_name()
        oracle.attempt(name)
        place = self.durable.append_in(conn, "result", "done", 1, _body(name))
        self.store.after_commit(lambda: oracle.accept(name, *place))

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Live until crashed."""
        self.stopped = trio.Event()
        try:
            with trio.CancelScope() as self.scope:
                async with open_store(self.path, migrations=TABLES, inline=True) as store:
                    durable = DurableChannels(
                        store,
                        "peer",
                        out=self.out,
                        inbound=self.effects(),
                        new_epoch=self.world.next_name,
                        utc_now=self.world.utc_now,
                    )
                    await durable.open()
                    async with trio.open_nursery() as self.tasks:
                        self.store, self.durable = store, durable
                        task_status.started()
                        await trio.sleep_forever()
        finally:
            self.store = self.durable = self.tasks = None
            self.sending = 0
            self.stopped.set()

    async def crash(self) -> None:
        """End the process now."""
        self.scope.cancel()
        await self.stopped.wait()

    async def send(self, channel: str, count: int) -> None:
        """Have the process send messages, in one go; a crash may come before it has an answer."""
        oracle = self.world.oracles[channel]
        names = [self.world.next_name() for _ in range(count)]
        for name in names:
            oracle.attempt(name)
        durable = self.durable
        assert durable is not None
        self.sending += 1
        try:
            epoch, first = await durable.send_many(channel, [("t", 1, _body(name)) for name in names])
        except OutboxFull:
            self.world.sometimes.add("outbox full")
            for name in names:
                oracle.refuse(name)
        else:
            for seq, name in enumerate(names, first):
                oracle.accept(name, epoch, seq)
        finally:
            self.sending -= 1

    @contextmanager
    def database(self) -> Iterator[apsw.Connection]:
        """Look into the database, running or not."""
        if self.store is not None:  # an inline store has the file for itself
            yield self.store._writer.conn
            return
        conn = apsw.Connection(str(self.path))
        try:
            yield conn
        finally:
            conn.close()

    def copy(self) -> None:
        """Make a backup. Only while nothing is being accepted."""
        path = self.folder / f"copy-{len(self.copies)}.db"
        with self.database() as conn:
            conn.execute("VACUUM INTO ?", (str(path),))
        self.copies.append(
            (path, {config.name: self.world.oracles[config.name].copy() for config in self.out})
        )

    def restore(self, which: int) -> None:
        """Put a backup back. Only while no process runs."""
        with self.database() as conn:
            for channel in self.effects():
                self.world.oracles[channel].restore_receiver(*self.applied(conn, channel))
            for config in self.out:
                self.world.dropped[config.name].update(self.dropped(conn, config.name))
        path, histories = self.copies[which % len(self.copies)]
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        shutil.copy(path, self.path)
        for channel, history in histories.items():
            self.world.oracles[channel].restore(history)

    def applied(
        self, conn: apsw.Connection, channel: str
    ) -> tuple[list[int], list[tuple[int, int, int, str]]]:
        """Return the effects of a channel in order, and its skips; a dead letter counts as one."""
        names = [
            name
            for (name,) in fetch(conn, "SELECT name FROM effect WHERE channel = ? ORDER BY id", (channel,))
        ]
        skips = fetch(
            conn, "SELECT epoch, first, last, reason FROM link_in_skip WHERE channel = ?", (channel,)
        )
        dead = fetch(conn, "SELECT epoch, seq, seq, 'dead' FROM link_dead WHERE channel = ?", (channel,))
        return names, skips + dead

    def dropped(self, conn: apsw.Connection, channel: str) -> list[tuple[int, int, int]]:
        """Return what a channel of ours has ever dropped, in the history that this database knows."""
        sql = "SELECT epoch, first, last FROM dropped JOIN link_out_channel ON id = channel_id WHERE channel = ?"
        return fetch(conn, sql, (channel,))


class World:
    """Both hosts, the wire between them when there is one, and the oracles."""

    def __init__(self, folder: Path, seed: int, *, bounds: Bounds, keep: Keep) -> None:
        self.rand = random.Random(seed)
        self.oracles = {channel: ChannelOracle() for channel in ("event", "command", "result")}
        self.sometimes: set[str] = set()
        self.dropped: dict[str, set[tuple[int, int, int]]] = {channel: set() for channel in self.oracles}
        events = OutChannel("event", keep, bounds)
        self.site = Host("site", folder / "site", self, [events, OutChannel("result", Keep())])
        self.hub = Host("hub", folder / "hub", self, [OutChannel("command", None, bounds)])
        self.link_scope = trio.CancelScope()
        self.link_up = False
        self._name = 0
        self._generation = 0

    def next_name(self) -> int:
        """Return a number not used before."""
        self._name += 1
        return self._name

    def utc_now(self) -> float:
        """Return UTC seconds in virtual time."""
        return 1.7e9 + trio.current_time()

    async def link(self) -> None:
        """Be one connection, until cut or until a process ends."""
        site, hub = self.site.durable, self.hub.durable
        if site is None or hub is None or self.site.scope.cancel_called or self.hub.scope.cancel_called:
            return
        self._generation += 1
        generation = self._generation
        wakes = {"site": trio.Event(), "hub": trio.Event()}

        async def move(
            side: str, source: DurableChannels, target: DurableChannels, channels: list[str]
        ) -> None:
            while True:
                await wakes[side].wait()
                wakes[side] = trio.Event()
                while data := self._pull(source, channels):
                    await trio.sleep(self.rand.choice([0, 0.001, 0.03]))
                    for frame in decode_frames(data):
                        take: Callable[..., None]
                        take = {Message: target.on_message, Skip: target.on_skip, Ack: target.on_ack}[
                            type(frame)
                        ]
                        take(frame)

        with trio.CancelScope() as self.link_scope:
            try:
                hello_site, hello_hub = await site.positions(), await hub.positions()
                await trio.sleep(self.rand.choice([0, 0.02]))
                await self._attach(site, hello_hub, generation, lambda _: wakes["site"].set())
                await self._attach(hub, hello_site, generation, lambda _: wakes["hub"].set())
                self.link_up = True
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(site.run)
                    nursery.start_soon(hub.run)
                    nursery.start_soon(move, "site", site, hub, ["result", "event"])
                    nursery.start_soon(move, "hub", hub, site, ["command"])
            finally:
                self.link_up = False
                site.detach(generation)
                hub.detach(generation)

    async def _attach(
        self,
        side: DurableChannels,
        hello: tuple[list[OutPosition], list[InPosition]],
        generation: int,
        wake: Callable[[str | None], None],
    ) -> None:
        for report in await side.attach(*hello, generation, theirs=LIMITS, ours=LIMITS, wake=wake):
            self._remember(report)
        wake(None)

    def _remember(self, report: ChannelReport) -> None:
        if report.peer_rolled_back:
            self.sometimes.add("peer rolled back")
        if report.resumed is not None:
            for word in ("replayed", "skipped", "rolled_back"):
                if getattr(report.resumed, word):
                    self.sometimes.add(word)

    def _pull(self, source: DurableChannels, channels: list[str]) -> bytes:
        now = trio.current_time()
        parts = [source.pull_acks(now, 200), *(source.pull(channel, now, 200) for channel in channels)]
        return b"".join(part for part in parts if part)

    def check(self, *, complete: bool) -> None:
        """Hold both databases against the promise."""
        ends = {
            "event": (self.site, self.hub),
            "result": (self.site, self.hub),
            "command": (self.hub, self.site),
        }
        for channel, (sender, receiver) in ends.items():
            with sender.database() as conn:
                self.dropped[channel].update(sender.dropped(conn, channel))
            with receiver.database() as conn:
                names, skips = receiver.applied(conn, channel)
                assert all(name % POISON for name in names)
                dead = [(epoch, first, last) for epoch, first, last, reason in skips if reason == "dead"]
                self.sometimes.update(reason for *_, reason in skips)
            said = self.dropped[channel] | set(dead)
            self.oracles[channel].check(names, skips, dropped=said, complete=complete)
