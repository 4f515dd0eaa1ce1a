"""Telemetry, heating and team out of a recording: any moment of it as it was, and on a real terminal, in ASCII too."""

import sys
from pathlib import Path

import pytest

from tests.tui.app.terminal import Terminal
from tests.tui.recorded.made import BEGAN, HUB, HZ, made, services
from tui.model import Model
from tui.model.telemetry import CHANNELS, TelemetryView
from tui.record import Recording, Reel

SECONDS = 30.0


def told_until(seconds: float) -> Model:
    """Return a model that was told so much and no more."""
    model = Model()
    services(seconds, lambda now: None, model)
    return model


def driven(model: Model) -> tuple[TelemetryView, list[str]]:
    """Return what is known of the driver: all that is compared, and the samples."""
    (view,) = model.services.telemetry.values()
    samples = view.samples
    known = [
        samples.begin,
        samples.end,
        samples.missed,
        *(samples.of(name, 0, samples.end) for name in CHANNELS),
    ]
    return view, [str(one) for one in known]


@pytest.mark.parametrize("keyframe_bytes", [20_000, None])
def test_every_moment_is_as_it_was(tmp_path: Path, keyframe_bytes: int | None) -> None:
    path = tmp_path / "race"
    last = made(path, SECONDS, keyframe_bytes=keyframe_bytes)
    with Recording.open(path) as recording:
        assert recording.words == "" and recording.began == BEGAN
        assert path.stat().st_size < 300_000
        reel = Reel(recording)
        for at in (SECONDS, 3.0, 17.2, 3.1, 24.9, SECONDS):
            reel.turn_to(at)
            assert reel.play(at)
            wanted = last if at == SECONDS else told_until(at + 1.5 / HZ)
            assert reel.model.services.heating == wanted.services.heating
            assert reel.model.services.team == wanted.services.team
            assert driven(reel.model) == driven(wanted)
        assert (HUB, "Farm") in reel.model.services.heating and not reel.left_out


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="needs a pty")
def test_a_recorded_race_on_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "race"
    made(path, 20.0)
    replay = (sys.executable, "-m", "daemons.cli", "tui", "--replay", str(path))
    with Terminal(*replay) as terminal:
        terminal.see("Overview", within_s=30)
        terminal.press("3")
        terminal.see("Telemetry", "Nowhere Ring 3", "km/h", "throttle", "leader", within_s=20)
        assert any("\u2800" < char <= "\u28ff" for char in terminal.text)
        terminal.press("4")
        terminal.see("Heating Farm", "Living room", within_s=20)
        terminal.press("6")
        terminal.see("Team Red", "Driver", "█", within_s=20)
        terminal.press("q")
        assert terminal.end(20) == 0 and terminal.is_restored


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="needs a pty")
@pytest.mark.parametrize("way", ["locale", "option"])
def test_a_terminal_without_utf_8_gets_ascii_alone(tmp_path: Path, way: str) -> None:
    path = tmp_path / "race"
    made(path, 20.0)
    replay = [sys.executable, "-m", "daemons.cli", "tui", "--replay", str(path)]
    env = {"LC_ALL": "C"} if way == "locale" else {}
    with Terminal(*replay, *(["--markers", "ascii"] if way == "option" else []), env=env) as terminal:
        terminal.see("Overview", within_s=30)
        terminal.press("3")
        terminal.see("Nowhere Ring 3", "km/h", "leader", within_s=20)
        terminal.read(lambda: {"'", "."} <= set("".join(line[10:49] for line in terminal.lines[1:13])), 20)
        terminal.press("46?")
        terminal.see("Keys here", within_s=20)
        terminal.press("\x1b")
        terminal.read(lambda: "Keys here" not in terminal.text, 20)
        terminal.press("q")
        assert terminal.end(20) == 0
        assert terminal.raw.isascii(), set(terminal.raw.decode(errors="replace")) - set(map(chr, range(128)))
