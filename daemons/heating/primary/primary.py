"""The boiler's own store: one transaction a decision of control, with all that it caused, told to the hub in the same one.

Control never waits for the disk longer than it wants to: what cannot be written yet waits in memory, and goes on the disk,
in order, as soon as that takes it.
"""

from collections.abc import Callable, Mapping
from math import floor
from zoneinfo import ZoneInfo

import apsw
import structlog
import trio
from attrs import define, field

from daemons.heating.clock import HouseClock
from daemons.heating.control.changes import apply_action
from daemons.heating.history import write
from daemons.heating.history.retention import HistoryKeep
from daemons.heating.history.sampling import Sampler
from daemons.heating.history.trimming import keep_trimmed
from daemons.heating.plant import Plant
from daemons.heating.primary.backlog import Backlog, Lot
from daemons.heating.primary.capacity import DAY_S, DayTold, capacity_days, expected
from daemons.heating.primary.kept import SettingsRow, read_kept, write_memory, write_state
from daemons.heating.settings import Settings
from daemons.heating.state import Decision, HouseState, Instant
from daemons.link.durable import DurableChannels, OutboxFull
from daemons.store import StorageError, Store, fetch
from protocol.heating import EventKind, HeatAction, HeatEvent
from protocol.heatsamples import HeatSamples
from protocol.messages import encode_body
from protocol.reliable import Bounds

__all__ = ["CHANNEL", "Primary"]

_log = structlog.stdlib.get_logger("pitlink.heating")

CHANNEL = "event"
LATER_S = 1.0
"""Between attempts of a disk that takes nothing."""
TOLD_DAYS = 30

_TOLD = """INSERT INTO heat_told (day, messages, body_bytes) VALUES (?, ?, ?) ON CONFLICT (day) DO UPDATE
    SET messages = messages + excluded.messages, body_bytes = body_bytes + excluded.body_bytes"""


@define(eq=False)
class Primary:
    """`open` first; `run` must be running. `tells`: a hub is to hear of everything. `on_settings`: called when settings
    have changed, `on_commit` when something is on the disk; neither may block.

    `settings` and `state` are what holds, whatever the disk does.
    """

    store: Store
    durable: DurableChannels
    plant: Plant
    site: str
    clock: HouseClock
    utc_now: Callable[[], float]
    bounds: Bounds = field(factory=Bounds)
    sample_s: int = 60
    sample_batch_s: int = 300
    keep: HistoryKeep = field(factory=HistoryKeep)
    tells: bool = True
    on_settings: list[Callable[[], None]] = field(factory=list)
    on_commit: list[Callable[[], None]] = field(factory=list)
    house: int = field(default=0, init=False)
    settings: Settings = field(factory=Settings, init=False)
    state: HouseState | None = field(default=None, init=False)
    memory: Mapping[str, object] | None = field(default=None, init=False)
    """Of the last decision before this start; for control."""
    backlog: Backlog = field(factory=Backlog, init=False)
    fault: StorageError | None = field(default=None, init=False)
    """What keeps decisions off the disk; None: nothing does."""
    told: dict[int, DayTold] = field(factory=dict, init=False)
    sampler: Sampler = field(init=False)
    _row: SettingsRow = field(factory=SettingsRow, init=False)
    _guess: DayTold = field(init=False)
    _added: int = field(default=0, init=False)  # lots handed in, and
    _done: int = field(default=0, init=False)  # how many of them are on the disk
    _wake: trio.Event = field(factory=trio.Event, init=False)
    _tried: trio.Event = field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self.sampler = Sampler(self.sample_s, self.sample_batch_s, ZoneInfo(self.plant.time_zone))
        self._guess = expected(len(self.plant.zones), self.sample_batch_s)

    async def open(self) -> None:
        """Read what was kept. Raises StorageError, and ValueError for what another version has written."""

        def read(conn: apsw.Connection) -> None:
            self.house = write.house_of(conn, self.site)
            conn.execute("DELETE FROM heat_told WHERE day < ?", (self._today() - TOLD_DAYS,))
            for day, messages, body_bytes in fetch(conn, "SELECT day, messages, body_bytes FROM heat_told"):
                self.told[day] = DayTold(messages, body_bytes)
            kept = read_kept(conn)
            self.settings, self.memory, self.state = kept.settings, kept.memory, kept.state

        await self.store.transact(read)
        if self.state is not None and self.state.clock_sure:
            self.clock.known_set(self.state.boot)
        now = self.clock.instant()
        begun = HeatEvent(
            at=now.utc, source="house", kind=EventKind.START, cause="the boiler's daemon has started"
        )
        self._hand_in(Lot([begun]))

    # --- control ---------------------------------------------------------------------------------------------------

    async def decide(self, now: Instant, decision: Decision) -> None:
        """Make a decision durable: events, memory, samples that are complete. At once where nothing is to be kept.

        Raises StorageError when the disk does not take it; then, and when this is cancelled, it waits in memory, and goes
        on the disk as soon as that can be.
        """
        self.state = decision.state
        samples = self.sampler.note(now, decision.state)
        if not (decision.events or samples or decision.memory is not None):
            await trio.lowlevel.checkpoint()
            return
        self._hand_in(Lot(list(decision.events), samples, decision.memory, decision.state))
        mine = self._added
        while self._done < mine:
            await self._tried.wait()
            if self._done < mine and self.fault is not None:
                raise self.fault.copy()

    async def flush(self) -> None:
        """Make durable what was sampled so far: at an orderly end. Raises StorageError."""
        lot = Lot(samples=self.sampler.flush(), state=self.state)
        if lot.samples or self.backlog:
            self.backlog.add(lot)
            await self._commit()

    async def run(self) -> None:
        """Put on the disk what is decided. Never returns."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_trimmed, self.store, self.keep, self._sure_utc)
            while True:
                with trio.move_on_after(LATER_S if self.fault is not None else float("inf")):
                    await self._wake.wait()
                self._wake = trio.Event()
                added = self._added
                try:
                    await self._commit()
                except StorageError as exc:
                    if self.fault is None:
                        _log.warning("primary.waits", error=exc.detail)
                    self.fault = exc
                else:
                    if self.fault is not None:
                        _log.info("primary.caught_up")
                    self.fault, self._done = None, added
                self._tried.set()
                self._tried = trio.Event()

    def _hand_in(self, lot: Lot) -> None:
        self.backlog.add(lot)
        self._added += 1
        self._wake.set()

    async def _commit(self) -> None:
        if not self.backlog:
            return
        lot = self.backlog.take()
        is_done = False

        def done() -> None:
            nonlocal is_done
            is_done = True

        def work(conn: apsw.Connection) -> None:
            self._write(conn, lot)
            self.store.after_commit(done)

        try:
            await self.store.transact(work)
        finally:
            if not is_done:  # failed, or cancelled before it began
                self.backlog.put_back(lot)
        for callback in self.on_commit:
            callback()

    def _write(self, conn: apsw.Connection, lot: Lot) -> None:
        write.add_events(conn, self.house, lot.events)
        write.add_samples(conn, self.house, lot.samples)
        if lot.memory is not None:
            write_memory(conn, lot.memory, 0.0 if lot.state is None else lot.state.at)
        if lot.state is not None:
            write_state(conn, lot.state)
        self._tell(conn, [*lot.events, *lot.samples])

    def _tell(self, conn: apsw.Connection, bodies: list[HeatEvent | HeatSamples]) -> None:
        """Put messages into the outbox, and what they take into the day's account."""
        if not self.tells or not bodies:
            return
        size = 0
        for body in bodies:
            kind, version, data = encode_body(body)
            size += len(data)
            try:
                self.durable.append_in(conn, CHANNEL, kind, version, data)
            except (
                OutboxFull
            ):  # only with a bound that refuses; the history has it, and the hub's check asks for it
                _log.warning("outbox.full", channel=CHANNEL)
                return
        conn.execute(_TOLD, (self._today(), len(bodies), size))
        self.store.after_commit(lambda: self._account(len(bodies), size))

    def _account(self, messages: int, size: int) -> None:
        known = self.told.get(self._today(), DayTold(0, 0))
        self.told[self._today()] = DayTold(known.messages + messages, known.body_bytes + size)

    def _today(self) -> int:
        return int(self.utc_now() // DAY_S)

    # --- what people wish -------------------------------------------------------------------------------------------

    def change_in(
        self, conn: apsw.Connection, action: HeatAction, *, by: str, against: int, now: Instant
    ) -> str:
        """Change the settings inside a transaction of the store; return what was done, in words. They hold, and control
        is told, once that is durable. Raises ValueError in words for what cannot be; then nothing was changed."""
        before = self._row.read(conn)
        settings, words = apply_action(before, self.plant, action, now=now, by=by, against=against)
        if settings == before:
            return words
        self._row.write(conn, settings, now.utc)
        event = HeatEvent(at=now.utc, source="house", kind=EventKind.CHANGE, cause=f"{words} ({by})")
        write.add_events(conn, self.house, [event])
        self._tell(conn, [event])
        self.store.after_commit(lambda: self._changed(settings))
        return words

    def _changed(self, settings: Settings) -> None:
        self.settings = settings
        for callback in (*self.on_settings, *self.on_commit):
            callback()

    # --- how it stands ----------------------------------------------------------------------------------------------

    @property
    def capacity_days(self) -> int:
        """For how many days of outage from now everything is kept for the hub."""
        held = self.durable.statistics()[CHANNEL].held
        days = capacity_days(
            self.bounds, held.messages, held.body_bytes, self.told, self._guess, self._today()
        )
        return floor(days)

    def _sure_utc(self) -> float | None:
        now = self.clock.instant()
        return now.utc if now.is_sure else None
