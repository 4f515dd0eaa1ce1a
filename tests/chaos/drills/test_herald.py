"""A drill that tells how it stands: each phase, the recovery clock, the end; to those who listen, whatever the others do."""

import io
from typing import Any

import trio
from trio.testing import MockClock

from chaos.drills.herald import Herald
from chaos.drills.record import Verdict
from daemons.ops.client import AdminError, Unreachable
from tests.chaos.drills.test_runner import Stage


class Listener:
    """A daemon that takes what drills say. `fails`: raised in place of taking it."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.fails = fails
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.asked = 0

    async def act(self, action: str, **params: Any) -> None:
        await trio.lowlevel.cancel_shielded_checkpoint()  # at the end all are asked or none
        self.asked += 1
        assert params["lease_s"] > 1
        if self.fails is not None:
            raise self.fails
        self.told.append((action, params["standing"]))


async def test_it_is_told_from_the_beginning_to_the_verdict(autojump_clock: MockClock) -> None:
    listener = Listener()
    old = Listener(AdminError(404, "unknown", "there is no action 'chaos.drill' here"))
    down = Listener(Unreachable("no daemon listens there"))
    herald = Herald([listener, old, down])  # type: ignore[list-item]
    record = await Stage(guard=[{"probe": "queue", "at_most": 50}]).run(herald=herald)
    lines = [standing for _, standing in listener.told]
    phases = list(dict.fromkeys(line["phase"] for line in lines))
    assert phases == ["steady before", "faults", "recovering", "healing", "over"]
    assert {line["run"] for line in lines} == {f"test {record.started_utc}"}
    on = [line for line in lines if line.get("on")]
    assert {line["on"][0]["step"] for line in on} == {"cut"} and len(on) >= 9  # once a second for 10 s
    assert on[-1]["on"][0]["for_s"] > 8 and all(line["clock"] is None for line in on)
    before = [line for line in lines if line.get("next")]
    assert before[0]["next"]["words"] == "silence on uplink"
    clocks = [line["clock"] for line in lines if line.get("clock")]
    assert clocks and clocks[0]["fresh_s"] is None and 0 <= clocks[0]["since_s"] < 1.5
    assert on[-1]["guards"] == [{"name": "queue", "limit": "at most 50", "worst": 0.0, "ok": True}]
    last = lines[-1]
    assert (last["verdict"], last["played"], last["steps"]) == ("PASS", 1, 1)
    assert last["recoveries"][0]["reconnect_s"] == record.recoveries[0].reconnect_s
    actions = [action for action, _ in listener.told]
    assert (actions[0], actions[-1], set(actions[1:-1])) == ("chaos.drill", "chaos.drill", {"chaos.note"})
    assert old.asked == 1, "a daemon that does not know drills is asked once"
    assert down.asked == len(lines)


async def test_a_daemon_that_was_started_again_is_told_anew(autojump_clock: MockClock) -> None:
    listener = Listener()

    async def restart() -> None:
        await trio.sleep(6)
        listener.fails = AdminError(409, "refused", "nothing is known of this run")
        listener.told.clear()
        await trio.sleep(1)
        listener.fails = None

    await Stage().run(beside=restart, herald=Herald([listener]))  # type: ignore[list-item]
    assert [action for action, _ in listener.told][:2] == ["chaos.drill", "chaos.note"]


async def test_a_drill_whose_reader_is_gone_heals_and_ends() -> None:
    """By the real clock: the other one jumps while a thread writes."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            if '"faults"' in text:
                raise BrokenPipeError
            return super().write(text)

    step = {"at": 0.2, "for": 30, "fault": "silence", "name": "cut"}
    stage = Stage(after_s=0.1, step=[step], steady_for=0.1)
    with trio.fail_after(20):
        record = await stage.run(herald=Herald(out=Gone()))
    assert (record.verdict, record.why) == (Verdict.ABORTED, "nobody reads any more how it stands")
    assert not stage.carrier.placed
