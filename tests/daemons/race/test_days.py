"""Whole race days with every quirk on, and the recorded event: the model says what a second computation says.

More of them: `python -m tests.daemons.race.days --seeds 1-50`.
"""

import random
from pathlib import Path

import pytest

from chaos.doubles.fpvtrackside import Edit, Incident

from .days import Pair, play


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_model_says_what_is_computed_again(seed: int) -> None:
    played = play(seed)
    assert played.pair.steps > 200
    assert played.pair.bad > 100
    assert {incident for _, incident in played.day.incidents} == set(Incident)
    assert {edit for _, edit in played.day.edits} == set(Edit)


def test_the_model_says_what_is_computed_again_on_a_fresh_day() -> None:
    seed = random.SystemRandom().getrandbits(32)
    print(f"python -m tests.daemons.race.days --seeds {seed}")
    play(seed)


def test_the_recorded_event_is_computed_again_file_by_file(samples: Path) -> None:
    folder = samples / "fpv" / "tree-test-1"
    (event,) = (folder / "events").iterdir()
    pair = Pair()
    pair.read("/", f'new EventManager("events/{event.name}", 1)'.encode())
    files = [folder / "httpfiles" / "Channels.json", *sorted(event.rglob("*.json"))]
    for file in files:
        pair.read("/" + file.relative_to(folder).as_posix(), file.read_bytes())
        pair.compare()
    assert pair.bad == 0
    assert len(pair.second.races()) == 14
    assert pair.files.field_news == ()
