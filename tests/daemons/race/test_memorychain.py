"""The history of a race as a chain: it is whole as it was made, and any change to it is named where it is."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
import rfc8785
from attrs import asdict, evolve
from hypothesis import given
from hypothesis import strategies as st

from daemons.race.memorychain import FIRST, Entry, clean_head, next_entry, verify


def chain(count: int) -> list[Entry]:
    entries: list[Entry] = []
    for number in range(count):
        at = datetime.fromtimestamp(1_700_000_000 + number, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        sha256 = hashlib.sha256(b"%d" % number).hexdigest()
        last = entries[-1] if entries else None
        entries.append(next_entry(last, at=at, path="/events/é/Race.json", sha256=sha256, size=number))
    return entries


def lines(entries: list[Entry]) -> list[bytes]:
    return [entry.line() for entry in entries]


def test_a_history_is_whole_as_it_was_made() -> None:
    entries = chain(5)
    verdict = verify(lines(entries))
    assert (verdict.entries, verdict.last, verdict.broken) == (5, entries[-1], "")
    assert entries[0].prev == FIRST
    assert verify([]).entries == 0


def test_hashes_are_what_rfc_8785_and_sha_256_say() -> None:
    """By other hands than ours: who reads the docs can check a history with a few lines of any language."""
    prev = FIRST
    for entry in chain(3):
        assert entry.prev == prev
        prev = hashlib.sha256(rfc8785.dumps(asdict(entry))).hexdigest()
        assert entry.line() == rfc8785.dumps({**asdict(entry), "hash": prev}) + b"\n"


def test_the_order_of_keys_and_blanks_do_not_matter() -> None:
    entries = chain(3)
    spaced = [
        json.dumps(dict(reversed(json.loads(line).items())), indent=None).encode() for line in lines(entries)
    ]
    assert verify([b"\n", *spaced, b"  \r\n"]).last == entries[-1]


@given(st.data())
def test_any_changed_value_is_found_where_it_is(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 6))
    told = [json.loads(line) for line in lines(chain(count))]
    at = data.draw(st.integers(0, count - 1))
    name = data.draw(st.sampled_from(sorted(told[at])))
    value = told[at][name]
    told[at][name] = (
        value + 1
        if isinstance(value, int)
        else data.draw(st.text(max_size=64).filter(lambda text: text != value))
    )
    verdict = verify(json.dumps(entry).encode() for entry in told)
    assert verdict.broken
    assert verdict.entries == at


@given(st.data())
def test_an_entry_left_out_put_in_or_moved_is_found(data: st.DataObject) -> None:
    entries = chain(data.draw(st.integers(3, 6)))
    order = data.draw(st.lists(st.sampled_from(entries), min_size=1, max_size=8))
    verdict = verify(lines(order))
    assert bool(verdict.broken) == (order != entries[: len(order)])


def test_an_entry_that_was_changed_together_with_its_own_hash_is_found_by_the_next() -> None:
    entries = chain(4)
    forged = evolve(entries[1], sha256=FIRST)
    verdict = verify(lines([entries[0], forged, *entries[2:]]))
    assert (verdict.entries, verdict.last) == (2, forged)
    assert "entry 3 does not follow from the one before it" in verdict.broken
    verdict = verify(lines([evolve(entries[0], prev=entries[0].hash), *entries[1:]]))
    assert (verdict.entries, bool(verdict.broken)) == (0, True), "nothing is before the first"


def test_a_number_that_was_left_out_is_found_also_where_all_hashes_fit() -> None:
    first, last = chain(2)
    verdict = verify(lines([first, evolve(last, number=3)]))
    assert (verdict.entries, verdict.broken) == (1, "entry 2 is missing: entry 3 stands in its place")


def test_a_cut_end_is_found_by_a_head_that_was_noted() -> None:
    entries = chain(6)
    head = entries[3].hash
    assert verify(lines(entries), head).noted == entries[3]
    assert verify(lines(entries), head[:12]).noted == entries[3]
    assert verify(lines(entries), head[1:13]).noted is None, "a head is noted from its beginning"
    cut = verify(lines(entries[:3]), head)
    assert not cut.broken
    assert cut.noted is None


def test_a_history_made_anew_does_not_hold_what_was_noted() -> None:
    entries = chain(4)
    anew: list[Entry] = []
    for entry in entries:
        sha256 = FIRST if entry.number == 2 else entry.sha256
        last = anew[-1] if anew else None
        anew.append(next_entry(last, at=entry.at, path=entry.path, sha256=sha256, size=entry.size))
    verdict = verify(lines(anew), entries[-1].hash)
    assert not verdict.broken
    assert verdict.noted is None


@pytest.mark.parametrize(
    "line",
    [b"[]", b"{", b"null", b'{"hash": 1}', b"\xff", b"x" * 5000, b"[" * 4000, b'{"a": 1, "a": 1}'],
)
def test_what_is_no_history_is_said_to_be_none(line: bytes) -> None:
    verdict = verify([line])
    assert verdict.broken
    assert verdict.entries == 0


def test_a_head_as_people_write_it_down() -> None:
    assert clean_head(" AB12 cd34-ef56:7890\n") == "ab12cd34ef567890"
    assert clean_head("5d1f 09c2 77aa") == "5d1f09c277aa"
    for text in ("", "5d1f 09c2 77a", "x" * 20, "0" * 65):
        with pytest.raises(ValueError, match="hexadecimal digits"):
            clean_head(text)
