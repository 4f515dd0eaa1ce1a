"""However boiler ends, its relays are off, and when: the daemon itself, real processes and signals, the latch apart.

The supervisor stands for systemd, the latch for the pins and the kernel of a Pi; `docs/heating-hardware.md` has the table.
"""

import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import frozen

from chaos.doubles.house.w1 import W1Folder
from tests.daemons.heating.hardware.latch import Latch, run_latch
from tests.whole.heldboiler import ALIVE, CONTACT, RELAYS, ROMS
from tests.whole.supervisor import Supervisor

pytestmark = pytest.mark.process

WATCHDOG_S = 2.0
COLD = 3.0
PINS = [relay.pin for relay in RELAYS.values()]


@frozen
class Stage:
    """A daemon that holds both relays on, the latch that has them, its supervisor, its sensor."""

    latch: Latch
    unit: Supervisor
    house: W1Folder

    def off_at(self) -> list[float]:
        """Return when each relay went off; inf: it has not."""
        told = [self.latch.relay(pin)["off_at"] for pin in PINS]
        return [math.inf if at is None else at for at in told]

    def close_contact(self) -> float:
        """Close the contact at which the daemon ends; return when that was."""
        began = time.monotonic()
        self.latch.ask("outside", pin=CONTACT, level=0)
        return began

    def over(self) -> None:
        """Wait for its end, and for what comes after that."""
        assert self.unit.over.wait(60), self.unit.log()


@pytest.fixture(scope="module")
def latch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Latch]:
    with run_latch(tmp_path_factory.mktemp("latch")) as latch:
        for relay in RELAYS.values():
            latch.ask("relay", pin=relay.pin, active_low=relay.active_low)
        yield latch


@contextmanager
def staged(latch: Latch, folder: Path, way: str, *, helper: bool = True) -> Iterator[Stage]:
    """Start the daemon, and have it hold both relays on."""
    w1 = folder / "w1"
    house = W1Folder(w1, ROMS)
    house.show(dict.fromkeys(ROMS, COLD))
    post = [
        sys.executable,
        "-m",
        "daemons.heating.hardware.relays_off",
        "--wiring",
        str(folder / "state" / "relays.json"),
    ]
    command = [sys.executable, "-m", "tests.whole.heldboiler", str(latch.path), str(folder), way]
    latch.ask("outside", pin=CONTACT, level=None)
    before = [latch.relay(pin)["times"] for pin in PINS]
    unit = Supervisor(command, folder, WATCHDOG_S, post if helper else ())
    unit.start()
    try:
        assert unit.ready.wait(60), unit.log()
        latch.until(lambda: all(latch.relay(pin)["energised"] for pin in PINS))
        # Once: by being driven on, not by starting or by being claimed.
        assert [latch.relay(pin)["times"] for pin in PINS] == [times + 1 for times in before]
        yield Stage(latch, unit, house)
    finally:
        house.show(dict.fromkeys(ROMS, COLD))  # lets go who hangs in it
        if unit.process.poll() is None:
            unit.process.kill()
        unit.over.wait(60)


LAYERS = {"write": "the program", "gone": "the kernel", "claim_output": "the relays-off helper"}


def told(way: str, began: float, stage: Stage) -> float:
    """Print what a row of the table in the docs says; return after how long the later relay was off."""
    off = stage.off_at()
    by = {
        LAYERS[call[2]]
        for pin, at in zip(PINS, off, strict=True)
        for call in stage.latch.calls(pin)
        if call[0] == at
    }
    print(f"{way}: off after {(max(off) - began) * 1000:.0f} ms, by {', '.join(by)}")
    return max(off) - began


@pytest.mark.parametrize(
    ("way", "number", "code"),
    [("SIGTERM", signal.SIGTERM, 0), ("SIGINT", signal.SIGINT, 0)],
)
def test_asked_to_end_it_drives_off_itself(
    latch: Latch, tmp_path: Path, way: str, number: signal.Signals, code: int
) -> None:
    with staged(latch, tmp_path, "hold", helper=False) as stage:
        began = stage.unit.signal(number)
        stage.over()
        assert told(way, began, stage) < 1.0  # 0.1 s, on a machine ten times slower
        assert max(stage.off_at()) < stage.unit.ended_at
        assert stage.unit.process.returncode == code
        assert stage.latch.ask("levels")["levels"][str(ALIVE)] == 0


@pytest.mark.parametrize(("way", "code"), [("normal", 0), ("exception", 1)])
def test_ending_by_itself_it_drives_off_itself(latch: Latch, tmp_path: Path, way: str, code: int) -> None:
    with staged(latch, tmp_path, way, helper=False) as stage:
        began = stage.close_contact()
        stage.over()
        assert told(way, began, stage) < 1.0
        assert max(stage.off_at()) < stage.unit.ended_at
        assert stage.unit.process.returncode == code


@pytest.mark.parametrize(("way", "number"), [("SIGKILL", signal.SIGKILL), ("abort", signal.SIGABRT)])
def test_killed_it_leaves_them_on_and_the_helper_drives_them_off(
    latch: Latch, tmp_path: Path, way: str, number: signal.Signals
) -> None:
    with staged(latch, tmp_path, "abort") as stage:
        began = stage.unit.signal(number) if way == "SIGKILL" else stage.close_contact()
        stage.over()
        assert told(way, began, stage) < 5.0
        off = stage.off_at()
        assert min(off) > stage.unit.ended_at  # the kernel left them on
        assert max(off) < stage.unit.post_at
        assert stage.unit.process.returncode == -number
        assert stage.unit.post is not None
        assert stage.unit.post.returncode == 0, stage.unit.post.stderr


def test_killed_before_a_strict_kernel_they_are_off_at_once(tmp_path: Path) -> None:
    with run_latch(tmp_path, "--strict") as latch:
        for relay in RELAYS.values():
            latch.ask("relay", pin=relay.pin, active_low=relay.active_low)
        with staged(latch, tmp_path, "hold", helper=False) as stage:
            began = stage.unit.signal(signal.SIGKILL)
            stage.over()
            latch.until(lambda: max(stage.off_at()) < math.inf)
            assert told("SIGKILL, strict_gpiod", began, stage) < 1.0
            assert latch.calls(PINS[0])[-1][2] == "gone"


def test_a_loop_that_hangs_is_ended_by_the_watchdog(latch: Latch, tmp_path: Path) -> None:
    with staged(latch, tmp_path, "hang") as stage:
        began = stage.close_contact()
        edges = stage.latch.edges(ALIVE)
        stage.over()
        assert WATCHDOG_S * 0.5 < told("hang of the loop", began, stage) < WATCHDOG_S + 6.0
        assert stage.latch.edges(ALIVE) <= edges + 1  # the alive output stood still at once (and was let go)
        assert stage.unit.bitten_at is not None
        assert stage.unit.process.returncode == -signal.SIGABRT
        assert min(stage.off_at()) > stage.unit.ended_at


def test_a_sensor_that_hangs_ends_nothing_and_is_lost(latch: Latch, tmp_path: Path) -> None:
    with staged(latch, tmp_path, "hold") as stage:
        began = time.monotonic()
        stage.house.show(dict.fromkeys(ROMS, "hangs"))
        stage.latch.until(lambda: max(stage.off_at()) < math.inf)
        assert (
            told("hang of a sensor's thread", began, stage) < 20.0
        )  # read_s, deadline_s, a minute (3 s here), a round
        edges = stage.latch.edges(ALIVE)
        stage.latch.until(lambda: stage.latch.edges(ALIVE) > edges + 4)  # control goes on
        assert stage.unit.bitten_at is None
        assert stage.unit.process.poll() is None
        stage.unit.stop()
        stage.over()
        assert stage.unit.process.returncode == 0  # nor does the thread hold up the end
