"""The round of control: off before everything, on after the disk, and neither held up by a disk that hangs."""

from collections.abc import Callable, Mapping

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock, wait_all_tasks_blocked

from daemons.heating.boilerloop import ControlLoop
from daemons.heating.hardware.port import HardwareError
from daemons.heating.settings import Settings
from daemons.heating.state import Decision, Inputs, Instant
from daemons.store import StorageError, StorageFault
from tests.conftest import ErrorLogs
from tests.daemons.heating.primary.parts import Hands, decision


@define(eq=False)
class Rig:
    """Hardware, control and store in one, which writes down what is done to them. `wanted`: what control decides;
    `broken`: relays that do not do as they are told."""

    hands: Hands = field(factory=Hands)
    wanted: dict[str, bool] = field(factory=dict)
    broken: set[str] = field(factory=set)
    did: list[object] = field(factory=list)
    relays: dict[str, bool] = field(factory=dict)
    hangs: bool = False
    fault: StorageError | None = None
    raises: Exception | None = None
    settings: Settings = field(factory=Settings)
    on_change: Callable[[], None] = lambda: None

    def inputs(self) -> Inputs:
        return Inputs()

    def drive(self, outputs: Mapping[str, bool]) -> None:
        wrong = tuple(
            id_ for id_ in outputs if id_ in self.broken and self.relays.get(id_, False) != outputs[id_]
        )
        self.relays |= {id_: is_on for id_, is_on in outputs.items() if id_ not in wrong}
        self.did.append({id_: is_on for id_, is_on in outputs.items() if is_on})
        if wrong:
            raise HardwareError("does not do as it is told", wrong)

    def all_off(self) -> None:
        self.relays = {id_: is_on and id_ in self.broken for id_, is_on in self.relays.items()}
        self.did.append("all off")

    def pulse(self) -> None:
        self.did.append("pulse")

    def warnings(self) -> Mapping[str, str]:
        return {}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        await trio.sleep_forever()

    def step(self, now: Instant, inputs: Inputs, settings: Settings) -> Decision:
        if self.raises is not None:
            raise self.raises
        return decision(self.hands, on=self.wanted)

    async def decide(self, now: Instant, one: Decision) -> None:
        self.did.append("disk")
        if self.hangs:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        if self.fault is not None:
            raise self.fault

    def loop(self, **more: object) -> ControlLoop:
        clock = self.hands.clock()
        return ControlLoop(self, self, self, clock, vital=frozenset({"burner"}), **more)  # type: ignore[arg-type]

    def take(self) -> list[object]:
        did, self.did = self.did, []
        return did


async def after_a_round(rig: Rig, loop: ControlLoop, **wanted: bool) -> list[object]:
    """Have control want this, and return what was done in the round then."""
    rig.take()
    rig.wanted = wanted
    loop.poke()
    await trio.sleep(0.06)
    await wait_all_tasks_blocked()
    return rig.take()


async def test_off_comes_before_the_disk_and_on_after_it(autojump_clock: MockClock) -> None:
    rig = Rig()
    loop = rig.loop()
    async with trio.open_nursery() as nursery:
        await nursery.start(loop.run)
        assert await after_a_round(rig, loop, hall=True) == [{}, "disk", {"hall": True}, "pulse"]
        assert await after_a_round(rig, loop, bath=True) == [{}, "disk", {"bath": True}, "pulse"]
        assert await after_a_round(rig, loop, bath=True) == [{"bath": True}, "disk", {"bath": True}, "pulse"]
        nursery.cancel_scope.cancel()
    assert rig.did == ["all off"]
    assert not any(rig.relays.values())


async def test_a_disk_that_hangs_holds_no_relay(autojump_clock: MockClock) -> None:
    rig = Rig(hangs=True)
    loop = rig.loop(commit_s=2.0)
    async with trio.open_nursery() as nursery:
        began = trio.current_time()
        await nursery.start(loop.run)
        assert trio.current_time() - began == 2.0
        rig.relays["hall"] = True
        loop._driven = {"hall": True}
        rig.take()
        rig.wanted = {"hall": False, "bath": True}
        loop.poke()
        await trio.sleep(0.06)
        assert rig.take() == [{}, "disk"]
        assert not rig.relays["hall"]  # at once
        await trio.sleep(2.0)
        assert rig.take() == [{"bath": True}, "pulse"]  # and the house is not kept cold
        assert "has not answered for 2 s" in loop.disk_words
        assert loop.is_working
        rig.hangs = False
        await after_a_round(rig, loop)
        assert loop.disk_words == ""
        nursery.cancel_scope.cancel()


async def test_a_disk_that_is_full_keeps_no_house_cold(autojump_clock: MockClock, tmp_path: object) -> None:
    rig = Rig()
    rig.fault = StorageError(StorageFault.DISK_FULL, tmp_path, "it is full")  # type: ignore[arg-type]
    loop = rig.loop()
    async with trio.open_nursery() as nursery:
        await nursery.start(loop.run)
        assert await after_a_round(rig, loop, hall=True) == [{}, "disk", {"hall": True}, "pulse"]
        assert "it is full" in loop.disk_words
        assert loop.late_commits == 2
        nursery.cancel_scope.cancel()


async def test_rounds_go_on_by_themselves_and_no_faster_than_they_may(autojump_clock: MockClock) -> None:
    rig = Rig()
    loop = rig.loop(control_s=10.0)
    async with trio.open_nursery() as nursery:
        await nursery.start(loop.run)
        await trio.sleep(100.5)
        assert loop.rounds == 11
        for _ in range(1000):
            loop.poke()
            await trio.sleep(0.001)
        assert 15 <= loop.rounds - 11 <= 22
        nursery.cancel_scope.cancel()


async def test_a_valve_that_does_not_open_keeps_no_other_room_cold(
    autojump_clock: MockClock, error_logs: ErrorLogs
) -> None:
    rig = Rig(broken={"hall"})
    loop = rig.loop()
    async with trio.open_nursery() as nursery:
        await nursery.start(loop.run)
        did = await after_a_round(rig, loop, hall=True, bath=True)
        assert did[-1] == "pulse"
        assert rig.relays["bath"]
        assert loop.words
        nursery.cancel_scope.cancel()
    error_logs.expect("relays.failed")


async def test_nothing_burns_for_the_one_room_whose_valve_does_not_open(
    autojump_clock: MockClock, error_logs: ErrorLogs
) -> None:
    rig = Rig(broken={"hall"})
    loop = rig.loop()
    async with trio.open_nursery() as nursery:
        await nursery.start(loop.run)
        for _ in range(2):
            did = await after_a_round(rig, loop, hall=True, burner=True)
            assert did[-1] == "pulse"
            assert not rig.relays.get("burner")
        assert {"hall": True, "burner": True} not in did  # not even for a moment, once that is known
        await after_a_round(rig, loop, hall=True, bath=True, burner=True)
        assert rig.relays.get("burner")
        rig.broken = set()
        await after_a_round(rig, loop, hall=True, burner=True)
        await after_a_round(rig, loop, hall=True, burner=True)
        assert [id_ for id_, is_on in rig.relays.items() if is_on] == ["hall", "burner"]
        assert loop.words == ""
        nursery.cancel_scope.cancel()
    error_logs.expect("relays.failed")


@pytest.mark.parametrize(
    ("broken", "was", "wanted"), [("burner", {}, {"burner": True}), ("hall", {"hall": True}, {})]
)
async def test_what_cannot_be_driven_and_matters_ends_all_heat(
    autojump_clock: MockClock,
    error_logs: ErrorLogs,
    broken: str,
    was: dict[str, bool],
    wanted: dict[str, bool],
) -> None:
    rig = Rig()
    loop = rig.loop()
    async with trio.open_nursery() as nursery:
        await nursery.start(loop.run)
        await after_a_round(rig, loop, **was)
        rounds = loop.rounds
        rig.broken = {broken}
        did = await after_a_round(rig, loop, **wanted)
        assert "all off" in did
        assert "pulse" not in did
        assert loop.rounds == rounds
        await trio.sleep(60)
        assert not loop.is_working
        rig.broken = set()
        await after_a_round(rig, loop)
        assert loop.is_working
        assert loop.words == ""
        nursery.cancel_scope.cancel()
    error_logs.expect("relays.failed")


async def test_a_bug_of_control_ends_with_everything_off(autojump_clock: MockClock) -> None:
    rig = Rig()
    loop = rig.loop()

    async def go_wrong() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(loop.run)
            await after_a_round(rig, loop, hall=True)
            rig.raises = ZeroDivisionError()
            loop.poke()
            await trio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught:
        await go_wrong()
    assert caught.group_contains(ZeroDivisionError)
    assert not any(rig.relays.values())


async def test_stopped_it_is_off_at_once_and_stays_so(autojump_clock: MockClock) -> None:
    rig = Rig()
    loop = rig.loop()
    async with trio.open_nursery() as nursery:
        await nursery.start(loop.run)
        await after_a_round(rig, loop, hall=True)
        loop.stop()
        assert not any(rig.relays.values())
        rig.take()
        await trio.sleep(30)
        assert [one for one in rig.did if one != "all off"] == []
        nursery.cancel_scope.cancel()


async def test_stopped_while_the_disk_hangs_nothing_goes_on_afterwards(autojump_clock: MockClock) -> None:
    rig = Rig(hangs=True)
    loop = rig.loop()
    async with trio.open_nursery() as nursery:
        await nursery.start(loop.run)
        rig.take()
        rig.wanted = {"hall": True}
        loop.poke()
        await trio.sleep(1)
        loop.stop()
        await trio.sleep(30)
        assert not any(rig.relays.values())
        nursery.cancel_scope.cancel()
