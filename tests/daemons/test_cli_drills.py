"""`pitlink chaos drills`: what comes along, said so that somebody can choose."""

import json
import tomllib
from pathlib import Path

import pytest

from chaos.drills.drill import read_drill
from chaos.drills.library import SHIPPED, shipped_text
from chaos.drills.record import Verdict
from chaos.drills.report import write_reports
from daemons.commands.chaos_drills import drills
from daemons.ops.drillfolder import RECORDS
from tests.chaos.drills.records import record


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


def test_a_folders_own_drills_and_records_are_listed_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.toml").write_text(
        shipped_text("cable-pull").replace('name = "cable-pull"', 'name = "mine"')
    )
    (tmp_path / "odd.toml").write_text('[[step]]\nat = "soon"\n')
    (tmp_path / "club.toml").write_text('site = "north"\n')
    write_reports(record(), tmp_path)
    write_reports(record(Verdict.PASS, why="", started_utc="2026-11-22T10:00:00Z"), tmp_path / RECORDS)
    (tmp_path / "no-record.json").write_text("{}")
    assert drills(folder=tmp_path, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    own = {one["drill"]: one for one in told["drills"] if one["which"].startswith(str(tmp_path))}
    assert set(own) == {"mine", "odd"} and own["mine"]["steps"] == 3 and "steady" in own["odd"]["problem"]
    assert [one["verdict"] for one in told["records"]] == ["PASS", "FAIL"]
    assert Path(told["records"][0]["file"]).parent == tmp_path / RECORDS
    assert drills(folder=tmp_path) == 0
    said = capsys.readouterr().out
    assert "cannot be played" in said and "FAIL: reboot: fresh took 9.5 s" in said and "\x00" not in said
