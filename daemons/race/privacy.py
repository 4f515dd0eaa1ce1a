"""What must not leave the site: real names, Discord ids and photo paths of pilots, who are often minors.

Found by path and by content. By path as generously as any file system is with names: Windows and macOS take
`PILOTS.JSON` for the same file, APFS also `Pilotſ.json`. By content because a copy of the file may have any
name.
"""

import json
import re
import unicodedata
from typing import Any

from daemons.race.slices import values_at_most
from protocol.errors import ErrorCode, RequestError

__all__ = ["PRIVATE_KEYS", "is_private", "strip_private"]

PRIVATE_KEYS = ("FirstName", "LastName", "DiscordID", "PhotoPath")
"""Fields of a pilot that stay at the site (FPVTracksideCore `DB/JSON`, Pilots.json)."""

_FOLDED_KEYS = frozenset(key.casefold() for key in PRIVATE_KEYS)
_NOT_PLAIN = re.compile(r"[^a-z0-9]")
_BOM = b"\xef\xbb\xbf"
_JSON_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*[\[{]")
_IN_CONTENT = re.compile(f'"(?:{"|".join(PRIVATE_KEYS)})"\\s*:'.encode())


VALUES_MAX = 30_000
"""A file of pilots has 15 values a pilot. What has more would be taken apart for seconds, while all else waits."""


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKD", text).upper().casefold()


def is_private(path: str, body: bytes = b"") -> bool:
    """Must this pass through `strip_private` before it leaves the site?

    `path` is normalised by the path gate; `body` is what was read there.
    """
    name = _NOT_PLAIN.sub("", _fold(path.rstrip("/").rpartition("/")[2]))
    if "pilots" in name and "json" in name:
        return True
    return _JSON_START.match(body) is not None and _IN_CONTENT.search(body) is not None


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strip(item) for key, item in value.items() if _fold(key) not in _FOLDED_KEYS}
    if isinstance(value, list):
        return [_strip(item) for item in value]
    return value


def strip_private(body: bytes) -> bytes:
    """Return the JSON of `body` without any private field, at any depth. The same input gives the same bytes.

    Raises RequestError(ORIGIN_INVALID) when it is no JSON, or too much: what cannot be understood is not passed on.
    """
    if values_at_most(body) > VALUES_MAX:
        raise RequestError(
            ErrorCode.ORIGIN_INVALID, "a file with private fields is too large: it stays at the site"
        )
    try:
        value = json.loads(body.removeprefix(_BOM).decode("utf-8"))
        # ASCII, so that half a surrogate pair in somebody's nickname does not hide all pilots.
        return json.dumps(_strip(value), allow_nan=False, separators=(",", ":")).encode("ascii")
    except (ValueError, RecursionError):
        words = "a file with private fields does not parse as JSON: it stays at the site"
        raise RequestError(ErrorCode.ORIGIN_INVALID, words) from None
