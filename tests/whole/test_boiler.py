"""A whole boiler before the double of a house: real pins behind a latch, real files of sensors, real HTTP."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from attrs import evolve

from daemons.boiler import open_boiler
from daemons.heating.history.read import events
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.authority.sitekey import KEY_FILE
from daemons.ops.errors import ConfigError, RefusedToStart
from daemons.ops.options import Address
from protocol.heating import EventKind, HeatMode
from tests.whole.boilers import Ground, ground

pytestmark = pytest.mark.process

HERE = Identity("user", "ann", Role.OPERATOR, ())


@pytest.fixture(scope="module")
def before_a_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("ground")) as made:
        yield made


async def until(what: Any, within_s: float = 40.0) -> None:
    """Wait until `what()` is so; asked in a thread: it may look at the latch."""
    with trio.fail_after(within_s):
        while not await trio.to_thread.run_sync(what):
            await trio.sleep(0.05)


async def test_it_heats_what_is_wanted_and_tells_of_it(before_a_house: Ground) -> None:
    here = before_a_house
    async with (
        open_boiler(here.config(sample_s=10, sample_batch_s=60)) as boiler,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(boiler.run)
        (port, *_) = boiler.front.ports if boiler.front else ()
        assert not any((await trio.to_thread.run_sync(here.relays)).values())
        done = await boiler.look.command(
            HeatMode(zone="study", mode="manual", celsius=28.0), HERE, lifetime_s=30, against=0
        )
        assert done["status"] == "DONE", done["words"]
        await until(lambda: here.relays()["study"])
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            health = (await client.get("/health")).json()
            assert health["status"] == "ok"
            assert min(health["uptime"], health["db_size"], health["memory"]) > 0
            house = (await client.get("/api/houses/home")).json()
            assert house["here"]
            assert (await client.get("/readyz")).status_code == 200
            metrics = (await client.get("/metrics")).text
            assert "control_rounds" in metrics
            assert (await client.post("/api/commands", json={})).status_code in (400, 401)
        state = boiler.look.state()
        assert state is not None
        study = next(zone for zone in state.zones if zone.id == "study")
        assert study.is_on
        assert study.celsius is not None
        assert 5 < study.celsius < 35
        assert boiler.look.standing()["capacity_days"] >= 30
        happened = await boiler.look.read(lambda conn, house: events(conn, house))
        assert {one.kind for _, one in happened} >= {EventKind.START, EventKind.CHANGE, EventKind.ON}
        await boiler.stop()
        assert not any((await trio.to_thread.run_sync(here.relays)).values())
        nursery.cancel_scope.cancel()


async def test_what_was_wished_holds_after_a_restart(before_a_house: Ground) -> None:
    here = before_a_house
    async with open_boiler(here.config()) as boiler, trio.open_nursery() as nursery:
        await nursery.start(boiler.run)
        await boiler.look.command(
            HeatMode(zone="dining", mode="manual", celsius=27.0), HERE, lifetime_s=30, against=0
        )
        version = boiler.primary.settings.version
        assert not boiler.primary.tells, "there is nobody"
        (boiler.config.state_dir / KEY_FILE).touch()  # as enroll does, while it runs
        for look in boiler.watchman.looks:
            await look()
        assert boiler.primary.tells
        (boiler.config.state_dir / KEY_FILE).unlink()
        nursery.cancel_scope.cancel()
    async with open_boiler(here.config()) as boiler, trio.open_nursery() as nursery:
        await nursery.start(boiler.run)
        settings = boiler.look.settings()
        assert settings is not None
        assert settings.version == version
        assert settings.of("dining").manual is not None
        assert boiler.primary.memory is not None
        nursery.cancel_scope.cancel()
    assert not any((await trio.to_thread.run_sync(here.relays)).values())


def written(here: Ground, folder: Path) -> Path:
    path = folder / "boiler.toml"
    path.write_text(
        f'site = "home"\nhouse_file = "{here.house_file}"\nstate_dir = "{folder / "state"}"\n'
        'listen = "127.0.0.1:0"\nclock_is_set = true\ncontrol_s = 1\n',
        "utf-8",
    )
    return path


@contextlib.contextmanager
def process(config: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Run `pitlink boiler` until the block ends; give it and its port."""
    command = [sys.executable, "-m", "daemons.cli", "boiler", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        try:
            assert one.stdout is not None
            assert one.stderr is not None
            lines = [b""]
            while b"daemon.ready" not in lines[-1]:
                lines.append(one.stderr.readline())
                assert lines[-1], b"".join(lines)
            yield one, json.loads(lines[-1])["ports"][0]
        finally:
            one.kill()


def test_a_process_ends_with_everything_off_and_quickly(before_a_house: Ground, tmp_path: Path) -> None:
    here = before_a_house
    with process(written(here, tmp_path)) as (one, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=20) as answer:
            assert json.load(answer)["status"] == "ok"
        began = time.monotonic()
        one.send_signal(signal.SIGINT)
        assert one.wait(20) == 0
        assert time.monotonic() - began < 10
    assert not any(here.relays().values())
    note = json.loads((tmp_path / "state" / "relays.json").read_text())
    assert len(note["lines"]) == 17


async def test_what_stands_in_the_way_is_said_in_words(before_a_house: Ground, tmp_path: Path) -> None:
    config = before_a_house.config(state_dir=tmp_path / "state")
    with pytest.raises(ConfigError, match="pitlink heat house > house"):
        async with open_boiler(evolve(config, house_file=tmp_path / "none.toml")):
            pass
    with pytest.raises(RefusedToStart, match="the house cannot be controlled"):
        async with open_boiler(evolve(config, gpio=f"latch:{tmp_path}/none.sock")):
            pass


async def test_a_port_that_another_program_has_costs_the_pages_and_not_the_heat(
    before_a_house: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemons.boiler.PAGES_AGAIN_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = Address("127.0.0.1", other.getsockname()[1])
        config = before_a_house.config(state_dir=tmp_path / "state", listen=listen)
        async with open_boiler(config) as boiler, trio.open_nursery() as nursery:
            await nursery.start(boiler.run)
            assert next(one.words for one in boiler.health.warnings if one.name == "pages").startswith(
                "no pages"
            )
            rounds = boiler.loop.rounds
            await until(lambda: boiler.loop.rounds > rounds)
            other.close()
            await until(lambda: boiler.front is not None)
            assert "pages" not in {one.name for one in boiler.health.warnings}
            await boiler.stop()
            nursery.cancel_scope.cancel()
