"""The file of a house: a whole one is read, whatever is wrong is said at once with its place."""

from pathlib import Path

import pytest

from daemons.heating.housefile import SAMPLE_COMMAND, read_house, sample_house
from daemons.heating.plant import OnLoss, ZoneKind
from daemons.ops.errors import ConfigError

LEAST = """
house = "Cabin"
time_zone = "Europe/Oslo"
[[zones]]
id = "hall"
title = "Hall"
output = "hall"
room = "hall"
[wiring.relays]
hall = { pin = 5 }
[wiring.ds18b20]
hall = "28-0000000000aa"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "house.toml"
    path.write_text(text, "utf-8")
    return path


def problems_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_house(written(folder, text))
    return [str(problem).removeprefix(f"{folder / 'house.toml'}: ") for problem in caught.value.problems]


def test_the_sample_is_a_house_of_fourteen_zones(tmp_path: Path) -> None:
    plant, wiring = read_house(written(tmp_path, sample_house()))
    assert len(plant.zones) == 14
    assert plant.zone("water").kind is ZoneKind.DHW
    assert {zone.on_loss.kind for zone in plant.zones} == set(OnLoss)
    assert plant.sensor("outdoor").lowest == -45.0
    assert plant.sensor("kitchen").highest == 110.0
    assert all(relay.active_low for relay in wiring.relays.values())
    assert wiring.ntc["flow"].channel == 0


def test_what_the_sample_says_of_the_rest_is_what_holds(tmp_path: Path) -> None:
    plain = read_house(written(tmp_path, sample_house()))
    lines = []
    for line in sample_house().splitlines():
        is_default = line.startswith("# ") and " = " in line and not line.startswith("# steinhart")
        lines.append(line.removeprefix("# ") if is_default else line)
    assert read_house(written(tmp_path, "\n".join(lines))) == plain


def test_the_least_house(tmp_path: Path) -> None:
    plant, wiring = read_house(written(tmp_path, LEAST))
    assert plant.burner.output is None
    assert wiring.gpio == "pi"


def test_without_a_file_it_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_house(tmp_path / "none.toml")
    assert SAMPLE_COMMAND in str(caught.value)


def test_every_error_is_said_at_once(tmp_path: Path) -> None:
    text = (
        LEAST.replace("Europe/Oslo", "Oslo")
        .replace('title = "Hall"', "titel = 3")
        .replace("pin = 5", 'pin = "5"')
    )
    assert problems_of(tmp_path, text) == [
        "zones[1] (hall).titel: is nothing that is known here (did you mean title?)",
        "zones[1] (hall).title: is not set",
        "wiring.relays.hall.pin: expected a whole number, got '5'",
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"Europe/Oslo"', '"Oslo"', "time_zone: 'Oslo' is none"),
        ("[[zones]]", "[zones]", "zones: expected a list"),
        ("[wiring.relays]", "[wiring]\nrelays = 3\n[wiring.x]", "wiring.relays: expected a table"),
        ('room = "hall"', "", "zones (hall): nothing says when to heat it"),
        ('room = "hall"', 'room = "hal"', "wiring.ds18b20 and wiring.ntc: the sensor 'hal' of the house is wired to nothing"),
        ("hall = { pin = 5 }", "", "wiring.relays: the output 'hall' of the house is wired to nothing"),
        ("hall = { pin = 5 }", "hall = { pin = 5 }\nhal = { pin = 6 }", "wiring.relays.hal: no output of the house is called so"),
        ("pin = 5", "pin = 99", "GPIO 99 is not on the header"),
        ('title = "Hall"', 'title = "Hall"\nlowest = 30', "lowest (30) is not below highest (28)"),
        ('title = "Hall"', 'title = "Hall"\nmin_on_s = -5', "min_on_s: is -5: no duration"),
        ('title = "Hall"', 'title = "Hall"\nbelow = nan', "below: is nan, which cannot be"),
        ('title = "Hall"', 'title = "Hall"\nmax_run_s = 60', "max_run_s: is no longer than min_on_s"),
        ('title = "Hall"', 'title = "Hall"\nkind = "pool"', "kind: expected one of room, dhw, got 'pool'"),
        ('title = "Hall"', 'title = "Hall"\non_loss = { kind = "hold", share = 3 }', "on_loss.share: is 3"),
        ('title = "Hall"', 'title = "Hall"\nkind = "dhw"', "hot water has no room"),
        ('id = "hall"', 'id = "*"', "'*' is no name"),
        ('house = "Cabin"', "", "house: is not set"),
        ('house = "Cabin"', 'house = "Cabin"\noutdoor = "out"', "the sensor 'out' of the house is wired to nothing"),
        ("[wiring.relays]", "[sensors.attic]\n[wiring.relays]", "sensors.attic: nothing in this house is measured by it"),
        ("[wiring.relays]", "[burner]\noverheat = 60\n[wiring.relays]", "burner.overheat: 60 °C is not above"),
        ("[wiring.relays]", "[burner]\nmin_open = 3\n[wiring.relays]", "burner.min_open: 3, and there are 1 zones"),
        ("[wiring.relays]", '[burner]\npump = "hall"\n[wiring.relays]', "output 'hall' stands there 2 times"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_with_its_place(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in LEAST
    assert any(words in problem for problem in problems_of(tmp_path, LEAST.replace(old, new, 1)))


@pytest.mark.parametrize("content", [b"house = ", b"\xff\xfe", b"zones = 3"])
def test_what_is_no_such_file_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "house.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"house\.toml"):
        read_house(path)
