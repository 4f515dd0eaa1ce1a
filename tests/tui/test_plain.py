"""The three faces say the same: JSON, lines and the screen, all from one model. And the lines that come as things change."""

import json
import re
from typing import Any

from tests.tui.recorded import UTC, five_sites, recorded
from tui.app.overview_rows import COLUMNS, overview_rows
from tui.model import Model
from tui.model.words import age, count, ms, size
from tui.plain import Changes, lines, snapshot


def world() -> Model:
    model = Model()
    for name, status in (("hub", five_sites()), ("pit", recorded("pits"))):
        model.watch(name, 100.0)
        model.told(name, status, 100.0, UTC)
    return model


def test_json_lines_and_screen_show_the_same_numbers() -> None:
    model, now = world(), 107.0
    told = json.loads(json.dumps(snapshot(model, now)))
    plain = list(lines(model, now))
    rows = {row.key: [cell.text for cell in row.cells] for row in overview_rows(model, now)}
    titles = [column.title for column in COLUMNS]
    compared = 0
    for daemon, of in told["daemons"].items():
        for name, site in of["sites"].items():
            line = next(
                line
                for line in plain
                if line.startswith(f"  site {name} at {of['daemon']}: {site['words']};")
            )
            cells = dict(zip(titles, rows[daemon, name], strict=True))
            assert cells["State"] == site["words"]
            for title, shown, said in (
                ("Age", age(site["age_s"]), "data {} old"),
                ("p50", ms(site["round_trip_p50_s"]), "p50 {},"),
                ("p99", ms(site["round_trip_p99_s"]), "p99 {};"),
                ("Fly", count(site["in_flight"]), "{} in flight"),
                ("Queue", count(site["queue"]), "{} queued"),
                ("Outbox", count(site["outbox"]), "outbox {}"),
                ("Dead", count(site["dead_letters"]), "{} dead letters"),
                ("Hits", count(site["cache_hits"]), "{} cache hits"),
                ("Saved", size(site["bytes_saved"]), "{} saved"),
                ("Bulk", ms(site["bulk_delay_s"]), "bulk delay {}"),
                ("Errors", count(sum(site["errors"].values())), "{} errors"),
            ):
                assert cells[title].rstrip("!") == shown, (name, title)
                if shown != "-":
                    assert said.format(shown) in line, (name, title, line)
                    compared += 1
    assert compared > 50
    assert len([line for line in plain if line.startswith("ALARM")]) == len(told["alarms"]) == 5


def test_what_is_not_known_is_not_said() -> None:
    """A line is read aloud: no dashes, no zeros in place of what nobody knows."""
    never = next(line for line in lines(world(), 100.0) if "site never" in line)
    assert "never seen" in never and "round trip" not in never and "data" not in never and "-" not in never


def test_a_daemon_that_was_never_reached_has_a_line() -> None:
    model = Model()
    model.watch("hub", 100.0)
    assert list(lines(model, 101.0)) == ["hub: connecting: connecting, for 1.0 s", "no alarms"]
    model.lost("hub", "no daemon listens there", 102.0, retry_at=104.0)
    said = list(lines(model, 103.0))
    assert said[0] == "hub: lost: no daemon listens there, for 1.0 s; tried again in 1.0 s"
    assert said[1] == "ALARM reliability, failing: hub: no daemon listens there, for 1.0 s"
    told = snapshot(model, 103.0)["daemons"]["hub"]
    assert told == {
        "connection": {"state": "lost", "words": "no daemon listens there", "for_s": 1.0, "heard_s_ago": None}
    }


def test_lines_come_when_something_changes_and_figures_now_and_then() -> None:
    model = world()
    changes = Changes(model)
    first = changes.take(100.0)
    assert len(first) == 2 + 6 + 5 and changes.take(100.5) == []
    model.told("hub", five_sites(), 105.0, UTC)
    assert changes.take(105.0) == []  # figures are not due
    status = five_sites()
    status["sites"]["well"] |= {"connected": False, "last_seen_at": UTC, "age_s": 3.0}
    model.told("hub", status, 107.0, UTC)
    said = changes.take(107.0)
    assert said[0].startswith("  site well at cloud: gone for 0.0 s;")
    assert said[1] == "ALARM reliability, degraded: hub well: the site is gone" and len(said) == 2
    model.told("hub", five_sites(), 108.0, UTC)
    said = changes.take(108.0)
    assert said[0].startswith("  site well at cloud: connected;") and said[1].startswith("over: ALARM")
    status = five_sites()
    status["sites"]["paused"]["cache_hits"] = 500
    model.told("hub", status, 111.0, UTC)
    said = changes.take(111.0)
    assert [line.split(":")[0] for line in said if "500 cache hits" in line] == ["  site paused at cloud"]


def test_audit_rows_and_grave_log_lines_come_as_they_come_history_does_not() -> None:
    model = world()
    row: dict[str, Any] = {
        "number": 1, "at_utc_s": UTC, "who": "user ann", "action": "site.pause", "target": "well", "outcome": "begun",
    }  # fmt: skip
    status = five_sites() | {"audit": {"count": 1, "head": "1:00"}}
    model.told("hub", status, 100.0, UTC)
    changes = Changes(model)
    assert not [line for line in changes.take(100.0) if line.startswith("AUDIT")]
    model.audited("hub", [row])
    assert changes.take(100.1) == []
    model.audited("hub", [{**row, "number": 2, "outcome": "done"}, {**row, "number": 3}])
    assert changes.take(100.2) == [
        "AUDIT hub: user ann: site.pause well",
        "AUDIT hub: user ann: site.pause well (begun)",
    ]
    for number, level in enumerate(("info", "warning", "error"), 1):
        said = {"at": "12:00", "event": "link.lost", "why": "\x1b[2J"}
        model.logged("hub", {"number": number, "level": level, "line": said})
    found = changes.take(100.3)
    assert [re.sub(" +", " ", line) for line in found] == [
        f"LOG hub: 12:00 {level} link.lost why=\\u001b[2J" for level in ("warning", "error")
    ]


def test_what_operators_set_is_told_anew_and_counts_down_in_no_line_of_its_own() -> None:
    model = world()
    changes = Changes(model)
    changes.take(100.0)
    changed = {"fetch.max_in_flight": {"configured": 8, "until": UTC + 300}}
    status = five_sites() | {
        "limits": {"fetch.max_in_flight": 2},
        "limits_changed": changed,
        "production": True,
    }
    model.told("hub", status, 101.0, UTC)
    (line,) = changes.take(101.0)
    assert line.startswith("cloud hub-") and line.endswith(
        "; PRODUCTION; limit fetch.max_in_flight 2 (configured: 8), 5 min left"
    )
    model.told("hub", status, 105.0, UTC + 4)
    assert changes.take(105.0) == []


def test_a_site_of_another_version_and_a_pause_that_ends_by_itself_are_said() -> None:
    model, status = world(), five_sites()
    status["software"], status["protocol"] = "pitlink 0.2.0", "1.2"
    status["sites"]["paused"] |= {"software": "pitlink 0.1.0", "protocol": "1.1", "paused_until": UTC + 45.0}
    model.told("hub", status, 101.0, UTC)
    line = next(line for line in lines(model, 101.0) if "site paused" in line)
    assert ": paused, 45 s; " in line
    assert line.endswith("version pitlink 0.1.0, protocol 1.1; its hub has pitlink 0.2.0, protocol 1.2")
    told = snapshot(model, 111.0)["daemons"]["hub"]["sites"]["paused"]
    assert (told["version_differs"], told["paused_left_s"]) == (True, 35.0)
