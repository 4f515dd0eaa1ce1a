"""What is typed of a house on the command line, and what is said of one."""

from typing import Any

import pytest

from daemons.commands.heatwords import house_lines, read_entries, read_target, read_until, read_zone
from daemons.ops.errors import BadArguments


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("21.5", {"celsius": 21.5}),
        ("21C", {"celsius": 21.0}),
        ("21.5°C", {"celsius": 21.5}),
        ("70F", {"celsius": 21.11}),
        ("70°f", {"celsius": 21.11}),
        ("on", {"is_on": True}),
        ("OFF", {"is_on": False}),
    ],
)
def test_a_target(typed: str, said: dict[str, Any]) -> None:
    assert read_target(typed) == said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ([], {}),
        (["until", "22:00"], {"end": "until", "until": "22:00"}),
        (["until", "2026-12-24", "18:00"], {"end": "until", "until": "2026-12-24 18:00"}),
        (["for", "3h"], {"end": "until", "until": "3h"}),
        (["for", "good"], {"end": "permanent"}),
        (["until", "change"], {"end": "boundary"}),
    ],
)
def test_an_end(typed: list[str], said: dict[str, Any]) -> None:
    assert read_until(typed) == said


def test_a_week_is_written_in_spans_of_days() -> None:
    entries = list(read_entries(["fri-mon 6:30 20.5", "daily 22:00 17", "wed 12:00 on"]))
    assert [(one["day"], one["minute"]) for one in entries[:4]] == [(4, 390), (5, 390), (6, 390), (0, 390)]
    assert [one["day"] for one in entries[4:11]] == list(range(7))
    assert entries[-1] == {"day": 2, "minute": 720, "is_on": True}


@pytest.mark.parametrize("typed", ["warm", "", "21.5X", "20,5"])
def test_what_is_no_target(typed: str) -> None:
    with pytest.raises(BadArguments, match=r"21\.5, 70F"):
        read_target(typed)


@pytest.mark.parametrize("typed", [["until"], ["22:00"], ["for"]])
def test_what_is_no_end(typed: list[str]) -> None:
    with pytest.raises(BadArguments, match="is no end"):
        read_until(typed)


@pytest.mark.parametrize("typed", ["mon 06:00", "mon-xyz 06:00 20", "mon 25:00 20", "mon 06:00 20 more"])
def test_what_is_no_entry(typed: str) -> None:
    with pytest.raises(BadArguments, match="is no entry"):
        list(read_entries([typed]))


def test_all_rooms_and_one() -> None:
    assert [read_zone("all"), read_zone("living")] == ["*", "living"]


def test_what_is_not_known_is_never_a_number() -> None:
    zones = [{"id": "living", "calling": False, "mode": "auto", "cause": "sensor lost"}]
    lines = list(house_lines({"house": "Farm", "age_s": None, "offline": True, "zones": zones}))
    assert lines[0] == "Farm: OFFLINE, nothing was ever heard of it"
    assert lines[1].split() == ["living", "?", "of", "?", "-", "auto", "sensor", "lost"]
