"""Services as JSON, as lines and on the screen: the same numbers, from one model; and the lines that come as things change."""

import json

from tests.tui.recorded import UTC
from tests.tui.recorded.crew import Crew
from tests.tui.recorded.house import House
from tests.tui.recorded.made import BEGAN, services
from tui.app.telemetry_rows import COLUMNS, car_rows
from tui.model import Model
from tui.plain import Changes, lines, snapshot


def test_json_lines_and_screen_show_the_same_race() -> None:
    model = Model()
    services(215.0, lambda now: None, model)
    now = BEGAN + 216.0
    told = json.loads(json.dumps(snapshot(model, now)))
    (car,), plain = told["telemetry"], list(lines(model, now))
    view = model.services.telemetry["backend", "Ann"]
    titles = [column.title for column in COLUMNS]
    rows = {
        row.key[0]: dict(zip(titles, (cell.text for cell in row.cells), strict=True))
        for row in car_rows(view)
    }
    assert len(car["cars"]) == len(rows) == 12
    for one in car["cars"]:
        row = rows[one["number"]]
        assert row["P"] == str(one["position"]) and row["Lap"] == str(one["lap"])
        assert row["Gap"] in ("leader", "in pits", f"+{one['gap_s']:.1f}")
        assert row["S1"][:-1] == f"{one['sectors'][0]:.2f}"
    ours = next(one for one in car["cars"] if one["is_ours"])
    (line,) = (line for line in plain if line.startswith("  car of Ann at backend: "))
    assert f"place {ours['position']}, +{ours['gap_s']:.1f};" in line
    assert f"lap {car['race']['lap']} of 40" in line and f"fuel for {car['fuel']['laps']:.1f} laps" in line
    assert f"{car['lost'] / car['of']:.1%} of samples lost" in line
    assert car["newest"]["speed_kmh"] == view.samples.newest("speed_kmh") and car["track"] == "Nowhere Ring 3"
    assert "points" not in car and "samples" not in car


def test_json_and_lines_show_the_same_house_and_team() -> None:
    model = Model()
    services(2.0, lambda now: None, model)
    now = BEGAN + 12.0
    told, plain = json.loads(json.dumps(snapshot(model, now))), list(lines(model, now))
    (house,), (team,) = told["heating"], told["team"]
    zones = [line for line in plain if line.startswith("  zone ")]
    assert len(zones) == len(house["zones"]) == 14 and house["told_s_ago"] == 12.0
    for zone, line in zip(house["zones"], zones, strict=True):
        assert line.startswith(f"  zone {zone['name']} of Farm: ")
        assert (
            (f"{zone['celsius']:.1f} degrees" in line)
            if zone["celsius"] is not None
            else "degrees" not in line
        )
        assert ("calls for heat" in line) is zone["is_calling"] and zone["cause"] in line
        assert ("overridden" in line) is (zone["override"] is not None)
    assert any(line.startswith(f"  boiler of Farm at backend: {house['boiler']['state']}:") for line in plain)
    (line,) = (line for line in plain if line.startswith("  team Red at backend: "))
    driving = next(one for one in team["stints"] if one["end_utc"] is None and not one["is_planned"])
    assert f"{driving['driver']} drives for" in line
    assert ("handing over" in line) is (team["handoff"] is not None)


def test_what_changes_is_said_and_what_does_not_is_not() -> None:
    model, house, crew = Model(), House(4), Crew(2)
    changes = Changes(model)
    model.measured("nas", "heating", house.at(0.0), 100.0)
    model.measured("nas", "team", crew.at(0.0), 100.0)
    first = changes.take(100.0)
    assert sum(line.startswith("  zone") for line in first) == 14 and not any(
        "MESSAGE" in line for line in first
    )
    assert changes.take(101.0) == []
    calling = {zone["id"]: zone["calling"] for zone in house.at(0.0)["zones"]}
    said = 0
    for step in range(1, 60):
        told = house.at(step * 600.0)
        model.measured("nas", "heating", told, 100.0 + step)
        printed = changes.take(100.0 + step)
        for zone in told["zones"]:
            if zone["calling"] != calling[zone["id"]]:
                word = "calls for heat" if zone["calling"] else "does not call"
                assert any(f"zone {zone['name']} of" in line and word in line for line in printed)
                calling[zone["id"]], said = zone["calling"], said + 1
    assert said > 5
    later = crew.at(3600.0)
    model.measured("nas", "team", later, 200.0)
    messages = [line for line in changes.take(200.0) if line.startswith("MESSAGE")]
    assert len(messages) == len([one for one in later["messages"] if one["at"] > UTC]) > 3
    assert changes.take(200.5) == []
