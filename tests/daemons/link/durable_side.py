"""One process with durable channels on a real database, whose peer a test plays by hand."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import trio

from daemons.link.durable import (
    ChannelReport,
    DurableChannels,
    Effect,
    Keep,
    OutChannel,
)
from daemons.link.schema import MIGRATIONS
from daemons.store import Migration, Store, fetch, open_store
from protocol.codec import decode_frames
from protocol.frames import Ack, Frame, InPosition, Limits, Message, OutPosition, Skip

TABLES = [*MIGRATIONS, Migration("test", 1, "CREATE TABLE item (name TEXT) STRICT")]
DAY_S = 86400.0


class Clock:
    """UTC that a test moves."""

    def __init__(self) -> None:
        self.now = 1.7e9

    def __call__(self) -> float:
        return self.now


def insert(conn: apsw.Connection, message: Message) -> None:
    """Note a message's body, and refuse one that is bad, after it was written."""
    conn.execute("INSERT INTO item VALUES (?)", (message.body.decode(),))
    if message.body == b"bad":
        raise ValueError("this one is bad")


class Side:
    """One process with its channels; a test plays the peer by hand."""

    def __init__(self, store: Store, durable: DurableChannels, clock: Clock) -> None:
        self.store = store
        self.durable = durable
        self.clock = clock
        self.woken: list[str | None] = []
        self.generation = 0

    async def attach(
        self,
        committed: Sequence[InPosition] = (),
        out: Sequence[OutPosition] = (),
        *,
        limits: Limits = Limits(),  # noqa: B008
    ) -> dict[str, ChannelReport]:
        self.generation += 1
        reports = await self.durable.attach(
            out, committed, self.generation, theirs=limits, ours=limits, wake=self.woken.append
        )
        return {report.channel: report for report in reports}

    def frames(self, channel: str) -> list[Frame]:
        data = self.durable.pull(channel, 0.0, 10**6)
        return decode_frames(data) if data else []

    def acks(self) -> list[tuple[str, int, int]]:
        data = self.durable.pull_acks(0.0, 10**6)
        acks = [frame for frame in decode_frames(data) if isinstance(frame, Ack)] if data else []
        return [(ack.channel, ack.epoch, ack.seq) for ack in acks]

    async def names(self) -> list[str]:
        return await self.store.read(lambda conn: [name for (name,) in fetch(conn, "SELECT name FROM item")])

    async def count(self, table: str) -> int:
        return await self.store.read(lambda conn: int(fetch(conn, f"SELECT count(*) FROM {table}")[0][0]))


@asynccontextmanager
async def side(
    folder: Path,
    *,
    out: Sequence[OutChannel] = (OutChannel("event", Keep()), OutChannel("command")),
    effect: Effect = insert,
    epoch: int = 1,
    clock: Clock | None = None,
) -> AsyncIterator[Side]:
    """Start a process on this folder; `epoch` names its epoch, the next ones count on by thousands."""
    clock = clock or Clock()
    epochs = iter(range(epoch, 10**6, 1000))
    async with open_store(folder / "store.db", migrations=TABLES) as store:
        durable = DurableChannels(
            store,
            "peer",
            out=out,
            inbound={"in": effect, "other": effect},
            new_epoch=lambda: next(epochs),
            utc_now=clock,
        )
        await durable.open()
        yield Side(store, durable, clock)


def message(seq: int, body: bytes = b"x", *, epoch: int = 9, channel: str = "in") -> Message:
    return Message(channel, epoch, seq, "t", 1, body)


def bodies(frames: Sequence[Frame]) -> list[bytes]:
    return [frame.body for frame in frames if isinstance(frame, Message)]


async def sending(here: Side, channel: str) -> list[Frame]:
    """Take all that there is to send, acknowledging it as it comes, until all is acknowledged."""
    frames: list[Frame] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(here.durable.run)
        with trio.fail_after(10):
            sender = here.durable._out.outboxes[channel].sender
            quiet = 0
            while quiet < 10:  # what is being read is neither wanted nor ready: only time tells
                await trio.sleep(0.005)
                came = here.frames(channel)
                quiet = 0 if came or sender.hungry or sender.outstanding else quiet + 1
                for frame in came:
                    assert isinstance(frame, Message | Skip)
                    frames.append(frame)
                    here.durable.on_ack(
                        Ack(channel, frame.epoch, frame.seq if isinstance(frame, Message) else frame.last)
                    )
        nursery.cancel_scope.cancel()
    return frames


@asynccontextmanager
async def running(here: Side) -> AsyncIterator[None]:
    """Attach, and run the loops during the body."""
    await here.attach()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(here.durable.run)
        yield
        nursery.cancel_scope.cancel()


async def acked(here: Side) -> list[tuple[str, int, int]]:
    with trio.fail_after(5):
        while not (acks := here.acks()):
            await trio.sleep(0.001)
    return acks
