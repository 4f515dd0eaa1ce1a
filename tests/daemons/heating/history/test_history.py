"""A house's history in the database: curves, events, figures, what is replaced and what goes."""

from pathlib import Path

import apsw
import pytest
import trio
from trio.testing import MockClock

from daemons.heating.history.figures import metrics
from daemons.heating.history.read import POINTS_MAX, events, house_numbers, series, sources
from daemons.heating.history.retention import HistoryKeep, history_bytes, trim
from daemons.heating.history.tables import MIGRATIONS
from daemons.heating.history.trimming import TRIM_S, keep_trimmed
from daemons.heating.history.write import add_events, add_samples, house_of, read_chunks, replace
from daemons.store import fetch, open_store
from protocol.heating import EventKind, HeatEvent
from protocol.heatsamples import HeatSamples, Sample
from tests.daemons.heating.history.houses import START, days, message, open_history

DAY = 86_400
SUM_TABLES = ("heat_quarter", "heat_day")


def filled(number: float = 3.0) -> tuple[apsw.Connection, int, list[HeatSamples]]:
    conn = open_history()
    house = house_of(conn, "home")
    messages = list(days(number))
    assert add_samples(conn, house, messages) == len(messages)
    return conn, house, messages


def everything(conn: apsw.Connection) -> dict[str, list[tuple[object, ...]]]:
    return {table: fetch(conn, f"SELECT * FROM {table}") for table in ("heat_chunk", *SUM_TABLES)}


def test_houses_have_numbers() -> None:
    conn = open_history()
    home, cabin = house_of(conn, "home"), house_of(conn, "cabin")
    assert house_of(conn, "home") == home != cabin
    assert house_numbers(conn) == {"home": home, "cabin": cabin}


def test_one_by_one_is_as_all_at_once() -> None:
    conn, _, messages = filled(1.2)
    other = open_history()
    house = house_of(other, "home")
    for one in messages:
        add_samples(other, house, [one])
    assert everything(conn) == everything(other)


def test_samples_of_an_instant_that_is_there_change_nothing() -> None:
    conn, house, messages = filled(0.5)
    before = everything(conn)
    assert add_samples(conn, house, messages[10:20]) == 0
    assert everything(conn) == before


def test_a_message_of_more_than_an_hour_is_refused() -> None:
    conn = open_history()
    with pytest.raises(ValueError, match="more than an hour"):
        add_samples(conn, 1, [message({"a": [Sample(1)] * 61})])


@pytest.mark.parametrize(
    ("span_days", "points", "level"),
    [
        (1, 300, "samples"),
        (3, 300, "samples"),
        (3, 3, "days"),
        (7, 300, "quarters"),
        (30, 300, "quarters"),
        (365, 300, "days"),
    ],
)
def test_a_curve_is_made_of_what_serves(span_days: int, points: int, level: str) -> None:
    conn, house, _ = filled(3)
    found = series(conn, house, "living", START, START + span_days * DAY, points)
    assert found.level == level
    assert 0 < len(found.points) <= max(points, span_days + 1)
    assert [point.at for point in found.points] == sorted(point.at for point in found.points)


@pytest.mark.parametrize(
    ("span_s", "points"), [(DAY, 300), (DAY, 100), (2 * DAY, 60), (DAY + 900, 90), (DAY + 700, 400)]
)
def test_a_curve_says_what_was_measured(span_s: int, points: int) -> None:
    conn, house, messages = filled(2.5)
    found = series(conn, house, "bath", START, START + span_s, points)
    samples = {m.at + n * 60: one for m in messages for n, one in enumerate(m.of("bath"))}
    for point in found.points:
        inside = [
            one
            for at, one in samples.items()
            if point.at <= at < point.at + found.step_s and START <= at < START + span_s
        ]
        known = [one.celsius for one in inside if one.celsius is not None]
        assert point.lowest == (min(known) / 100 if known else None)
        assert point.highest == (max(known) / 100 if known else None)
        if known:
            assert point.celsius == pytest.approx(sum(known) / len(known) / 100, abs=0.006)
        assert point.ran_s == sum(one.ran_s or 0 for one in inside)
        assert point.starts == sum(one.starts or 0 for one in inside)
        assert point.known == pytest.approx(len(known) / len(inside))


def test_what_was_not_sampled_has_no_point_and_what_was_not_known_no_value() -> None:
    conn = open_history()
    house = house_of(conn, "home")
    add_samples(
        conn,
        house,
        [
            message({"a": [Sample(None, None, None, None)] * 5}),
            message({"a": [Sample(2000)] * 5}, START + 7200),
        ],
    )
    for points in (300, 60):
        found = series(conn, house, "a", START, START + DAY, points)
        assert len(found.points) == 2
        assert found.points[0].celsius is found.points[0].lowest is found.points[0].target is None
        assert (found.points[0].known, found.points[0].watched_s) == (0.0, 0)
        assert found.points[1].celsius == 20.0
    assert series(conn, house, "b", START, START + DAY).points == []
    assert series(conn, house, "b", START, START + 30 * DAY).points == []


def test_nobody_gets_more_points_than_a_screen_has() -> None:
    conn, house, _ = filled(3)
    assert len(series(conn, house, "living", START, START + 3 * DAY, 10**9).points) <= POINTS_MAX + 1
    assert len(series(conn, house, "living", START, START, 0).points) <= 1


def happened(at: float, source: str = "living", kind: EventKind = EventKind.ON) -> HeatEvent:
    return HeatEvent(at=at, source=source, kind=kind, cause="why", celsius=20.5, outdoor=None, ran_s=60.0)


def test_events_page_by_page() -> None:
    conn = open_history()
    house = house_of(conn, "home")
    made = [
        happened(START + n // 3, ["living", "bath"][n % 2], [EventKind.ON, EventKind.OFF][n % 2])
        for n in range(20)
    ]
    add_events(conn, house, made)
    seen: list[HeatEvent] = []
    before = None
    while page := events(conn, house, before=before, limit=7):
        seen += [one for _, one in page]
        before = page[-1][1].at, page[-1][0]
    assert seen == made[::-1]
    assert [one for _, one in events(conn, house, source="bath")] == [
        one for one in made[::-1] if one.source == "bath"
    ]
    assert len(events(conn, house, kind=EventKind.OFF, limit=3)) == 3
    assert events(conn, house + 1) == []


def test_every_way_to_ask_for_events_has_an_index() -> None:
    conn = open_history()
    asked: list[tuple[str, tuple[object, ...]]] = []

    def note(_: object, sql: str, bindings: tuple[object, ...]) -> bool:
        asked.append((sql, bindings))
        return True

    conn.exec_trace = note
    events(conn, 1, source="a", kind=EventKind.ON)
    events(conn, 1, source="a")
    events(conn, 1, kind=EventKind.ON)
    events(conn, 1)
    conn.exec_trace = None
    assert len(asked) == 4
    for sql, bindings in asked:
        plan = " ".join(str(row[3]) for row in conn.execute(f"EXPLAIN QUERY PLAN {sql}", bindings))
        assert "USING INDEX heat_event_" in plan
        assert "TEMP B-TREE" not in plan


def test_figures_of_a_span() -> None:
    conn, house, messages = filled(3)
    found = metrics(conn, house, START, START + 3 * DAY)
    samples = [one for m in messages for one in m.of("living")]
    living = found.sources["living"]
    assert living.calls == sum(one.starts or 0 for one in samples)
    assert living.ran_s == sum(one.ran_s or 0 for one in samples)
    assert living.duty == pytest.approx(living.ran_s / (3 * DAY))
    assert living.run_s == pytest.approx(living.ran_s / living.calls)
    assert living.mean == pytest.approx(20, abs=8)
    assert found.days == 3


def test_degree_days_of_days_that_are_known() -> None:
    conn = open_history()
    house = house_of(conn, "home")
    begin = START // DAY * DAY
    for day, celsius in enumerate([800, None, 2500, -200]):
        for hour in range(24):
            add_samples(
                conn, house, [message({"outdoor": [Sample(celsius)] * 60}, begin + day * DAY + hour * 3600)]
            )
    found = metrics(conn, house, begin, begin + 4 * DAY)
    assert (found.degree_days, found.days_known, found.days) == (30.0, 3, 4)
    assert metrics(conn, house, begin + DAY, begin + 2 * DAY).degree_days is None


def test_a_day_is_replaced_and_its_sums_follow() -> None:
    conn, house, messages = filled(3)
    add_events(conn, house, [happened(START + 5), happened(START + DAY + 5), happened(START + 2 * DAY)])
    whole = everything(conn)
    begin = START + DAY
    others = [message({"living": [Sample(1234)] * 60}, begin + hour * 3600) for hour in range(24)]
    replace(conn, house, begin, begin + DAY, [happened(begin + 7)], others)
    assert {point.celsius for point in series(conn, house, "living", begin, begin + DAY).points} == {12.34}
    assert metrics(conn, house, begin, begin + DAY).sources.keys() == {"living"}
    assert [one.at for _, one in events(conn, house)] == [START + 2 * DAY, begin + 7, START + 5]
    there = [one for one in messages if begin <= one.at < begin + DAY]
    replace(conn, house, begin, begin + DAY, [happened(begin + 5)], there)
    assert everything(conn) == whole
    assert read_chunks(conn, house, begin, begin + DAY) == there


def test_an_emptied_day_leaves_no_sums() -> None:
    conn, house, _ = filled(1)
    replace(conn, house, START - 900, START + 2 * DAY, [], [])
    assert everything(conn) == {"heat_chunk": [], "heat_quarter": [], "heat_day": []}
    assert list(sources(conn, house)) == ["living", "bath", "outdoor"]


def drain(conn: apsw.Connection, keep: HistoryKeep, now: float) -> int:
    gone = 0
    while some := trim(conn, keep, now):
        gone += some
    return gone


def test_samples_go_after_their_days_and_sums_stay() -> None:
    conn, house, messages = filled(3)
    add_events(conn, house, [happened(START + 5)])
    sums = {table: fetch(conn, f"SELECT * FROM {table}") for table in SUM_TABLES}
    assert drain(conn, HistoryKeep(samples_days=1), START + 3 * DAY) == 2 * 288
    assert len(read_chunks(conn, house, 0, 2**40)) == len(messages) - 2 * 288
    assert {table: fetch(conn, f"SELECT * FROM {table}") for table in SUM_TABLES} == sums
    assert len(events(conn, house)) == 1
    assert drain(conn, HistoryKeep(samples_days=0, events_days=1), START + 3 * DAY) == 1
    assert drain(conn, HistoryKeep(samples_days=0), START + 1000 * DAY) == 0


def test_with_too_many_bytes_the_oldest_samples_go_then_events() -> None:
    conn, house, messages = filled(3)
    add_events(conn, house, [happened(START + 5)] * 100)
    now = START + 3 * DAY
    bound = history_bytes(conn) * 2 // 3
    assert drain(conn, HistoryKeep(bytes_max=bound), now) > 0
    assert history_bytes(conn) <= bound
    left = read_chunks(conn, house, 0, 2**40)
    assert left == messages[-len(left) :]
    assert len(events(conn, house)) == 100
    drain(conn, HistoryKeep(bytes_max=1), now)
    assert events(conn, house) == []


async def test_what_is_too_old_goes_by_itself(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_store(tmp_path / "h.db", migrations=MIGRATIONS, inline=True) as store:

        def fill(conn: apsw.Connection) -> int:
            house = house_of(conn, "home")
            add_samples(conn, house, days(3, ("living",)))
            return house

        house = await store.transact(fill)
        times: list[float | None] = [None, START + 3 * DAY]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_trimmed, store, HistoryKeep(samples_days=1), lambda: times[0])
            await trio.sleep(1)
            assert len(await store.read(lambda conn: read_chunks(conn, house, 0, 2**40))) == 3 * 288
            times.pop(0)
            await trio.sleep(TRIM_S)
            assert len(await store.read(lambda conn: read_chunks(conn, house, 0, 2**40))) == 288
            nursery.cancel_scope.cancel()
