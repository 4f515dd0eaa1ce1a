"""Records of a day: what is in them, that ids stay, and that the book tells what changed and nothing else."""

import re
from collections import deque
from itertools import islice
from typing import Any

import attrs
import pytest

from daemons.race.keeper import BoardKeeper
from daemons.race.model import Day
from daemons.race.pocketbase.book import CHANGES_KEPT, RecordBook
from daemons.race.pocketbase.collections import COLLECTIONS, Kind, record_id
from daemons.race.pocketbase.listing import BadQuery, read_query
from daemons.race.pocketbase.records import SiteDay

from .. import makers as make
from ..field import Field, fetched
from .days import LIVE, played


def shown(keeper: BoardKeeper) -> SiteDay:
    return SiteDay(keeper.day, keeper.tree.newest().tree["now"].get("race"))


def read(keeper: BoardKeeper, day: Field, path: str) -> None:
    keeper.apply(path, fetched(path, day.files[path]))


def look(book: RecordBook, sites: dict[str, SiteDay], at: float) -> None:
    deque(book.look(sites, at), 0)


def book_of(keeper: BoardKeeper, site: str = "pits") -> RecordBook:
    book = RecordBook()
    look(book, {site: shown(keeper)}, 1_000.0)
    return book


def listed(book: RecordBook, collection: str, **query: str) -> dict[str, Any]:
    def lookup(name: str, key: str) -> dict[str, Any] | None:
        return book.records[name].get(key)

    asked = read_query(collection, query)
    return asked.answer(asked.find(book.records[collection].values(), lookup), lookup)


def one(book: RecordBook, collection: str, **query: str) -> dict[str, Any]:
    items = listed(book, collection, **query)["items"]
    assert len(items) == 1, items
    return dict(items[0])


def test_every_record_has_the_fields_of_its_collection_and_relations_lead_somewhere() -> None:
    book = book_of(played()[0])
    for name, records in book.records.items():
        for key, record in records.items():
            assert record.keys() == COLLECTIONS[name].keys()
            assert record["id"] == key
            assert re.fullmatch("[a-z0-9]{15}", key)
            for field, kind in COLLECTIONS[name].items():
                assert isinstance(record[field], _PYTHON[kind.kind]), (name, field)
                if kind.kind is Kind.RELATION and record[field]:
                    assert record[field] in book.records[kind.to], (name, field)
    full = {name for name, records in book.records.items() if records}
    assert COLLECTIONS.keys() - full == {"gamePoints", "tracks"}
    assert "Secret" not in str(book.records) and "secret" not in str(book.records)


_PYTHON: dict[Kind, Any] = {
    Kind.TEXT: str, Kind.NUMBER: (int, float), Kind.BOOL: bool, Kind.RELATION: str,
}  # fmt: skip


def test_what_a_dashboard_asks_for() -> None:
    book = book_of(played()[0])
    race = one(book, "races", filter=f"sourceId = '{make.race_id(101)}'", expand="round,event")
    assert (race["raceOrder"], race["start"], race["valid"]) == (1, "2026-02-06T17:00:00.000Z", True)
    assert (race["expand"]["round"]["roundNumber"], race["expand"]["event"]["name"]) == (1, "Winter Cup")
    laps = listed(book, "laps", filter=f"race = '{race['id']}' && lapNumber > 0", sort="-lengthSeconds")
    assert [lap["lengthSeconds"] for lap in laps["items"]] == [6.0, 5.5, 5.0]
    first = one(
        book, "laps", filter="lengthSeconds = 5.5", expand="detection.pilot", fields="lapNumber,expand"
    )
    assert first.keys() == {"lapNumber", "expand"}
    assert first["expand"]["detection"]["expand"]["pilot"]["name"] == "Ann"
    best = one(book, "results", filter="position = 1", expand="pilot", fields="points,expand.pilot.name")
    assert best == {"points": 10, "expand": {"pilot": {"name": "Ann"}}}
    current = one(book, "client_kv", filter="namespace = 'race' && key = 'currentOrder'")
    assert '"order":2' in current["value"]
    assert make.race_id(102) in current["value"]
    channel = one(book, "channels", filter="frequency = 5658")
    assert (channel["shortBand"], channel["number"], channel["channelColor"]) == ("R", 1, "#FF0000")


def test_ids_are_of_the_site_and_the_guid_and_of_nothing_else() -> None:
    keeper, _ = played()
    assert book_of(keeper).records == book_of(keeper).records
    other = book_of(keeper, "spare")
    assert not book_of(keeper).records["races"].keys() & other.records["races"].keys()
    assert record_id("pits", "races", "x") == "754zmkwlgicc5gg"


def test_a_lap_changes_the_lap_and_its_detection_and_nothing_else() -> None:
    keeper, day = played()
    book = book_of(keeper)
    at = book.serial
    read(keeper, day, day.race(102, **LIVE, flown={1: [1.0, 5.0, 4.5]}))
    look(book, {"pits": shown(keeper)}, 2_000.0)
    changes = book.since(at)
    assert changes is not None
    told = sorted((change.action, change.record["collectionName"]) for change in changes)
    assert told == [("create", "detections"), ("create", "laps")]
    assert {change.record["lastUpdated"] for change in changes} == {"1970-01-01 00:33:20.000Z"}
    assert len(listed(book, "laps", filter="lastUpdated >= '1970-01-01 00:33:20.000Z'")["items"]) == 1
    at = book.serial
    look(book, {"pits": shown(keeper)}, 3_000.0)
    assert book.serial == at


def test_a_lap_that_is_struck_out_updates_its_detection_and_one_that_is_gone_is_deleted() -> None:
    keeper, day = played()
    book = book_of(keeper)
    at = book.serial
    race = make.race(2, **LIVE, flown={1: [1.0, 5.0]})
    race["Detections"][1]["Valid"] = False
    read(keeper, day, _put(day, 102, race))
    look(book, {"pits": shown(keeper)}, 2_000.0)
    changes = book.since(at)
    assert changes is not None
    assert [(change.action, change.record["valid"]) for change in changes] == [("update", False)]
    assert changes[0].record["created"] < changes[0].record["updated"]
    read(keeper, day, day.race(102, **LIVE, flown={1: [1.0]}))
    look(book, {"pits": shown(keeper)}, 3_000.0)
    changes = book.since(at + 1)
    assert changes is not None
    assert sorted(change.record["collectionName"] for change in changes if change.action == "delete") == [
        "detections", "laps",
    ]  # fmt: skip


def _put(day: Field, number: int, race: dict[str, Any]) -> str:
    path = day.race(number)
    day.put(path, [race])
    return path


def test_a_site_that_goes_takes_its_records_with_it() -> None:
    keeper, _ = played()
    book = book_of(keeper)
    look(book, {"pits": shown(keeper), "other": SiteDay(Day())}, 2_000.0)
    at = book.serial
    count = sum(map(len, book.records.values()))
    look(book, {}, 3_000.0)
    assert not any(book.records.values())
    changes = book.since(at)
    assert changes is not None and len(changes) == count
    assert {change.action for change in changes} == {"delete"}


def test_changes_that_are_not_kept_any_more_are_not_told_as_if_they_were_none() -> None:
    keeper, _ = played()
    book = book_of(keeper)
    while book.serial <= CHANGES_KEPT:
        look(book, {}, 1.0)
        look(book, {"pits": SiteDay(attrs.evolve(keeper.day))}, 1.0)
    assert book.since(0) is None
    assert book.since(book.serial) == []
    kept = book.since(book.serial - CHANGES_KEPT)
    assert kept is not None and len(kept) == CHANGES_KEPT


def test_pages() -> None:
    book = book_of(played()[0])
    whole = [lap["id"] for lap in listed(book, "laps", sort="lengthSeconds,id")["items"]]
    assert len(whole) == 7
    pages = [
        listed(book, "laps", sort="lengthSeconds,id", perPage="3", page=str(page)) for page in (1, 2, 3, 4)
    ]
    assert [lap["id"] for page in pages for lap in page["items"]] == whole
    assert {(page["totalItems"], page["totalPages"], page["perPage"]) for page in pages} == {(7, 3, 3)}
    unknown = listed(book, "laps", skipTotal="1")
    assert (unknown["totalItems"], unknown["totalPages"]) == (-1, -1)
    bent = listed(book, "laps", page="-5", perPage="9999999999")
    assert (bent["page"], bent["perPage"]) == (1, 1000)
    assert listed(book, "laps", page="9" * 50)["items"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"page": "two"}, {"perPage": ""}, {"perPage": "1.5"}, {"skipTotal": "maybe"}, {"sort": "speed"}, {"sort": "@random"},
        {"sort": ",".join(["id"] * 9)}, {"filter": "speed = 1"},
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_made_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(BadQuery):
        read_query("laps", query)


def test_a_look_that_was_given_up_is_taken_up_again() -> None:
    keeper, _ = played()
    whole, given_up = book_of(keeper), RecordBook()
    for steps in range(4):
        deque(islice(given_up.look({"pits": shown(keeper)}, 1_000.0), steps), 0)
    look(given_up, {"pits": shown(keeper)}, 1_000.0)
    assert given_up.records == whole.records
    assert given_up.serial == whole.serial
    for steps in range(4):
        deque(islice(given_up.look({}, 2_000.0), steps), 0)
    look(given_up, {}, 2_000.0)
    assert not any(given_up.records.values())
