"""A pair of machines through drops, crashes and restored backups at every step."""

import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from protocol.reliable import ALREADY_DONE, GONE, OVERFLOW
from tests.oracle import Copy
from tests.protocol.reliable_pair import Pair, ReceiverDisk, SenderDisk

_WEIGHTS = {
    "append": 6,
    "flow": 4,
    "rush": 3,
    "connect": 4,
    "send": 3,
    "load": 3,
    "want": 1,
    "deliver": 3,
    "commit": 3,
    "take": 2,
    "acknowledge": 2,
    "hear": 2,
    "trim": 2,
    "retain": 1,
    "expire": 1,
    "cut": 1,
    "crash_sender": 1,
    "crash_receiver": 2,
    "back_up_sender": 1,
    "back_up_receiver": 1,
    "restore_sender": 1,
    "restore_receiver": 1,
    "freeze_sender": 1,
    "thaw_sender": 1,
}


class Walk:
    """The steps that either host or the network can take, faults among them; each takes a small number."""

    def __init__(self, pair: Pair, bound: int, keep: int) -> None:
        self.pair = pair
        self.keep = keep
        self.bound = bound
        self.sometimes: Counter[str] = Counter()
        self.sender_backups: list[tuple[SenderDisk, Copy]] = [pair.sender.copy()]
        self.receiver_backups: list[ReceiverDisk] = [pair.receiver.copy()]
        self.frozen = [pair.sender.freeze()]

    def append(self, n: int) -> None:
        self.pair.sender.append(n % 5 + 1, 4 + n)

    def flow(self, n: int) -> None:
        """Everything once, undisturbed, so that faults meet traffic."""
        self.pair.sender.load(0)
        self.pair.send(200)
        self.pair.deliver(100)
        self.take(n)
        self.commit(n)
        self.pair.acknowledge()
        self.pair.hear(100)
        self.pair.sender.trim()

    def rush(self, n: int) -> None:
        """Everything but a commit: whatever is acknowledged now had better be durable."""
        self.pair.sender.load(0)
        self.pair.send(20 * n + 1)
        self.pair.deliver(100)
        self.pair.acknowledge()
        self.pair.hear(100)

    def connect(self, n: int) -> None:
        self.pair.connect(finish=n % 2 == 0)

    def send(self, n: int) -> None:
        self.pair.send(20 * n + 1)

    def want(self, n: int) -> None:
        self.pair.sender.want()

    def load(self, n: int) -> None:
        self.pair.sender.load(n % 3)

    def deliver(self, n: int) -> None:
        self.pair.deliver(n + 1)

    def take(self, n: int) -> None:
        if self.pair.connected:
            self.pair.receiver.take()

    def commit(self, n: int) -> None:
        self.pair.receiver.commit(fenced=not self.pair.connected)

    def acknowledge(self, n: int) -> None:
        self.pair.acknowledge()

    def hear(self, n: int) -> None:
        self.pair.hear(n + 1)

    def trim(self, n: int) -> None:
        self.pair.sender.trim()

    def retain(self, n: int) -> None:
        self.pair.sender.retain()

    def expire(self, n: int) -> None:
        self.pair.sender.drop(n % 3 + 1)

    def cut(self, n: int) -> None:
        self.pair.cut()

    def crash_sender(self, n: int) -> None:
        self.sometimes["sender crashed with frames on their way"] += bool(self.pair.forth)
        self.pair.cut()
        self.pair.sender.start()

    def crash_receiver(self, n: int) -> None:
        self.sometimes["receiver crashed in a commit"] += bool(self.pair.receiver.batch)
        self.sometimes["receiver crashed between commit and ack"] += self.pair.receiver.machine.ack_pending
        self.pair.cut()
        self.pair.receiver.start()

    def back_up_sender(self, n: int) -> None:
        self.sender_backups.append(self.pair.sender.copy())

    def back_up_receiver(self, n: int) -> None:
        self.receiver_backups.append(self.pair.receiver.copy())

    def restore_sender(self, n: int) -> None:
        self.pair.cut()
        self.pair.sender.restore(self.sender_backups[n % len(self.sender_backups)])

    def freeze_sender(self, n: int) -> None:
        self.frozen.append(self.pair.sender.freeze())

    def thaw_sender(self, n: int) -> None:
        """The process does not notice, so nothing may be accepted before the next hello tells it.

        Nor can either side go back to what was between: both histories have used the same numbers of one
        epoch.
        """
        self.pair.cut()
        self.pair.sender.thaw(self.frozen[n % len(self.frozen)])
        self.pair.connect()
        self.sender_backups = [self.pair.sender.copy()]
        self.receiver_backups = [self.pair.receiver.copy()]
        self.frozen = [self.pair.sender.freeze()]

    def restore_receiver(self, n: int) -> None:
        self.pair.cut()
        self.pair.receiver.restore(self.receiver_backups[n % len(self.receiver_backups)])

    def check(self) -> None:
        """What holds at every step."""
        self.pair.check(complete=False)
        machine = self.pair.sender.machine
        messages, body_bytes = self.pair.window
        assert machine.flight_messages <= messages
        assert machine.flight_bytes <= body_bytes or machine.flight_messages == 1
        assert self.pair.sender.held() <= self.bound

    def finish(self) -> None:
        """What holds when the network has been whole for long enough."""
        self.pair.heal()
        self.pair.check(complete=True)
        machine = self.pair.sender.machine
        assert (machine.outstanding, machine.flight_messages, self.pair.sender.held()) == (0, 0, 0)
        sender, receiver = self.pair.sender, self.pair.receiver
        if not sender.restored:
            assert not set(sender.disk.never_sent) & set(receiver.disk.effects)
        reasons = {reason for _, _, _, reason in receiver.disk.skips}
        assert reasons <= {0: {OVERFLOW, ALREADY_DONE}, 3: {OVERFLOW, GONE}}.get(self.keep, {OVERFLOW})
        for report in self.pair.sender.reports:
            self.sometimes["replayed"] += report.replayed > 0
            self.sometimes["rolled back"] += bool(report.rolled_back)
        for _, _, _, reason in self.pair.receiver.disk.skips:
            self.sometimes[reason] += 1
        self.sometimes["duplicate"] += self.pair.receiver.machine.duplicates


_STEP = st.tuples(
    st.sampled_from([name for name, weight in _WEIGHTS.items() for _ in range(weight)]), st.integers(0, 7)
)


@st.composite
def _walks(draw: st.DrawFn) -> list[tuple[str, int]]:
    """Draw 0 to 150 steps, all lengths alike: st.lists alone would make most of them too short to matter."""
    return [draw(_STEP) for _ in range(draw(st.integers(0, 150)))]


_SIZES = st.fixed_dictionaries(
    {
        "keep": st.sampled_from([0, 3, 1000]),
        "bound": st.sampled_from([6, 1000]),
        "ahead": st.sampled_from([1, 3, 8]),
        "window": st.tuples(st.integers(1, 6), st.sampled_from([1, 24, 64])),
    }
)


def _walk(steps: Iterable[tuple[str, int]], sizes: dict[str, Any]) -> Walk:
    bound = sizes["bound"]
    pair = Pair(
        keep=sizes["keep"], bound=bound, ahead=min(sizes["ahead"], bound // 2), window=sizes["window"]
    )
    walk = Walk(pair, bound, sizes["keep"])
    for name, n in steps:
        getattr(walk, name)(n)
        walk.check()
    walk.finish()
    return walk


@settings(max_examples=150)
@given(steps=_walks(), sizes=_SIZES)
def test_pair_keeps_promise(steps: list[tuple[str, int]], sizes: dict[str, Any]) -> None:
    """Nothing lost, nothing twice, order kept, every skip accounted for; after healing both ends agree."""
    _walk(steps, sizes)


def test_pair_keeps_promise_on_long_walks() -> None:
    """The same on longer walks from fixed seeds; all that is interesting must have happened."""
    sometimes: Counter[str] = Counter()
    for seed in range(250):
        rand = random.Random(seed)
        sizes = {
            "keep": rand.choice([0, 3, 1000]),
            "bound": rand.choice([6, 1000]),
            "ahead": rand.choice([1, 3, 8]),
            "window": (rand.randint(1, 6), rand.choice([1, 24, 64])),
        }
        names = rand.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=rand.randint(50, 400))
        try:
            sometimes.update(_walk([(name, rand.randrange(8)) for name in names], sizes).sometimes)
        except Exception as error:
            error.add_note(f"seed {seed}, {sizes}")
            raise
    for what in (
        "sender crashed with frames on their way",
        "receiver crashed in a commit",
        "receiver crashed between commit and ack",
        "replayed",
        "rolled back",
        "duplicate",
        OVERFLOW,
        ALREADY_DONE,
        GONE,
    ):
        assert sometimes[what], f"{what} never happened: {sometimes}"
