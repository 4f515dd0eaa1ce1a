"""The audit: what `verify` finds. The chain is tried byte by byte, on a real file."""

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.ops.authority import audit
from daemons.ops.authority.audit import EMPTY, AuditEntry, Head
from daemons.store.migrations import migrate

COUNT = 12
QUERY = f"SELECT {audit._RAW} FROM audit_row ORDER BY number"


def make_audit(path: Path, count: int = COUNT) -> Head:
    conn = apsw.Connection(str(path))
    conn.pragma("page_size", 512)  # a small file, for the test that flips every byte
    migrate(conn, audit.MIGRATIONS, path)
    with conn:
        for number in range(1, count + 1):
            audit.append(
                conn,
                AuditEntry(
                    1000.25 + number, f"user ann{number}", "limits.set", "limits", {"a": number}, ["ü"]
                ),
            )
        found = audit.head(conn)
    conn.close()
    return found


def tampered(path: Path, *statements: str) -> None:
    """Change the table as somebody would who has the file and knows SQL."""
    conn = sqlite3.connect(path)
    for trigger in ("audit_row_is_next", "audit_row_is_kept", "audit_row_is_final"):
        conn.execute(f"DROP TRIGGER {trigger}")
    for statement in statements:
        conn.execute(statement)
    conn.commit()
    conn.close()


def faults(path: Path, known: Head | None = None) -> list[str]:
    conn = apsw.Connection(str(path))
    try:
        return [fault.words for fault in audit.verify(conn, known)]
    finally:
        conn.close()


def contents(path: Path) -> list[tuple[object, ...]]:
    conn = apsw.Connection(str(path))
    try:
        return list(conn.execute(QUERY))
    finally:
        conn.close()


def test_a_good_audit_has_no_faults(tmp_path: Path) -> None:
    head = make_audit(tmp_path / "a.db")
    assert head.count == COUNT
    assert faults(tmp_path / "a.db") == []
    assert faults(tmp_path / "a.db", head) == []
    assert faults(tmp_path / "a.db", EMPTY) == []


def test_what_was_noted_is_read_back(tmp_path: Path) -> None:
    make_audit(tmp_path / "a.db")
    conn = apsw.Connection(str(tmp_path / "a.db"))
    rows = audit.rows(conn, last=2)
    assert [row.number for row in rows] == [11, 12]
    assert rows[-1].entry == AuditEntry(
        1012.25, "user ann12", "limits.set", "limits", {"a": 12}, ["ü"], "done"
    )
    assert [row.number for row in audit.rows(conn, after=10)] == [11, 12]
    assert audit.hash_at(conn, 12) == rows[-1].hash
    assert audit.hash_at(conn, 0) == EMPTY.hash
    assert audit.hash_at(conn, 13) is None
    conn.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_row WHERE number = 3",
        "UPDATE audit_row SET who = 'nobody' WHERE number = 3",
        "INSERT OR REPLACE INTO audit_row SELECT 3, at, who, action, target, before, after, outcome, hash"
        " FROM audit_row WHERE number = 4",
        "INSERT INTO audit_row SELECT 99, at, who, action, target, before, after, outcome, hash"
        " FROM audit_row WHERE number = 4",
    ],
)
def test_the_table_is_only_ever_added_to(tmp_path: Path, statement: str) -> None:
    make_audit(tmp_path / "a.db")
    conn = sqlite3.connect(tmp_path / "a.db")
    with pytest.raises(sqlite3.IntegrityError, match="only ever added to"):
        conn.execute(statement)
    conn.close()
    assert faults(tmp_path / "a.db") == []


@pytest.mark.parametrize(
    ("statements", "word"),
    [
        (["DELETE FROM audit_row WHERE number = 5"], "row 5 is missing"),
        (["DELETE FROM audit_row WHERE number = 1"], "row 1 is missing"),
        (["UPDATE audit_row SET who = 'user eve' WHERE number = 5"], "row 5"),
        (["UPDATE audit_row SET at = at + 1 WHERE number = 5"], "row 5"),
        (["UPDATE audit_row SET outcome = 'refused' WHERE number = 12"], "row 12"),
        (["UPDATE audit_row SET hash = zeroblob(32) WHERE number = 5"], "row 5"),
        (
            [
                "UPDATE audit_row SET number = -1 WHERE number = 5",
                "UPDATE audit_row SET number = 5 WHERE number = 6",
                "UPDATE audit_row SET number = 6 WHERE number = -1",
            ],
            "row 5",
        ),
        (  # a field's end moved into the next one
            ["UPDATE audit_row SET who = 'user ann5l', action = 'imits.set' WHERE number = 5"],
            "row 5",
        ),
    ],
)
def test_tampering_is_found(tmp_path: Path, statements: list[str], word: str) -> None:
    make_audit(tmp_path / "a.db")
    tampered(tmp_path / "a.db", *statements)
    assert word in faults(tmp_path / "a.db")[0]


def test_a_cut_tail_is_found_by_a_head_that_somebody_else_kept(tmp_path: Path) -> None:
    head = make_audit(tmp_path / "a.db")
    tampered(tmp_path / "a.db", f"DELETE FROM audit_row WHERE number > {COUNT - 3}")
    assert faults(tmp_path / "a.db") == []
    assert "tail was cut: 12 rows" in faults(tmp_path / "a.db", head)[0]


def test_a_rewritten_history_is_found_by_a_head_that_somebody_else_kept(tmp_path: Path) -> None:
    head = make_audit(tmp_path / "a.db")
    make_audit(tmp_path / "b.db", COUNT - 1)
    conn = apsw.Connection(str(tmp_path / "b.db"))
    with conn:
        for _ in range(2):
            audit.append(conn, AuditEntry(5.0, "user eve", "nothing"))
    conn.close()
    assert faults(tmp_path / "b.db") == []
    assert "history was rewritten" in faults(tmp_path / "b.db", head)[0]


def test_every_flipped_byte_is_found_or_was_no_content(tmp_path: Path) -> None:
    """Each byte of the file in turn: what verify lets pass must read exactly as it was."""
    path = tmp_path / "a.db"
    head = make_audit(path)
    raw, good = path.read_bytes(), contents(path)
    found = 0
    for offset in range(len(raw)):
        changed = bytearray(raw)
        changed[offset] ^= 0x01
        conn = apsw.Connection(":memory:")
        conn.deserialize("main", bytes(changed))
        if audit.verify(conn, head):
            found += 1
        else:
            assert list(conn.execute(QUERY)) == good, f"byte {offset}"
        conn.close()
    assert found > COUNT * 100  # a row holds more than 100 bytes


@given(bit=st.integers(0, 7), at=st.integers(0, 10**6))
def test_flipping_any_bit_of_any_field_is_found(
    bit: int, at: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("audit") / "a.db"
    make_audit(path, 3)
    conn = sqlite3.connect(path)
    for trigger in ("audit_row_is_final",):
        conn.execute(f"DROP TRIGGER {trigger}")
    number = at % 3 + 1
    field = ["who", "action", "target", "before", "after", "outcome", "hash"][at % 7]
    (value,) = conn.execute(f"SELECT CAST({field} AS BLOB) FROM audit_row WHERE number = {number}").fetchone()
    changed = bytearray(value)
    changed[at % len(changed)] ^= 1 << bit
    cast = "?" if field == "hash" else "CAST(? AS TEXT)"
    conn.execute(f"UPDATE audit_row SET {field} = {cast} WHERE number = {number}", (bytes(changed),))
    conn.commit()
    conn.close()
    assert faults(path)


@pytest.mark.parametrize("text", ["{", "NaN", "[" * 100_000, '"\\ud800"', "1e999", "9" * 5000, ""])
def test_a_row_that_was_tampered_with_is_read_as_far_as_it_goes(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.db"
    make_audit(path)
    tampered(
        path,
        f"UPDATE audit_row SET before = '{text}' WHERE number = 2",
        "UPDATE audit_row SET who = CAST(x'ff' AS TEXT), at = 9e999, hash = x'' WHERE number = 2",
    )
    conn = apsw.Connection(str(path))
    row = audit.rows(conn)[1]
    conn.close()
    assert (row.entry.before, row.entry.who, row.entry.at_utc_s) == (text, "\ufffd", 0.0)
    assert row.entry.after == ["ü"]
    assert faults(path)


def test_what_is_too_long_is_kept_by_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    make_audit(path, 0)
    conn = apsw.Connection(str(path))
    with conn:
        audit.append(conn, AuditEntry(1.0, "user ann", "x", before="y" * 20000))
    (row,) = audit.rows(conn)
    assert row.entry.before["too_long_chars"] == 20002
    assert audit.verify(conn) == []
    conn.close()


@pytest.mark.parametrize("value", [object(), float("nan"), "\ud800", {1, 2}])
def test_what_json_cannot_say_is_refused_and_nothing_is_noted(tmp_path: Path, value: object) -> None:
    path = tmp_path / "a.db"
    make_audit(path, 1)
    conn = apsw.Connection(str(path))
    with pytest.raises((TypeError, ValueError)), conn:
        audit.append(conn, AuditEntry(1.0, "user ann", "x", after=value))
    assert audit.head(conn).count == 1
    conn.close()


def test_a_head_says_itself(tmp_path: Path) -> None:
    head = make_audit(tmp_path / "a.db")
    assert Head.parse(f" {head}\n") == head


@pytest.mark.parametrize("text", ["", "3", "3:abc", "x:" + "0" * 64, "-1:" + "0" * 64, "3:" + "z" * 64])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"head|hexadecimal"):
        Head.parse(text)


def test_reordering_any_two_rows_is_found(tmp_path: Path) -> None:
    rng = random.Random(7)
    swap: Callable[[int, int], list[str]] = lambda a, b: [  # noqa: E731
        f"UPDATE audit_row SET number = -1 WHERE number = {a}",
        f"UPDATE audit_row SET number = {a} WHERE number = {b}",
        f"UPDATE audit_row SET number = {b} WHERE number = -1",
    ]
    for turn in range(10):
        path = tmp_path / f"{turn}.db"
        make_audit(path)
        first, second = sorted(rng.sample(range(1, COUNT + 1), 2))
        tampered(path, *swap(first, second))
        assert faults(path)
