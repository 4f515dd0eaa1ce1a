"""The lines of one wish: found once each, in order of our own clock, and what each side took."""

from typing import Any

from tests.tui.recorded import UTC, recorded
from tui.model import Model
from tui.model.tracebook import ROWS_MAX, TRACES_MAX, in_order, legs

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def line(number: int, at: str, trace: str = TRACE, event: str = "fetch", **said: Any) -> dict[str, Any]:
    return {"number": number, "level": "info", "line": {"at": at, "event": event, "trace": trace, **said}}


def fetch(number: int, at: str, side: str, took_ms: float, path: str = "/a", **said: Any) -> dict[str, Any]:
    told = {"site": "north", "method": "GET", "path": path, "status": 200, "latency_ms": took_ms, **said}
    return line(number, at, side=side, **told)


def test_what_came_and_what_was_asked_for_is_one() -> None:
    model = Model()
    version = model.version
    model.logged("cloud", fetch(7, "2026-01-01T00:00:02Z", "hub", 52.0))
    model.logged("cloud", line(8, "2026-01-01T00:00:02Z", trace="0" * 31 + "1"))
    earlier = line(3, "2026-01-01T00:00:01Z", event="asked")
    model.traced("cloud", TRACE, [earlier, fetch(7, "2026-01-01T00:00:02Z", "hub", 52.0), {"dropped": 3}])
    model.traced("pits", TRACE, [fetch(2, "2026-01-01T00:00:01.5Z", "site", 31.0), line(5, "x", trace="y")])
    rows = in_order(model.traces.rows(TRACE, model.log), model.daemons)
    assert [(row.daemon, row.number) for row in rows] == [("cloud", 3), ("pits", 2), ("cloud", 7)]
    assert model.traces.answered(TRACE) == {"cloud", "pits"}
    assert model.version > version + 3
    (leg,) = legs(rows)
    assert (leg.hub_s, leg.site_s) == (0.052, 0.031)
    assert leg.link_s is not None and abs(leg.link_s - 0.021) < 1e-9


def test_a_clock_that_is_ahead_does_not_turn_the_order() -> None:
    """The site's clock is an hour ahead, and its record was there before the hub's."""
    model = Model()
    model.told("cloud", {**recorded("cloud"), "now": UTC}, 100.0, UTC)
    model.told("pits", {**recorded("pits"), "now": UTC + 3600}, 100.0, UTC)
    model.traced("cloud", TRACE, [line(1, "2027-01-15T08:00:02+00:00")])
    model.traced("pits", TRACE, [line(1, "2027-01-15T09:00:01+00:00")])
    rows = in_order(model.traces.rows(TRACE, model.log), model.daemons)
    assert [row.daemon for row in rows] == ["pits", "cloud"]


def test_each_fetch_finds_its_other_side() -> None:
    model = Model()
    model.traced(
        "all",
        TRACE,
        [
            fetch(1, "2026-01-01T00:00:01Z", "site", 10.0, "/b"),
            fetch(2, "2026-01-01T00:00:02Z", "hub", 15.0, "/b"),
            fetch(3, "2026-01-01T00:00:03Z", "hub", 0.2, "/a", copy=True),
            fetch(4, "2026-01-01T00:00:04Z", "site", 20.0, "/a"),
            fetch(5, "2026-01-01T00:00:05Z", "hub", 5000.0, "/a", status=504, code="TIMEOUT"),
            fetch(6, "2026-01-01T00:00:06Z", "site", 1.0, "/c"),
        ],
    )
    rows = in_order(model.traces.rows(TRACE, model.log), {})
    found = [(leg.hub and leg.hub.number, leg.site and leg.site.number) for leg in legs(rows)]
    assert found == [(2, 1), (3, None), (5, 4), (None, 6)]
    assert [row.number for row in rows if row.is_failed_fetch] == [5]


def test_it_is_bounded() -> None:
    model = Model()
    for number in range(TRACES_MAX + 2):
        trace = f"{number:032x}"
        model.traced("cloud", trace, [line(at, "2026-01-01T00:00:01Z", trace) for at in range(ROWS_MAX + 9)])
    assert len(model.traces.rows(f"{TRACES_MAX:032x}", model.log)) == ROWS_MAX
    assert model.traces.rows(f"{1:032x}", model.log) == []
    assert model.traces.rows(f"{2:032x}", model.log) != []
