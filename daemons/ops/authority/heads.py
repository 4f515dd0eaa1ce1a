"""Heads of audits, kept where their owner cannot reach: each end of a link tells the other the head of its own.

Who is told compares it with what it keeps: the same rows or more, proven by the teller's hash at the kept count. Fewer
rows, or others, are a *break*: said in words until an operator accepts the new head, and the old one stays. So whoever
cuts or rewrites an audit must do it at both ends at once.
"""

import apsw
from attrs import frozen

from daemons.ops.authority.audit import EMPTY, HASH_BYTES, Head, hash_at, head
from daemons.store.migrations import Migration

__all__ = [
    "MIGRATIONS",
    "KeptHead",
    "Told",
    "Verdict",
    "accept",
    "judge",
    "kept_by",
    "kept_of",
    "list_kept",
    "note_kept_by",
    "tell",
]

_TABLES = """
CREATE TABLE audit_head_of (       -- the peer's, kept here
    peer TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    hash BLOB NOT NULL,
    at REAL NOT NULL,              -- UTC seconds
    broken TEXT NOT NULL           -- in words; '' while all is well
) STRICT;

CREATE TABLE audit_head_by (       -- ours, as the peer last said that it keeps it
    peer TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    hash BLOB NOT NULL,
    at REAL NOT NULL
) STRICT;
"""

MIGRATIONS = (Migration("heads", 1, _TABLES),)


@frozen
class Told:
    """What one end tells: its head, and its hash at the count that it believes the other keeps."""

    head: Head
    kept_count: int
    hash_then: bytes


@frozen
class Verdict:
    """The answer. `agreed` None: tell again, with the hash at `kept.count` (whose own hash is not given away then)."""

    kept: Head
    agreed: bool | None


@frozen
class KeptHead:
    """A peer's head as it is kept here. `broken`: why what it told later was not taken, "" while all is well."""

    peer: str
    head: Head
    at: float
    broken: str


def tell(conn: apsw.Connection, kept_count: int) -> Told:
    """Return what to tell a peer that keeps our head of `kept_count` rows."""
    return Told(head(conn), kept_count, hash_at(conn, kept_count) or EMPTY.hash)


def judge(conn: apsw.Connection, peer: str, told: Told, now: float) -> tuple[Verdict, str]:
    """Compare what `peer` tells with what is kept of it, and keep it if it follows.

    Returns the verdict and what is wrong in words. Writes only what is news.
    """
    known = kept_of(conn, peer)
    kept = EMPTY if known is None else known.head
    words = ""
    if told.head.count < kept.count:
        words = f"{peer} has {told.head.count} rows of audit, and had {kept.count}: its end was cut off"
    elif told.head.count == kept.count:
        if told.head.hash != kept.hash:
            words = f"row {kept.count} of the audit of {peer} is another one than it was"
    elif kept.count and told.kept_count != kept.count:
        return Verdict(Head(kept.count, EMPTY.hash), None), ""
    elif kept.count and told.hash_then != kept.hash:
        words = f"row {kept.count} of the audit of {peer} is another one than it was, and rows follow it"
    if words:
        if known is not None and known.broken != words:
            conn.execute("UPDATE audit_head_of SET broken = ? WHERE peer = ?", (words, peer))
        return Verdict(kept, False), words
    if known is None or known.head != told.head or known.broken:
        row = (peer, told.head.count, told.head.hash, now, "")
        conn.execute("INSERT OR REPLACE INTO audit_head_of VALUES (?, ?, ?, ?, ?)", row)
    return Verdict(told.head, True), ""


def accept(conn: apsw.Connection, peer: str) -> KeptHead | None:
    """Forget what is kept of a peer, so that the head it tells next is taken; return it, None when there is nothing."""
    known = kept_of(conn, peer)
    conn.execute("DELETE FROM audit_head_of WHERE peer = ?", (peer,))
    return known


def kept_of(conn: apsw.Connection, peer: str) -> KeptHead | None:
    """Return the head that is kept of a peer."""
    return next((kept for kept in list_kept(conn) if kept.peer == peer), None)


def list_kept(conn: apsw.Connection) -> list[KeptHead]:
    """Return the heads of all peers."""
    rows = conn.execute("SELECT peer, count, hash, at, broken FROM audit_head_of ORDER BY peer")
    return [
        KeptHead(str(peer), Head(count, digest), at, str(broken)) for peer, count, digest, at, broken in rows
    ]


def note_kept_by(conn: apsw.Connection, peer: str, kept: Head, now: float) -> None:
    """Note what a peer said that it keeps of ours."""
    conn.execute(
        "INSERT OR REPLACE INTO audit_head_by VALUES (?, ?, ?, ?)", (peer, kept.count, kept.hash, now)
    )


def kept_by(conn: apsw.Connection) -> dict[str, Head]:
    """Return what peers keep of ours, by peer, as they last said."""
    rows = conn.execute("SELECT peer, count, hash FROM audit_head_by ORDER BY peer")
    return {str(peer): Head(count, digest) for peer, count, digest in rows}


def is_hash(value: object) -> bool:
    """Can this be a hash of the audit?"""
    return isinstance(value, bytes) and len(value) == HASH_BYTES
