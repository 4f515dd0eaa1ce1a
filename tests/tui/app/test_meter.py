"""Bytes a second to this terminal: said in steps, seldom, and such that saying it does not keep it going."""

import itertools

from tui.app.line import Line
from tui.app.meter import SAY_S, STEPS, Meter


def told(meter: Meter, rate: float, seconds: int, *, since: float = 0.0, before: int = 0) -> list[str]:
    """Tell it of a steady rate four times a second; return what it says, as often as it changes."""
    said: list[str] = []
    for step in range(seconds * 4 + 1):
        meter.told(before + int(rate * step / 4), since + step / 4)
        if not said or said[-1] != meter.words:
            said.append(meter.words)
    return said


def test_a_steady_rate_is_said_once() -> None:
    assert told(Meter(), 0, 60) == ["0 B/s"]
    assert told(Meter(), 470, 60) == ["0 B/s", "200 B/s"]
    assert told(Meter(), 9033, 60) == ["0 B/s", "5 kB/s"]
    assert Meter().words == "", "nothing is known yet"


def test_a_rate_that_wavers_around_a_step_changes_nothing() -> None:
    meter, total, said = Meter(), 0, []
    for step in range(400):
        total += (400, 600)[step % 2] // 4 + (20 if step % 80 < 40 else -20)
        meter.told(total, step / 4)
        said.append((step / 4, meter.words))
    changes = [at for (at, words), (_, before) in zip(said[1:], said, strict=False) if words != before]
    assert len(changes) <= 3, changes
    assert all(later - earlier >= SAY_S for earlier, later in itertools.pairwise(changes))


def test_it_comes_to_nothing_when_nothing_but_itself_is_written() -> None:
    """Each change of its words costs some twenty bytes: they must not keep it from saying 0."""
    meter = Meter()
    told(meter, 900, 10)
    total, version, quiet_at = 9000, meter.version, 0.0
    for step in range(1, 200):
        if meter.version != version:
            version, total, quiet_at = meter.version, total + 25, step / 4
        meter.told(total, 10 + step / 4)
    assert meter.words == "0 B/s"
    assert quiet_at < 20, "and it has said that soon, and nothing since"


def test_the_rate_of_painting_has_ends() -> None:
    line = Line()
    line.meter.told(0, 0.0)
    assert line.words == "0 B/s", "the usual rate is not worth words"
    for by, hz in ((1, 10), (1, 10), (-1, 4), (-1, 2), (-1, 1), (-1, 1), (1, 2)):
        line.turn(by)
        assert line.hz == hz
    assert line.words == "2 Hz 0 B/s"
    assert tuple(sorted(STEPS)) == STEPS
