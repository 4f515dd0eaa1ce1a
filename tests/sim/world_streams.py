"""Minutes of a relay's spool and live sender against a backend, on the simulated network, with everything that goes wrong.

The car writes a row each tick. Paths fail as in `chaos.simnet.faults`, both programs are killed, one time in three with
their power: the relay's disk then loses what was not synced. What the backend has made durable is its disk.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import trio
from attrs import define, field

from chaos.simnet import Kill, Program, World
from chaos.simnet.faults import Struck, random_faults
from daemons.link.peer import Peer
from daemons.link.streams import StreamsIn, StreamsOut
from daemons.ops.environment import Environment
from daemons.telemetry.entries import EntryKind
from daemons.telemetry.sending import LiveSender, Pressure
from daemons.telemetry.spool import Offering, Spool, open_spool
from daemons.telemetry.spool.shelf import Shelf
from protocol.columns import decode
from protocol.errors import CloseCode
from protocol.streams import Entry
from tests.daemons.link.pair import open_hub, open_site
from tests.daemons.telemetry.spool.world import LAYOUT, DyingDisk, inline, recording, row

PORT = 8443
LUMP_TICKS = 15
CONVERGED_S = 180.0
"""After healing: the longest retry wait (superseded: 70 s) twice, and what there is to send."""


@define(eq=False)
class WatchedOffering(Offering):
    """Holds every acknowledgement against what the backend has made durable."""

    kept: dict[bytes, list[Entry]]

    def acknowledged(self, shelf: Shelf, number: int) -> None:
        assert number <= len(self.kept.get(shelf.id, [])), "acknowledged before it was durable"
        super().acknowledged(shelf, number)


@define(eq=False)
class StreamsWorld:
    """Both programs over all their lives, and what the test knows of both."""

    world: World
    folder: Path
    disk: DyingDisk = field(init=False)
    kept: dict[bytes, list[Entry]] = field(factory=dict)
    given: dict[bytes, int] = field(factory=dict)  # ticks, by recording
    cut: set[bytes] = field(factory=set)  # recordings whose last ticks a power cut may have taken
    live: list[tuple[float, Entry]] = field(factory=list)
    spool: Spool | None = field(default=None, init=False)
    hub: Peer | None = field(default=None, init=False)
    power: bool = field(default=False, init=False)
    is_over: bool = field(default=False, init=False)
    kills: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.disk = DyingDisk(self.world.rng("disk"))

    def environment(self, who: str) -> Environment:
        entropy = self.world.rng(f"entropy {who}")
        return Environment(self.world.utc_now, entropy.randbytes, entropy.random, lambda: who.encode())

    # --- the relay -----------------------------------------------------------------------------------------------

    async def relay(self) -> None:
        """Drive one recording a life."""
        environment = self.environment(f"relay {len(self.given)}")
        async with open_spool(self.disk, quota_bytes=10**9, in_thread=inline) as spool:
            self.spool = spool
            streams = StreamsOut()
            WatchedOffering(spool, streams, self.kept)
            sender = LiveSender(streams, Pressure(), _clock_us, self._utc_us, in_thread=inline)
            async with (
                open_site(
                    self.folder / "relay",
                    PORT,
                    host="hub",
                    inline=True,
                    environment=environment,
                    streams_out=streams,
                ),
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(sender.run)
                await self._drive(spool, sender)
                nursery.cancel_scope.cancel()
            self.spool = None

    async def _drive(self, spool: Spool, sender: LiveSender) -> None:
        one = recording(len(self.given) + 1)
        self.given[one.id] = 0
        for sink in (spool, sender):
            sink.opened(one)
        while not self.is_over:
            await trio.sleep(LUMP_TICKS / 60)
            first = self.given[one.id]
            for tick in range(first, first + LUMP_TICKS):
                for sink in (spool, sender):
                    sink.tick(tick, row(tick), _clock_us())
            self.given[one.id] += LUMP_TICKS
            if first % 600 == 0:
                for sink in (spool, sender):
                    sink.info(b"WeekendInfo:\n tick: %d\n" % first)
        for sink in (spool, sender):
            sink.closed("over")

    def _utc_us(self) -> int:
        return int(self.world.utc_now() * 1e6)

    # --- the backend ---------------------------------------------------------------------------------------------

    async def backend(self) -> None:
        rng = self.world.rng("backend")

        async def position(stream: bytes) -> int:
            await trio.sleep(rng.uniform(0, 0.02))
            return len(self.kept.get(stream, []))

        async def keep(stream: bytes, entries: Sequence[Entry]) -> int:
            await trio.sleep(rng.uniform(0, 0.05) if rng.random() < 0.95 else rng.uniform(0, 5))
            kept = self.kept.setdefault(stream, [])
            for entry in entries:
                if entry.number >= len(kept):
                    assert entry.number == len(kept), "an entry is left out"
                    kept.append(entry)
            await trio.sleep(rng.uniform(0, 0.01))  # here it is durable, and not acknowledged
            return len(kept)

        def see(stream: bytes, entry: Entry) -> None:
            self.live.append((trio.current_time(), entry))

        environment = self.environment(f"backend {self.world.rng('backend lives').random()}")
        async with open_hub(
            self.folder / "hub", host="0.0.0.0", port=PORT, inline=True, environment=environment,
            streams_in=StreamsIn(position, keep, see),
        ) as hub:  # fmt: skip
            self.hub = hub.peer
            try:
                await trio.sleep_forever()
            finally:
                self.hub = None

    # --- what strikes --------------------------------------------------------------------------------------------

    def struck(self, struck: Struck) -> None:
        self.world.sometimes(struck.name)
        if isinstance(struck, Kill):
            self.kills += 1
            if struck.host == "relay":
                self.disk.left, self.power = 0, struck.power  # nothing that is done from here on is there
                if struck.power and self.given:
                    self.cut.add(max(self.given))

    def relay_down(self) -> None:
        self.disk.revive(power_cut=self.power)

    # --- the end -------------------------------------------------------------------------------------------------

    @property
    def is_converged(self) -> bool:
        spool = self.spool
        return spool is not None and all(
            shelf.acknowledged >= shelf.end for shelf in spool.shelves.values() if shelf.end
        )

    async def live_edge_s(self) -> float:
        """Lose the connection once more; return how long after the next one the first rows are at the backend."""
        assert self.hub is not None
        with trio.fail_after(60):
            while (first := self.hub.connection) is None:
                await trio.sleep(0.05)
            first.end(CloseCode.GOING_AWAY, "lost", goodbye=False)
            while self.hub.connection in (None, first):
                await trio.sleep(0.005)
            up_at, seen = trio.current_time(), len(self.live)
            while not any(entry.kind == EntryKind.ROWS for _, entry in self.live[seen:]):
                await trio.sleep(0.005)
        return trio.current_time() - up_at

    def judge(self) -> int:
        """Look at what the backend has. Returns the ticks. Raises AssertionError."""
        ticks_at_all = 0
        for id_, count in self.given.items():
            entries = self.kept.get(id_, [])
            ticks = _ticks(entries)
            ticks_at_all += len(ticks)
            assert ticks == list(range(len(ticks))), "a tick is missing, doubled or out of order"
            if id_ not in self.cut:
                assert len(ticks) == count, f"of {count} ticks {count - len(ticks)} are not at the backend"
                assert entries[0].kind == EntryKind.HEAD
                assert entries[-1].kind == EntryKind.END
            else:
                assert len(ticks) >= count - 4 * 60, "a power cut has taken more than what was not synced"
        return ticks_at_all


def _clock_us() -> int:
    return int(trio.current_time() * 1e6)


def _ticks(entries: Sequence[Entry]) -> list[int]:
    return [
        tick
        for entry in entries
        if entry.kind == EntryKind.ROWS
        for tick in decode(LAYOUT, entry.data, rows_max=4096, bytes_max=10**7).ticks.tolist()
    ]


async def run_streams(
    world: World, seconds: float, faults_an_hour: float, kills_an_hour: float
) -> StreamsWorld:
    """Run it, heal, and judge. Raises AssertionError for every broken rule."""
    with tempfile.TemporaryDirectory(prefix="pitlink-sim-") as folder:
        both = StreamsWorld(world, Path(folder))
        net = world.net
        net.add_host("hub")
        net.add_host("relay")
        hub = Program(net, "hub", both.backend)
        relay = Program(net, "relay", both.relay, while_down=both.relay_down)
        net.link("relay", "hub").set(latency_s=0.04, jitter_s=0.002, split=0.02)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hub.run)
            nursery.start_soon(relay.run)
            with trio.move_on_after(seconds):
                await random_faults(
                    net, [("relay", "hub")], rate_per_hour=faults_an_hour, programs=[hub, relay],
                    kills_per_hour=kills_an_hour, on_fault=both.struck,
                )  # fmt: skip
            net.heal_all()
            with trio.fail_after(CONVERGED_S):
                while both.hub is None or both.hub.connection is None or both.spool is None:
                    await trio.sleep(0.5)
            edge_s = await both.live_edge_s()
            assert edge_s <= 1.0, f"the live edge was back after {edge_s:.2f} s"
            both.is_over = True
            await _finish(both, relay)
            nursery.cancel_scope.cancel()
        both.judge()
        return both


async def _finish(both: StreamsWorld, relay: Program) -> None:
    """Wait until the last recording is closed, and the backend has all of all of them."""
    starts = relay.starts
    with trio.move_on_after(CONVERGED_S) as bound:
        while relay.starts == starts and both.spool is not None:
            await trio.sleep(0.5)
        # `main` returned in order; what it could not send is sent by the next life, which drives nothing more.
        await _send_the_rest(both)
    assert not bound.cancelled_caught, "not converged after healing"


async def _send_the_rest(both: StreamsWorld) -> None:
    streams = StreamsOut()
    with both.world.net.host("relay"):
        async with open_spool(both.disk, quota_bytes=10**9, in_thread=inline) as spool:
            WatchedOffering(spool, streams, both.kept)
            async with open_site(
                both.folder / "relay", PORT, host="hub", inline=True, environment=both.environment("rest"),
                streams_out=streams,
            ):  # fmt: skip
                while not all(shelf.is_done for shelf in spool.shelves.values()):
                    await trio.sleep(0.5)
