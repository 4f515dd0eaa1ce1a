"""Telemetry, heating and team on their pages, from recorded races, houses and crews."""

from collections.abc import Callable

import pytest
import trio

from tests.tui.app.world import HUB, Face, in_textual, shown
from tests.tui.recorded import UTC
from tests.tui.recorded.crew import Crew
from tests.tui.recorded.house import House
from tests.tui.recorded.race import Race
from tui.app.linewidget import LineWidget
from tui.app.markers import Markers
from tui.app.traces import Traces
from tui.app.trackmap import TrackMap
from tui.model.words import UNKNOWN

LAPS_S = 215
AHEAD_S = 60.0


def drive(face: Face, seconds: float = LAPS_S, *, ago: float = -AHEAD_S, **race: object) -> Race:
    """Have a race of so long told, that ended so long ago; else it is new however long the test takes."""
    made, now = Race(seed=3, **race), trio.current_time() - ago  # type: ignore[arg-type]
    for at, told in made.batches(seconds, 1.0):
        face.world.model.measured(HUB, "telemetry", told, now - seconds + at)
    return made


@pytest.mark.parametrize("page", [("3", "telemetry"), ("4", "heating"), ("6", "team")])
def test_what_no_daemon_has_is_said(page: tuple[str, str]) -> None:
    @in_textual
    async def body() -> None:
        async with shown() as face:
            await face.press(page[0])
            assert f"no daemon here has {page[1]}" in face.text
            await face.press("e", "tab", "n")
            assert f"no daemon here has {page[1]}" in face.text

    body()


@in_textual
async def test_a_race_in_80_by_24() -> None:
    async with shown() as face:
        await face.press("3")
        race = drive(face)
        await face.settle()
        lines = face.lines
        assert "pitlink Telemetry Ann" in face.title
        assert [line.split()[0] for line in lines[1:13:3]] == ["speed", "throttle", "brake", "steering"]
        for at in range(1, 13, 3):
            assert set("".join(line[10:49] for line in lines[at : at + 3])) - {" "}, "each has its curve"
        assert "km/h" in lines[2] and "%" in lines[5] and "Nowhere Ring 3" in lines[1]
        assert lines[13].split() == ["20", "s", "ago", "now"]
        ours = face.world.model.services.telemetry[HUB, "Ann"].ours
        assert ours is not None and f"Ann P{ours.position}" in lines[14] and "lap 3 of 40" in lines[14]
        assert "fuel" in lines[14] and lines[14].endswith("live")
        assert "FL 98% " in lines[15] and "nothing lost" in lines[15]
        assert lines[16].split() == [
            "P",
            "No",
            "Driver",
            "Gap",
            "Ahead",
            "Last",
            "S1",
            "S2",
            "S3",
            "Best",
            "Lap",
        ]
        leader, second = lines[17].split(), lines[18].split()
        assert leader[0] == "1" and "leader" in leader and second[0] == "2"
        sectors = [cell for cell in leader + second if "." in cell and cell[-1] in "PGY"]
        assert len(sectors) == 6 and any(cell.endswith("P") for cell in sectors)
        assert any(line.split()[2].startswith(">") for line in lines[17:23]), "our car has a sign"
        assert race.ours.name in face.text


@in_textual
async def test_sectors_have_a_colour_and_a_letter() -> None:
    async with shown(size=(200, 60)) as face:
        await face.press("3")
        drive(face)
        await face.settle()
        cells = [
            cell
            for row in face.table.rows
            for cell in row.cells
            if cell.text[-1:] in ("P", "G", "Y") and "." in cell.text
        ]
        assert {(cell.text[-1], cell.kind.value) for cell in cells} >= {
            ("P", "magenta"),
            ("G", "green"),
            ("Y", "yellow"),
        }
        assert len({(cell.text[-1], cell.kind) for cell in cells}) == 3, (
            "the letter says what the colour does"
        )


@in_textual
async def test_a_wide_screen_shows_more_of_a_race() -> None:
    async with shown(size=(200, 60)) as face:
        await face.press("3")
        drive(face)
        await face.settle()
        assert "rpm" in face.text and "gear" in face.text and "wear as of lap" in face.text
        assert "Stops" in face.text and "Tyre" in face.text and len(face.table.rows) == 12
        assert [row.cells[0].text for row in face.table.rows][-3:] == ["10", "11", "12"]
        assert all(str(place) in "".join(line[120:] for line in face.lines[1:40]) for place in (10, 11, 12))


@in_textual
async def test_old_and_lost_values_are_marked() -> None:
    async with shown() as face:
        await face.press("3")
        drive(face, ago=7200, lossy=True)
        view = face.world.model.services.telemetry[HUB, "Ann"]
        assert view.lost
        await face.settle()
        assert face.lines[14].endswith("! 2 h old") and "% lost" in face.lines[15]
        assert "! 2 h old" in face.lines[14][:60] and "! 2 h old" in face.lines[15], (
            "each has an age of its own"
        )
        face.world.model.lost(HUB, "nobody listens there", trio.current_time())
        await face.settle()
        assert face.lines[14].endswith("! 2 h old, lost")


@in_textual
async def test_what_a_car_does_not_tell_is_not_invented() -> None:
    async with shown() as face:
        await face.press("3")
        face.world.model.measured(
            HUB, "telemetry", {"driver": "Bo", "cars": [{"number": "7"}]}, trio.current_time()
        )
        await face.settle()
        assert (
            "no track is known" in face.text
            and "fuel not known" in face.text
            and "tyres not known" in face.text
        )
        assert "age not known" in face.text and "loss not known" in face.text
        assert [cell.text for cell in face.table.rows[0].cells[:2]] == [UNKNOWN, "7"]
        samples = {"first": 0, "hz": 60, "speed_kmh": [100.0], "throttle": [None]}
        face.world.model.measured(HUB, "telemetry", {"driver": "Bo", "samples": samples}, trio.current_time())
        await face.settle()
        assert "100 km/h" in face.text and "100 %" not in face.text and "0 %" not in face.text


@in_textual
async def test_a_pane_is_shown_alone_and_all_again() -> None:
    async with shown() as face:
        await face.press("3")
        drive(face)
        await face.settle()
        before = face.text
        await face.press("tab", "e")
        traces = face.app.screen.query_one(Traces)
        assert (
            traces.size == (79, 22) and traces.has_focus and "gear" in face.text and "Driver" not in face.text
        )
        await face.press("tab")
        chart = face.app.screen.query_one(TrackMap)
        assert chart.size == (80, 22) and chart.has_focus and "throttle" not in face.text
        await face.press("tab")
        assert face.table.size == (80, 22) and len(face.table.rows) == 12
        await face.press("e")
        assert face.text == before
        await face.press("question_mark")
        assert any("this pane alone" in row.text for row in face.table.rows), "they are among the keys here"


@in_textual
async def test_several_drivers_are_shown_one_after_another() -> None:
    async with shown() as face:
        await face.press("3")
        drive(face)
        drive(face, driver="Bo")
        await face.settle()
        assert "Ann (n: 1 more)" in face.title
        await face.press("n")
        assert "Bo (n: 1 more)" in face.title and "Bo P" in face.text
        await face.press("slash", *"cole", "enter")
        assert [row.cells[2].text for row in face.table.rows] == [">Cole"]


@in_textual
async def test_what_is_painted_in_parts_is_what_would_be_painted_at_once() -> None:
    for size in ((80, 24), (131, 40)):
        async with shown(size=size) as face:
            await face.press("3")
            race, start = drive(face, 20), trio.current_time()
            await face.settle()
            for step in range(1, 40):
                face.world.model.measured(HUB, "telemetry", race.advance(20 + step * 0.3), start)
                await face.settle()
                parts = face.text
                for widget in face.app.screen.query(LineWidget):
                    widget._kept.clear()
                assert face.text == parts, f"step {step}"


@in_textual
async def test_a_house_in_80_by_24() -> None:
    async with shown() as face:
        await face.press("4")
        house, now = House(2), trio.current_time() + AHEAD_S
        told = next(told for _, told in house.day() if _is_eventful(told))
        face.world.model.measured(HUB, "heating", told, now)
        await face.settle()
        lines = face.lines
        assert "pitlink Heating Farm" in face.title and "boiler" in lines[1] and lines[1].endswith("live")
        assert "override" in lines[2] and "not good" in lines[2] and "outdoors" in lines[2]
        assert lines[3].split() == ["Zone", "Is", "Wants", "Heat", "Cause", "Age", "Override"]
        zones = {row.key[0]: row for row in face.table.rows}
        assert len(zones) == 14
        for zone in told["zones"]:
            cells = [cell.text for cell in zones[zone["id"]].cells]
            is_known = zone["celsius"] is not None
            assert cells[2] == (f"{zone['celsius']:.1f}°C" if is_known else UNKNOWN)
            assert cells[4] == ("calls" if zone["calling"] else "-") and cells[5] == zone["cause"]
            assert (cells[0] in "✗?") == (zone["sensor"] != "good") and bool(cells[7]) == bool(
                zone["override"]
            )
        await face.press("enter")
        assert "Zone Living room" in face.text and "Sensor" in face.text


def _is_eventful(told: dict[str, object]) -> bool:
    zones: list[dict[str, object]] = told["zones"]  # type: ignore[assignment]
    overrides = [zone["override"] for zone in zones if zone["override"]]
    return any(zone["sensor"] == "lost" for zone in zones) and bool(overrides)


@in_textual
async def test_an_override_says_when_it_ends_and_ages_grow() -> None:
    async with shown(size=(200, 60)) as face:
        await face.press("4")
        zones = [
            {
                "id": "a",
                "celsius": 20.0,
                "age_s": 10.0,
                "override": {"setpoint": 22.0, "by": "ann", "ends": UTC + 3600},
            },
            {
                "id": "b",
                "celsius": 20.0,
                "age_s": 400.0,
                "override": {"setpoint": 22.0},
                "next_at": UTC + 86400,
            },
        ]
        boiler = {"state": "overheated", "locked_out": True}
        told = {"house": "Farm", "now": UTC, "utc_offset_s": 3600, "zones": zones, "boiler": boiler}
        face.world.model.measured(HUB, "heating", told, trio.current_time())
        await face.settle()
        first, second = ([cell.text for cell in row.cells] for row in face.table.rows)
        assert first[7] == "to 10:00" and first[6] == "10 s" and first[11] == "ann"
        assert second[7] == "for good" and second[6] == "7 min!" and second[0] == "?"
        assert second[9].startswith("Sat 09:00"), "another day has its name"
        assert "✗ boiler LOCKED OUT: overheated" in face.text


@in_textual
async def test_a_team_in_80_by_24() -> None:
    async with shown() as face:
        await face.press("6")
        crew, now = Crew(2), trio.current_time()
        told = next(told for _, told in crew.day() if "handoff" in told and len(told["messages"]) > 20)
        face.world.model.measured(HUB, "team", told, now)
        await face.settle()
        handoff = told["handoff"]
        assert f"handing over from {handoff['from']} to {handoff['to']}: pending" in face.text
        assert "○ seat" in face.text
        rows = [
            line for line in face.lines if line.split() and line.split()[0] in ("Ann", "Bo", "Cleo", "Dara")
        ]
        assert len(rows) == 4
        driving = next(line for line in rows if f"{handoff['from']} " in line)
        assert " in 0:" in driving and "█" in driving and "│" in driving and "░" in driving
        assert told["messages"][-1]["words"] in face.lines[22], "the newest is the last"
        await face.press("enter")
        assert "at " in face.text and told["messages"][-1]["from"] in face.text
        await face.press("escape", "tab", "e")
        assert "Message" not in face.text and "Ann" in face.text


@pytest.mark.parametrize(
    ("markers", "wanted"), [(Markers.BRAILLE, "⠤⠒"), (Markers.BLOCK, "▀▄"), (Markers.ASCII, ".'")]
)
def test_each_kind_of_markers(markers: Markers, wanted: str) -> None:
    @in_textual
    async def body() -> None:
        async with shown(markers=markers) as face:
            await face.press("3")
            drive(face)
            await face.settle()
            assert set(wanted) <= set(face.text)
            assert face.text.isascii() is (markers is Markers.ASCII), "names and boxes too"
            await face.press("question_mark")
            assert face.text.isascii() is (markers is Markers.ASCII)

    body()


@in_textual
async def test_it_is_painted_more_often_while_traces_are_shown_until_somebody_chooses() -> None:
    async with shown() as face:
        line, paced = face.app.desk.line, _paced(face)
        assert paced() == 4.0
        await face.press("3")
        assert paced() == 10.0
        await face.press("1")
        assert paced() == 4.0
        await face.press("underscore")
        assert line.is_turned and paced() == 2.0
        await face.press("3")
        assert paced() == 2.0


def _paced(face: Face) -> Callable[[], float]:
    return lambda: face.app._paced_hz
