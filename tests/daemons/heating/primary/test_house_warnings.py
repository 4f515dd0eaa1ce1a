"""What a boiler's health says of its house, and what it takes back."""

from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import evolve

from daemons.heating.primary.warnings import HouseWarnings
from daemons.heating.state import Alarm, Severity
from daemons.ops.health import Health
from daemons.ops.watchman import Watchman
from tests.daemons.heating.primary.parts import Hands, opened, state
from tests.daemons.heating.primary.test_boilerloop import Rig


async def test_warnings_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hands, rig = Hands(), Rig()
    async with opened(tmp_path, hands) as primary:
        health, loop = Health(lambda: hands.utc), rig.loop()
        warnings = HouseWarnings(health, loop, primary, rig)
        await warnings.look()
        assert health.warnings == []
        loop.words, loop.disk_words = "relay hall does not", "control goes on from memory"
        monkeypatch.setattr(Rig, "warnings", lambda self: {"gpio.strict": "set strict_gpiod"})
        alarms = [Alarm(f"code {n}", "hall", Severity.SAFETY, f"alarm {n}", 0.0) for n in range(5)]
        primary.state = evolve(state(hands), alarms=tuple(alarms), clock_sure=False)
        primary.bounds = evolve(primary.bounds, messages=10)
        await warnings.look()
        told = {one.name: one.words for one in health.warnings}
        assert set(told) == {
            "relays",
            "control-disk",
            "gpio.strict",
            "house-safety",
            "house-clock",
            "outbox-room",
        }
        assert told["house-safety"] == "alarm 0; alarm 1; alarm 2; and 2 more"
        assert health.is_failing
        loop.words = loop.disk_words = ""
        monkeypatch.undo()
        primary.state, primary.tells = state(hands), False
        await warnings.look()
        assert health.warnings == []


async def test_a_disk_that_hangs_does_not_starve_the_watchdog_of_who_needs_none(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands()
    async with opened(tmp_path, hands) as primary:

        async def hangs(work: object) -> None:
            await trio.sleep_forever()

        watchman = Watchman(primary.store, Health(lambda: hands.utc), lambda: hands.utc, lambda: "")
        monkeypatch.setattr(type(primary.store), "transact", lambda self, work: hangs(work))
        assert not await watchman._is_done(5.0)
        watchman.asks_store = False
        assert await watchman._is_done(5.0)
