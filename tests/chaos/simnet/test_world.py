"""The same seed gives the same run in every process; what cannot be simulated is said and does not hang."""

import gc
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.simnet import (
    Deadlock,
    Livelock,
    NeverHappened,
    SimNetwork,
    ThreadUnderVirtualTime,
    World,
    check_happened,
    run_world,
    seeds,
    timeline,
)
from chaos.simnet.world import EPOCH_S

from .helpers import connected
from .one_run import fingerprint

ROOT = Path(__file__).parents[3]


def fingerprint_in_new_process(seed: int, **environ: str) -> str:
    command = [sys.executable, "-m", "tests.chaos.simnet.one_run", str(seed)]
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")} | environ
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_same_seed_gives_the_same_run_in_every_process() -> None:
    here = fingerprint(7)
    assert fingerprint_in_new_process(7, PYTHONHASHSEED="1") == here
    assert fingerprint_in_new_process(7, PYTHONHASHSEED="2", PADDING="x" * 3000, WITH_HYPOTHESIS="1") == here
    assert fingerprint(7) == here
    assert fingerprint(8) != here


@settings(max_examples=5)
@given(st.integers(4, 1000))
def test_hypothesis_examples_do_not_change_a_run(seed: int) -> None:
    # Hypothesis resets Trio's scheduler to one state before each example; the seed decides nevertheless.
    runs_of_seed_3.add(short_run(3))
    assert len(runs_of_seed_3) == 1
    assert short_run(seed) not in runs_of_seed_3


runs_of_seed_3: set[str] = set()


def short_run(seed: int) -> str:
    async def main(world: World) -> None:
        async with connected(world) as (client, server), trio.open_nursery() as nursery:

            async def say(word: bytes) -> None:
                await client.socket.send(word)

            for number in range(20):
                nursery.start_soon(say, bytes([number]))  # their order is the scheduler's
            del server

    return run_world(seed, main).fingerprint


def test_the_process_is_as_before_after_a_run() -> None:
    before = os.urandom, random._urandom, time.time, time.monotonic, gc.isenabled()  # type: ignore[attr-defined]
    random.seed(1)
    state = random.getstate()

    async def main(world: World) -> None:
        await trio.sleep(1)
        assert not gc.isenabled()
        random.random()

    run_world(1, main)
    assert before == (os.urandom, random._urandom, time.time, time.monotonic, gc.isenabled())  # type: ignore[attr-defined]
    assert random.getstate() == state


def test_a_deadlock_is_an_error_that_names_who_waits_where() -> None:
    async def main(world: World) -> None:
        async def wait_for_godot() -> None:
            await trio.sleep(100)
            await trio.Event().wait()

        async with connected(world) as (_, server), trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_godot)
            await server.receive_some()

    began = time.perf_counter()
    with pytest.RaisesGroup(Deadlock) as caught:
        run_world(1, main)
    (deadlock,) = caught.value.exceptions
    assert "wait_for_godot at " in str(deadlock)
    assert "test_world.py" in str(deadlock)
    assert time.perf_counter() - began < 10


def test_a_deadlock_behind_a_shield_still_ends_the_run() -> None:
    async def main(world: World) -> None:
        async with trio.open_nursery() as nursery:

            async def shielded() -> None:
                with trio.CancelScope(shield=True):
                    await trio.Event().wait()

            nursery.start_soon(shielded)

    with pytest.RaisesGroup(Deadlock, Deadlock):
        run_world(1, main)


@pytest.mark.parametrize("in_main", [True, False])
def test_a_retry_without_a_pause_is_an_error_and_not_a_hang(
    in_main: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "_ROUNDS_PER_INSTANT", 2000)

    async def main(world: World) -> None:
        async def retry() -> None:
            with world.net.host("a"):
                while True:
                    with pytest.raises(OSError, match="no host"):
                        await trio.open_tcp_stream("nowhere", 80)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            if not in_main:
                nursery.start_soon(retry)
                await trio.sleep_forever()
            await retry()

    with pytest.RaisesGroup(Livelock):
        run_world(1, main)


def test_a_thread_under_virtual_time_is_refused() -> None:
    async def main(world: World) -> None:
        with trio.fail_after(5):
            await trio.to_thread.run_sync(time.sleep, 0.01)

    with pytest.raises(ThreadUnderVirtualTime, match="inline"):
        run_world(1, main)


def test_utc_follows_virtual_time_and_each_host_has_its_own_skew() -> None:
    async def main(world: World) -> None:
        await trio.sleep(3600)
        assert world.utc_now() == time.time() == EPOCH_S + 3600
        assert time.monotonic() == trio.current_time() == 3600
        world.skew_s["b"] = -90.0
        with world.net.host("b"):
            assert world.utc_now() == time.time() == EPOCH_S + 3600 - 90
        with world.net.host("a"):
            assert world.utc_now() == EPOCH_S + 3600

    run_world(1, main)


def test_a_failure_carries_the_command_that_replays_it(capsys: pytest.CaptureFixture[str]) -> None:
    async def main(world: World) -> None:
        await trio.sleep(1)
        raise LookupError("a bug")

    with pytest.raises(LookupError) as caught:
        run_world(42, main)
    (note,) = caught.value.__notes__
    assert "PITLINK_SIM_SEED=42 ./test" in note
    assert "test_a_failure_carries_the_command_that_replays_it" in note
    assert note in capsys.readouterr().err


def test_the_environment_names_the_seed_to_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PITLINK_SIM_SEED", raising=False)
    one, two, fresh = seeds(1, 2, fresh=1)
    assert (one, two) == (1, 2)
    assert fresh != seeds(1, 2, fresh=1)[2]
    monkeypatch.setenv("PITLINK_SIM_SEED", "42")
    assert seeds(1, 2, fresh=1) == [42]


def test_a_run_in_which_something_never_happened_fails() -> None:
    async def main(world: World) -> None:
        world.sometimes("always")
        await trio.sleep(1)
        world.sometimes("never", False)

    run = run_world(1, main, must_happen=["always"])
    assert run.happened["always"] == 1
    with pytest.raises(NeverHappened, match="never"):
        run_world(1, main, must_happen=["always", "never"])
    with pytest.raises(NeverHappened):
        check_happened(run.happened + run.happened, ["never"])


def test_the_trace_file_shows_where_two_runs_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = []
    for seed in (3, 4):
        monkeypatch.setenv("PITLINK_SIM_TRACE", str(tmp_path / f"{seed}"))
        short_run(seed)
        traces.append((tmp_path / f"{seed}").read_text().splitlines())
    monkeypatch.delenv("PITLINK_SIM_TRACE")
    assert traces[0][0] == traces[1][0]
    assert traces[0] != traces[1]


def test_the_network_refuses_a_real_clock() -> None:
    async def main() -> None:
        await trio.lowlevel.checkpoint()
        SimNetwork(1).install()

    with pytest.raises(RuntimeError, match="MockClock"):
        trio.run(main)


async def test_the_network_serves_a_plain_test_with_autojump_clock(
    autojump_clock: trio.testing.MockClock,
) -> None:
    net = SimNetwork(1)
    net.install()
    with net.host("b"):
        (listener,) = await trio.open_tcp_listeners(80)
    with net.host("a"):
        async with await trio.open_tcp_stream("b", 80):
            await listener.accept()
    with pytest.raises(RuntimeError, match="no host"):
        trio.socket.socket()
