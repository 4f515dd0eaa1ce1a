"""The history of a race as a chain: each entry says what was seen first when, and hashes the entry before. Pure.

An entry's hash is SHA-256 over its canonical JSON (RFC 8785), in which `prev` is the hash of the entry before it (64
zeros at the first). So whoever noted one hash can later tell whether anything up to there was changed, left out or put
in another order: a changed entry has another hash, and so has every one behind it.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

from attrs import evolve, frozen

from protocol.canonical import canonicalize

__all__ = ["FIRST", "Entry", "Verdict", "clean_head", "next_entry", "verify"]

FIRST = "0" * 64
"""What stands for the entry before the first."""

HEAD_DIGITS_MIN = 12
"""So much of a head must have been noted at least: a chance of one in 280 million million to be met by accident."""

LINE_BYTES_MAX = 4096
ENTRIES_MAX = 100_000

_HASH = re.compile(r"[0-9a-f]{64}")


@frozen(kw_only=True)
class Entry:
    """One version of one file. `at`: when it was seen first, UTC; `path`: of FPVTrackside's web server; `sha256`:
    of the file's bytes as they were kept; `number`: 1, 2, 3 … of this history."""

    at: str
    size: int
    number: int
    path: str
    prev: str
    sha256: str

    @property
    def hash(self) -> str:
        """What the next entry has as `prev`; of the newest entry: the head."""
        return hashlib.sha256(_encode(self._fields())).hexdigest()

    def line(self) -> bytes:
        """Return it as a line of the history: canonical JSON with its own hash added."""
        return _encode({**self._fields(), "hash": self.hash}) + b"\n"

    def _fields(self) -> dict[str, Any]:
        return {
            "at": self.at, "number": self.number, "path": self.path, "prev": self.prev, "sha256": self.sha256,
            "size": self.size,
        }  # fmt: skip


def _encode(fields: dict[str, Any]) -> bytes:
    """Return the canonical JSON of texts and whole numbers, which is what the C encoder writes of them."""
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def next_entry(last: Entry | None, *, at: str, path: str, sha256: str, size: int) -> Entry:
    """Return the entry that follows `last` (None: it is the first)."""
    number, prev = (1, FIRST) if last is None else (last.number + 1, last.hash)
    return Entry(at=at, size=size, number=number, path=path, prev=prev, sha256=sha256)


@frozen
class Verdict:
    """What came of reading a history. `last`: the last entry that holds; `broken`: why it ends there, "" when it is
    whole. `noted`: the entry whose hash somebody had noted; None when it was not found, or nothing was noted."""

    entries: int
    last: Entry | None
    broken: str = ""
    noted: Entry | None = None


def clean_head(text: str) -> str:
    """Return the digits of a head that was written down, with any blanks and dashes. Raises ValueError, in words."""
    digits = re.sub(r"[\s\-:]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]*", digits) or not HEAD_DIGITS_MIN <= len(digits) <= len(FIRST):
        raise ValueError(f"a head is {HEAD_DIGITS_MIN} to {len(FIRST)} hexadecimal digits")
    return digits


def verify(lines: Iterable[bytes], noted: str = "") -> Verdict:
    """Read a history line by line, up to where it breaks. `noted`: a head, or how one begins, as `clean_head` returns it."""
    verdict = Verdict(0, None)
    for line in lines:
        if not line.strip():
            continue
        try:
            entry, told = _read(line)
            _follow(verdict.last, entry, told)
            if verdict.entries >= ENTRIES_MAX:
                raise ValueError(f"it has more than {ENTRIES_MAX} entries")
        except ValueError as exc:
            return evolve(verdict, broken=str(exc))
        is_noted = noted and told.startswith(noted)
        verdict = Verdict(entry.number, entry, "", entry if is_noted else verdict.noted)
    return verdict


def _read(line: bytes) -> tuple[Entry, str]:
    """Return the entry of a line, and the hash that the line says it has. Raises ValueError."""
    if len(line) > LINE_BYTES_MAX:
        raise ValueError(f"a line of more than {LINE_BYTES_MAX} bytes")
    try:
        told = json.loads(canonicalize(line))
    except ValueError:
        raise ValueError("a line that is not JSON") from None
    hash_ = told.pop("hash", None) if isinstance(told, dict) else None
    if not isinstance(hash_, str) or not _HASH.fullmatch(hash_) or not _is_entry(told):
        raise ValueError("a line that is no entry of a history")
    return Entry(**told), hash_


def _is_entry(fields: dict[str, Any]) -> bool:
    kinds = {"at": str, "size": int, "number": int, "path": str, "prev": str, "sha256": str}
    return fields.keys() == kinds.keys() and all(type(fields[name]) is kind for name, kind in kinds.items())


def _follow(last: Entry | None, entry: Entry, told: str) -> None:
    """Raise ValueError, in words, unless `entry` follows `last` and has the hash it says."""
    due = 1 if last is None else last.number + 1
    if entry.number != due:
        raise ValueError(f"entry {due} is missing: entry {entry.number} stands in its place")
    if entry.prev != (FIRST if last is None else last.hash):
        raise ValueError(
            f"entry {entry.number} does not follow from the one before it: one of them was changed"
        )
    if entry.hash != told:
        raise ValueError(f"entry {entry.number} was changed: its hash is another than the one it says")
