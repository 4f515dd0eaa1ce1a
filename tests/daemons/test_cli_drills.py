"""`pitlink chaos drills`: what comes along, said so that somebody can choose."""

import tomllib

import pytest

from chaos.drills.drill import read_drill
from chaos.drills.library import SHIPPED
from daemons.commands.chaos_drills import drills


def test_all_are_listed_with_what_they_prove(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert drills() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(SHIPPED)
    assert "race-day  600 s" in lines
    assert max(map(len, lines)) <= 60


def test_one_is_printed_to_make_another_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert drills("cable-pull") == 0
    assert read_drill(tomllib.loads(capsys.readouterr().out)).name == "cable-pull"
    assert drills("../drill") == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "only cable-pull" in told.err
