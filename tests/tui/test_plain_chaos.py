"""Faults and drills on the faces without a screen: the same as on page 9, and lines as they come and go."""

import json
from typing import Any

from tests.tui.model.test_chaos import NOW, fault, listed, model, note, standing
from tui.app.chaos_rows import chaos_rows
from tui.model.chaos_words import countdown
from tui.model.words import age
from tui.plain import Changes, lines, snapshot

CLOCK = {"since_s": 1.5, "reconnect_s": 0.4, "drained_s": None, "fresh_s": None}


def told(*faults: dict[str, Any], **drill: Any) -> Any:
    made = model(faults=len(faults))
    made.chaos_told("hub", listed(*faults, drills=[note(standing(**drill))] if drill else []), NOW)
    return made


def test_json_lines_and_screen_say_the_same() -> None:
    made, now = told(fault(), fault(name="quiet", type="silence", attributes={}), clock=CLOCK), NOW + 4
    of = json.loads(json.dumps(snapshot(made, now)))
    plain = list(lines(made, now))
    rows = {row.key: [cell.text for cell in row.cells] for row in chaos_rows(made, now)}
    chaos = of["daemons"]["hub"]["chaos"]
    assert (chaos["on"], chaos["allowed"], len(chaos["faults"])) == (2, True, 2)
    for one in chaos["faults"]:
        cells = rows["fault", "hub", one["name"]]
        assert cells[2:6] == [one["type"], age(one["for_s"]), countdown(one["left_s"]), str(one["met"])]
        (line,) = (
            line for line in plain if line.startswith("  fault at cloud ") and f" {one['name']}: " in line
        )
        assert f"ends by itself in {countdown(one['left_s'])}, met {one['met']}" in line
    (drill,) = of["drills"]
    assert (drill["running"], drill["recovering_s"], drill["verdict"]) == (True, 5.5, None)
    assert rows["run", drill["run"]][-1] == drill["words"]
    assert f"DRILL cut: {drill['words']}" in plain


def test_without_the_list_the_count_is_said() -> None:
    made = model(faults=3)
    assert any(line.startswith("  faults at cloud ") and line.endswith(": 3 on") for line in lines(made, NOW))
    assert snapshot(made, NOW)["daemons"]["hub"]["chaos"] == {"on": 3, "allowed": None, "faults": None}


def test_lines_come_as_faults_and_drills_come_and_go() -> None:
    made = told(fault(), phase="steady before")
    changes = Changes(made, figures_s=1000.0)
    first = [line for line in changes.take(NOW) if line.startswith(("CHAOS", "DRILL"))]
    assert len(first) == 2 and first[0].startswith("CHAOS cloud ") and first[1] == "DRILL cut: steady before"
    made.chaos_told(
        "hub",
        listed(fault(touched=9, lease_left_s=3.0), drills=[note(standing(phase="steady before"))]),
        NOW + 1,
    )
    assert changes.take(NOW + 1) == [], "a lease that runs down is no news"
    made.chaos_told("hub", listed(drills=[note(standing(clock=CLOCK))]), NOW + 2)
    over, drill, *_ = changes.take(NOW + 2)
    assert over.startswith("over: CHAOS cloud ") and over.endswith(
        "slow: latency latency 300, distribution uniform, upstream"
    )
    assert drill == "DRILL cut: waits for drained, fresh, for 1.5 s; connected after 0.4 s"
    made.chaos_told("hub", listed(drills=[note(standing(phase="over", verdict="PASS"))]), NOW + 3)
    assert changes.take(NOW + 3) == ["DRILL cut: PASS"]
    assert changes.take(NOW + 60) == []
