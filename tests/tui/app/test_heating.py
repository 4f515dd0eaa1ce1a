"""A house on its page is set by keys: targets with an end, modes, presets, the summer, lock-outs; and taken back."""

from typing import Any

import pytest

from tests.tui.app.test_limits import action
from tests.tui.app.world import HUB, UTC, Face, in_textual, shown

COMMANDS = ("override", "resume", "mode", "use_preset", "switch", "unlock")
ZONES: list[dict[str, Any]] = [
    {
        "id": "living", "name": "Living room", "celsius": 19.4, "setpoint": 20.0, "calling": True, "mode": "auto",
        "cause": "0.3 below 20.0", "age_s": 5.0,
    },
    {
        "id": "study", "name": "Study", "celsius": 20.4, "setpoint": 21.5, "mode": "manual", "age_s": 5.0,
        "override": {"setpoint": 21.5, "by": "user ann", "ends": UTC + 3600, "on": None},
    },
    {
        "id": "water", "name": "Hot water", "wants_on": True, "mode": "auto",
        "override": {"setpoint": None, "by": "user bo", "ends": None, "on": True},
    },
]  # fmt: skip


def tell(face: Face, **other: Any) -> None:
    """Tell of a house at a nas as its status does."""
    face.world.model.offered(HUB, [action(f"heat.{name}") for name in COMMANDS])
    house = {"house": "Farm", "site": "farm", "now": UTC, "age_s": 4.0, "zones": ZONES, **other}
    face.world.tell(daemon="nas", heating=[house])


def flowing(face: Face) -> str:
    """Return the screen's text without its frames and lines."""
    return " ".join(face.text.replace("│", " ").split())


async def press(face: Face, *keys: str) -> None:
    await face.press("4", *keys)


@in_textual
async def test_a_zone_is_set_until_a_time_and_put_back() -> None:
    async with shown() as face:
        tell(face)
        await press(face)
        assert "Living room" in face.text and "20.0°C" in face.text
        await face.press("s")
        assert "Set Living room of Farm" in face.text
        await face.press(*["backspace"] * 4, *"21.5 until 22:00", "enter")
        for words in ("until 22:00", "It is 19.4 °C now", "zone=living"):
            assert words in flowing(face)
        await face.press("tab", "enter")
        told = {"site": "farm", "zone": "living", "celsius": 21.5, "end": "until", "until": "22:00"}
        assert face.world.asked == [(HUB, "heat.override", told)]
        await face.press("z", "tab", "enter")
        assert face.world.asked[1:] == [(HUB, "heat.resume", {"site": "farm", "zone": "living"})]


@in_textual
async def test_an_override_is_taken_back_and_made_again() -> None:
    async with shown() as face:
        tell(face)
        await press(face, "b")
        assert "no zone here has an override" in face.status
        face.table.point_at(("study",))
        await face.press("b", "tab", "enter")
        await face.press("z", "tab", "enter")  # what was done is known by then
        again = {"site": "farm", "zone": "study", "celsius": 21.5, "end": "until", "until": UTC + 3600}
        assert face.world.asked == [
            (HUB, "heat.resume", {"site": "farm", "zone": "study"}),
            (HUB, "heat.override", again),
        ]


@in_textual
async def test_two_tagged_zones_are_asked_about_together() -> None:
    async with shown() as face:
        tell(face)
        await press(face)
        for zone in ("study", "water"):
            face.table.point_at((zone,))
            await face.press("space")
        await face.press("b")
        text = flowing(face)
        assert "Study of Farm" in text and "Hot water of Farm" in text
        await face.press("tab", "enter")
        assert [params["zone"] for _, _, params in face.world.asked] == ["study", "water"]


@pytest.mark.parametrize(
    ("keys", "typed", "asked"),
    [
        ("m", "manual 20.5", ("heat.mode", {"zone": "living", "mode": "manual", "celsius": 20.5})),
        ("m", "thermostat", ("heat.mode", {"zone": "living", "mode": "thermostat"})),
        ("H", "preset away for 3d", ("heat.use_preset", {"name": "away", "until": "3d"})),
        ("H", "preset none", ("heat.use_preset", {"name": ""})),
        ("H", "off", ("heat.switch", {"is_on": False})),
        ("H", "unlock boiler", ("heat.unlock", {"what": "boiler"})),
    ],
)
def test_what_else_is_done(keys: str, typed: str, asked: tuple[str, dict[str, Any]]) -> None:
    @in_textual
    async def body() -> None:
        async with shown() as face:
            tell(face)
            await press(face, keys, *typed, "enter")
            await face.press("tab", "enter")
            assert face.world.asked == [(HUB, asked[0], {"site": "farm", **asked[1]})]

    body()


@in_textual
async def test_what_makes_no_sense_is_said_and_not_done() -> None:
    async with shown() as face:
        tell(face)
        for key, typed, words in (
            ("s", " warm", "is no target"),
            ("m", "manual", "manual takes what it is to be"),
            ("m", "warm", "is none of auto"),
            ("H", "explode", "write preset NAME"),
            ("H", "preset away soon", "until 2027-01-06"),
        ):
            await press(face, key, *["backspace"] * 4, *typed, "enter")
            assert words in face.text
            await face.press("escape")
        assert face.world.asked == []


@in_textual
async def test_who_may_only_look_is_told_so() -> None:
    async with shown() as face:
        tell(face)
        face.world.model.offered(HUB, [])
        await press(face, "s")
        assert "lets you look" in face.status


@in_textual
async def test_a_house_that_is_offline_or_alarmed_says_so_before_all_else() -> None:
    async with shown() as face:
        alarms = [{"words": "the burner fires though nobody asked it to"}, {"words": "study: sensor lost"}]
        tell(face, offline=True, age_s=3700.0, alarms=alarms, on=False, preset="away")
        await press(face)
        house = next(line for line in face.lines if "OFFLINE" in line)
        assert "62 min" in house and "the burner fires" in house and "and 1 more" in house
        tell(face, alarms=[], on=False, preset="away")
        await face.settle()
        house = next(line for line in face.lines if "summer" in line)
        assert "OFFLINE" not in house and "preset away" in house


@in_textual
async def test_a_house_of_which_nothing_was_ever_heard_is_no_house_that_is_well() -> None:
    async with shown() as face:
        face.world.tell(
            daemon="nas", heating={"house": "Farm", "site": "farm", "age_s": None, "offline": True}
        )
        await press(face)
        assert "nothing was ever heard of it" in face.text


@in_textual
async def test_a_zones_week_is_told_with_all_else_of_it() -> None:
    async with shown() as face:
        tell(face, version=7)
        assert face.world.model.services.unread_weeks(HUB) == ["farm"]
        week = [
            {"day": day, "minute": minute, "celsius": to}
            for day in range(7)
            for minute, to in ((360, 20.5), (1320, 17))
        ]
        week.append({"day": 6, "minute": 1380, "is_on": False})
        settings = {"version": 7, "zones": {"living": {"week": week}}, "presets": {"away": {}}}
        face.world.model.weeks_told(HUB, "farm", settings)
        assert face.world.model.services.unread_weeks(HUB) == []
        await press(face, "enter")
        text = flowing(face)
        assert "Week Mon-Sat 06:00 20.5°C, 22:00 17.0°C" in text
        assert "Sun 06:00 20.5°C, 22:00 17.0°C, 23:00 off" in text
