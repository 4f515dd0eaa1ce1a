"""Two hosts with a channel between them: the machines, with dicts for databases and lists for a network.

What is durable is one value a host, copied and put back as a whole; a crash loses everything else. The
sender's host does what an outbox does (numbers, drops, trims, reads), the receiver's what an inbox does.
"""

import copy
from collections import deque
from collections.abc import Iterator

from attrs import define, field

from protocol.codec import decode_frames, encode_frame
from protocol.frames import Ack, Frame, InPosition, Message, Skip
from protocol.messagewriter import MessageWriter
from protocol.reliable import OVERFLOW, Load, OutEpoch, Resumed
from protocol.reliable_in import Entry, Receiver
from protocol.reliable_out import Sender
from tests.oracle import ChannelOracle, Copy

CHANNEL = "event"
NAMED = 3  # epochs a hello names: few, so that tests reach beyond it


@define
class EpochRows:
    """One epoch as the sender's database has it."""

    epoch: int
    rows: dict[int, bytes] = field(factory=dict)
    first: int = 1
    next: int = 1
    acked: int = 0
    beyond: int = 0
    skips: list[tuple[int, int, str]] = field(factory=list)


@define
class SenderDisk:
    """`lost`: epochs only the peer knows.

    `never_sent`: bodies dropped during a connection, where that is exact.
    """

    epochs: list[EpochRows] = field(factory=list)
    lost: dict[int, int] = field(factory=dict)
    never_sent: list[bytes] = field(factory=list)


@define
class ReceiverDisk:
    """`effects`: bodies in the order in which they took effect."""

    positions: dict[int, int] = field(factory=dict)
    effects: list[bytes] = field(factory=list)
    skips: list[tuple[int, int, int, str]] = field(factory=list)


class SenderHost:
    """A sender: its disk, and the process that runs on it."""

    def __init__(
        self, oracle: ChannelOracle, epochs: Iterator[int], *, keep: int, bound: int, ahead: int
    ) -> None:
        self.disk = SenderDisk()
        self.oracle = oracle
        self.dropped: list[tuple[int, int, int]] = []
        self.names = 0
        self.restored = False
        self.reports: list[Resumed] = []
        self._epochs = epochs
        self._keep = keep
        self._bound = bound
        self._ahead = ahead
        self.start()

    def start(self) -> None:
        """Start the process: a new epoch's name, and what is on disk."""
        self.epoch = next(self._epochs)
        self.wanted: Load | None = None
        self.machine = Sender(
            CHANNEL, keep_acked=self._keep > 0, ahead_messages=self._ahead, ahead_bytes=4096
        )
        self.machine.restore(
            [
                OutEpoch(key, mine.epoch, mine.first, mine.next, mine.acked, mine.beyond, list(mine.skips))
                for key, mine in enumerate(self.disk.epochs)
            ],
            self.disk.lost.items(),
        )

    def append(self, count: int, size: int) -> None:
        """Accept messages, and drop the oldest beyond the bound, all in one transaction."""
        if not self.disk.epochs or self.disk.epochs[-1].epoch != self.epoch:
            self.disk.epochs.append(EpochRows(self.epoch))
        mine = self.disk.epochs[-1]
        first = mine.next
        rows = []
        for seq in range(first, first + count):
            self.names += 1
            body = self.names.to_bytes(4, "big").ljust(size, b".")
            self.oracle.attempt(body)
            self.oracle.accept(body, mine.epoch, seq)
            mine.rows[seq] = body
            rows.append((len(body), MessageWriter(CHANNEL, mine.epoch).encode(seq, "t", 1, body)))
        mine.next += count
        after = self._drop(max(0, self.held() - self._bound), self._bound)
        self.machine.appended(len(self.disk.epochs) - 1, mine.epoch, first, rows)
        for hook in after:
            self.machine.dropped(*hook)

    def drop(self, count: int) -> None:
        """Drop the oldest, as when they are too old."""
        for hook in self._drop(count):
            self.machine.dropped(*hook)

    def held(self) -> int:
        """Return how many messages are held and not acknowledged."""
        return sum(1 for mine in self.disk.epochs for seq in mine.rows if seq > mine.acked)

    def _drop(self, count: int, bound: int = 0) -> list[tuple[int, int, int, str]]:
        if count:
            self.trim()  # what was acknowledged is neither to be counted nor to be dropped
            count = min(count, max(0, self.held() - bound))
        key_from, seq_from = self.machine.unclaimed()
        hooks = []
        for key, mine in enumerate(self.disk.epochs):
            for seq in sorted(mine.rows):
                free = key > key_from or (key == key_from and seq >= seq_from)
                if count > 0 and free and seq > mine.acked:
                    body = mine.rows.pop(seq)
                    if self.machine.attached:
                        self.disk.never_sent.append(body)
                    mine.skips = sorted([*mine.skips, (seq, seq, OVERFLOW)])
                    self.dropped.append((mine.epoch, seq, seq))
                    hooks.append((mine.epoch, seq, seq, OVERFLOW))
                    count -= 1
        return hooks

    def trim(self) -> None:
        """Note acknowledgements on disk; keep so many acknowledged rows, delete the others."""
        for mine, acked in self.machine.trims():
            disk = self.disk.epochs[mine.key]
            disk.acked = max(disk.acked, acked)
            if not self._keep:
                disk.rows = {seq: body for seq, body in disk.rows.items() if seq > acked}
                disk.skips = [skip for skip in disk.skips if skip[1] > acked]
                disk.first = disk.acked + 1
            self.machine.trimmed(mine, acked)

    def retain(self) -> None:
        """Delete acknowledged rows but the newest."""
        kept = [(mine, seq) for mine in self.disk.epochs for seq in sorted(mine.rows) if seq <= mine.acked]
        for mine, seq in kept[: -self._keep] if self._keep else []:
            del mine.rows[seq]
            mine.first = seq + 1
            mine.skips = [skip for skip in mine.skips if skip[1] > seq]
            self.machine.retained(mine.epoch, seq + 1)

    def want(self) -> None:
        """Ask the machine what to read."""
        self.wanted = self.wanted or self.machine.wants()

    def load(self, drop: int) -> None:
        """Read what the machine wanted; in the same commit, behind it, some are dropped."""
        self.want()
        load, self.wanted = self.wanted, None
        if load is None:
            return
        mine = self.disk.epochs[load.key]
        rows = []
        end, size = load.end, 0
        for seq in sorted(seq for seq in mine.rows if load.first <= seq < load.end):
            body = mine.rows[seq]
            rows.append((seq, len(body), MessageWriter(CHANNEL, mine.epoch).encode(seq, "t", 1, body)))
            size += len(body)
            if len(rows) == load.messages or size >= load.body_bytes:
                end = seq + 1
                break
        hooks = self._drop(drop)
        self.machine.loaded(load, rows, end)
        for hook in hooks:
            self.machine.dropped(*hook)

    def resume(self, committed: list[InPosition], window: tuple[int, int]) -> Resumed:
        """Begin a connection; what was lost is noted on disk, and a new epoch minted."""
        resumed = self.machine.resume(
            [(position.epoch, position.committed) for position in committed], *window
        )
        self.reports.append(resumed)
        for loss in resumed.rolled_back:
            if loss.key is None:
                self.disk.lost[loss.epoch] = loss.theirs
            else:
                self.disk.epochs[loss.key].beyond = loss.theirs
        if resumed.rolled_back:
            self.epoch = next(self._epochs)
        return resumed

    def copy(self) -> tuple[SenderDisk, Copy]:
        """Make a backup."""
        return copy.deepcopy(self.disk), self.oracle.copy()

    def restore(self, backup: tuple[SenderDisk, Copy]) -> None:
        """Put a backup back, and start."""
        self.disk = copy.deepcopy(backup[0])
        self.oracle.restore(backup[1])
        self.restored = True
        self.start()

    def freeze(self) -> tuple[SenderDisk, Sender, int, Copy]:
        """Make a snapshot of the whole machine it runs on, memory included."""
        disk, machine = copy.deepcopy((self.disk, self.machine))
        return disk, machine, self.epoch, self.oracle.copy()

    def thaw(self, snapshot: tuple[SenderDisk, Sender, int, Copy]) -> None:
        """Go back to a snapshot; the process does not notice."""
        self.disk, self.machine = copy.deepcopy(snapshot[:2])
        self.epoch = snapshot[2]
        self.wanted = None
        self.restored = True
        self.oracle.restore(snapshot[3])


class ReceiverHost:
    """A receiver: its disk, and the process that runs on it."""

    def __init__(self, oracle: ChannelOracle) -> None:
        self.disk = ReceiverDisk()
        self.oracle = oracle
        self.start()

    def start(self) -> None:
        """Start the process."""
        self.machine = Receiver(CHANNEL)
        self.batch: list[Entry] = []

    def positions(self) -> list[InPosition]:
        """Return what a hello says."""
        return [InPosition(CHANNEL, epoch, seq) for epoch, seq in self.disk.positions.items()][-NAMED:]

    def take(self) -> None:
        """Begin a commit."""
        self.batch = self.batch or self.machine.take()

    def commit(self, *, fenced: bool) -> None:
        """Finish the commit that was begun; if of an older connection, the new one hears nothing of it."""
        batch, self.batch = self.batch, []
        marks: dict[int, int] = {}
        for entry in batch:
            last = self.disk.positions.get(entry.epoch, 0)
            if isinstance(entry, Message):
                assert entry.seq == last + 1
                self.disk.effects.append(entry.body)
                self.disk.positions[entry.epoch] = marks[entry.epoch] = entry.seq
            else:
                assert entry.first == last + 1
                self.disk.skips.append((entry.epoch, entry.first, entry.last, entry.reason))
                self.disk.positions[entry.epoch] = marks[entry.epoch] = entry.last
        if batch and not fenced:
            self.machine.committed(marks.items())

    def copy(self) -> ReceiverDisk:
        """Make a backup."""
        return copy.deepcopy(self.disk)

    def restore(self, backup: ReceiverDisk) -> None:
        """Put a backup back, and start."""
        self.oracle.restore_receiver(self.disk.effects, self.disk.skips)
        self.disk = copy.deepcopy(backup)
        self.start()


class Pair:
    """Both hosts and the wires of the present connection. Frames in a wire keep their order, or are cut."""

    def __init__(
        self, *, keep: int = 1000, bound: int = 1000, ahead: int = 8, window: tuple[int, int] = (4, 64)
    ) -> None:
        self.oracle = ChannelOracle()
        self.sender = SenderHost(self.oracle, iter(range(1, 10**6)), keep=keep, bound=bound, ahead=ahead)
        self.receiver = ReceiverHost(self.oracle)
        self.window = window
        self.connected = False
        self.forth: deque[Frame] = deque()
        self.back: deque[Ack] = deque()

    def connect(self, *, finish: bool = True) -> None:
        """Begin a new connection; a commit of the old one is finished before, or has no effect."""
        self.cut()
        if self.receiver.batch:
            if finish:
                self.receiver.commit(fenced=True)
            self.receiver.batch = []
        self.sender.resume(self.receiver.positions(), self.window)
        self.receiver.machine.attach(self.receiver.disk.positions, *self.window)
        self.connected = True

    def cut(self) -> None:
        """Lose the connection with all that is on its way."""
        self.forth.clear()
        self.back.clear()
        self.connected = False
        self.sender.machine.detach()

    def send(self, max_bytes: int) -> bool:
        """Let the sender write once."""
        data = self.sender.machine.take(max_bytes) if self.connected else None
        self.forth.extend(decode_frames(data) if data else ())
        return bool(data)

    def deliver(self, count: int) -> None:
        """Let frames arrive at the receiver."""
        for _ in range(min(count, len(self.forth))):
            frame = self.forth.popleft()
            if isinstance(frame, Message):
                self.receiver.machine.on_message(frame)
            else:
                assert isinstance(frame, Skip)
                self.receiver.machine.on_skip(frame)

    def acknowledge(self) -> None:
        """Let the receiver write its acknowledgements."""
        if self.connected:
            for ack in self.receiver.machine.acks():
                self.back.extend(
                    frame for frame in decode_frames(encode_frame(ack)) if isinstance(frame, Ack)
                )

    def hear(self, count: int) -> None:
        """Let acknowledgements arrive at the sender."""
        for _ in range(min(count, len(self.back))):
            ack = self.back.popleft()
            self.sender.machine.on_ack(ack.epoch, ack.seq)

    def heal(self) -> None:
        """Run an undisturbed connection until nothing moves any more."""
        if not self.connected:
            self.connect()
        for _ in range(10_000):
            self.sender.load(0)
            sent = self.send(100)
            self.deliver(1000)
            self.receiver.take()
            self.receiver.commit(fenced=False)
            self.acknowledge()
            heard = bool(self.back)
            self.hear(1000)
            self.sender.trim()
            if not sent and not heard and not self.sender.machine.hungry:
                return
        raise AssertionError("the pair does not come to rest")

    def check(self, *, complete: bool) -> None:
        """Hold the receiver's disk against the promise."""
        disk = self.receiver.disk
        self.oracle.check(disk.effects, disk.skips, dropped=self.sender.dropped, complete=complete)
