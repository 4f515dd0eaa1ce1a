"""What a body of FPVTrackside is worth. Its status is always 200 and its content type missing or wrong.

A missing file is 200 with no bytes, any other unknown path 200 with the home page, a file that is being
written is empty or half there. So the body is judged, by what its path promises. Shapes: FPVTracksideCore
`DB/JSON`, 2.77.
"""

import json
import re
from enum import Enum

from daemons.race.slices import (
    VALUES_MAX,
    WHOLE_BYTES_MAX,
    Shape,
    in_turns,
    no_constant,
    shape_in_steps,
    shape_of,
    values_at_most,
)
from protocol.canonical import validator_of
from protocol.errors import ErrorCode, RequestError

__all__ = [
    "CANONICAL_BYTES_MAX", "CANONICAL_VALUES_MAX", "Verdict", "check_body", "is_hostname_page", "is_json_path",
    "judge", "judge_in_turns", "names_event", "validator_for", "words_for",
]  # fmt: skip


class Verdict(Enum):
    """What a body is. Only GOOD ones are ever passed on or remembered."""

    GOOD = "good"
    EMPTY = "empty"  # no such file, or one that is just being written
    TORN = "torn"  # no JSON where JSON is due: most likely just being written
    HOME_PAGE = "home page"  # what FPVTrackside answers to a path it does not know
    WRONG_SHAPE = "wrong shape"  # whole, and not what the path promises


CANONICAL_BYTES_MAX = 1024 * 1024
CANONICAL_VALUES_MAX = 50_000
"""Above these the validator is of the bytes: canonicalising 8 MiB would hold up everything else for seconds."""

_BOM = b"\xef\xbb\xbf"
_LISTS = frozenset(
    f"{name}.json"
    for name in ("event", "pilots", "rounds", "stages", "results", "race", "result", "channels")
)
_HOME_PAGE = re.compile(rb"new\s+EventManager\s*\(")
_HOME_PAGE_EVENT = re.compile(rb"new\s+EventManager\s*\(\s*[\"']events/(?P<event>[0-9a-fA-F-]{36})[\"'/]")
_NO_EVENT = b"00000000-0000-0000-0000-000000000000"


def is_json_path(path: str) -> bool:
    """Does this path promise JSON?"""
    return path == "/current" or path.casefold().endswith(".json")


def _shape(content: bytes) -> Shape:
    """Return the shape of the JSON of a UTF-8 body. Raises ValueError when there is none, or none that can be
    held."""
    try:
        return shape_of(json.loads(content.decode("utf-8"), parse_constant=no_constant))
    except RecursionError:
        raise ValueError("nested too deep") from None


def _is_due(path: str, shape: Shape) -> bool:
    """Is JSON of this shape what the path promises?"""
    if path == "/current":
        return shape is Shape.OBJECT
    if path.casefold().rpartition("/")[2] in _LISTS:
        return shape is Shape.OBJECTS
    return shape is not Shape.SCALAR


def judge(path: str, body: bytes) -> Verdict:
    """Return what `body` is worth as the content of `path`. Never raises; a byte order mark is left out of
    it. Takes as long as parsing it takes: `judge_in_turns` is for bodies of any size."""
    content = body.removeprefix(_BOM)
    verdict = _at_first_sight(path, content)
    if verdict is not None:
        return verdict
    try:
        return Verdict.GOOD if _is_due(path, _shape(content)) else Verdict.WRONG_SHAPE
    except ValueError:
        return Verdict.TORN


async def judge_in_turns(path: str, body: bytes) -> Verdict:
    """Do as `judge`, a step at a time where the body is large, so that it holds nobody up. Safe to cancel.

    A large body is also TORN when it has more values than anybody's race, or a text too long to be one of them.
    """
    if len(body) <= WHOLE_BYTES_MAX:
        return judge(path, body)
    content = body.removeprefix(_BOM)
    verdict = _at_first_sight(path, content)
    if verdict is not None:
        return verdict
    if values_at_most(content) > VALUES_MAX:
        return Verdict.TORN
    try:
        shape = await in_turns(shape_in_steps(content.decode("utf-8")))
    except ValueError:
        return Verdict.TORN
    return Verdict.GOOD if _is_due(path, shape) else Verdict.WRONG_SHAPE


def _at_first_sight(path: str, content: bytes) -> Verdict | None:
    """Judge what can be judged without parsing JSON; None when that is needed."""
    if not content:
        return Verdict.EMPTY
    is_markup = content.lstrip()[:1] == b"<"
    if is_json_path(path):
        return Verdict.HOME_PAGE if is_markup else None
    if path == "/":
        return Verdict.GOOD if is_markup else Verdict.WRONG_SHAPE
    if is_markup and not path.endswith((".html", ".htm")) and _HOME_PAGE.search(content):
        return Verdict.HOME_PAGE
    return Verdict.GOOD


async def check_body(path: str, body: bytes) -> None:
    """Raise RequestError(ORIGIN_INVALID), with words, unless `body` is good for `path`. Safe to cancel."""
    verdict = await judge_in_turns(path, body)
    if verdict is not Verdict.GOOD:
        raise RequestError(ErrorCode.ORIGIN_INVALID, words_for(verdict))


def validator_for(path: str, body: bytes) -> bytes:
    """Return the validator of a body that was judged good: semantic for JSON, by its bytes for all else.

    Also by its bytes for what is JSON to FPVTrackside but not to RFC 8785 (a key twice, half a surrogate pair), and
    for what is so large that taking it apart would hold everybody up.
    """
    is_small = len(body) <= CANONICAL_BYTES_MAX and values_at_most(body) <= CANONICAL_VALUES_MAX
    if is_json_path(path) and is_small:
        try:
            return validator_of(body, is_json=True)
        except ValueError:
            pass
    return validator_of(body, is_json=False)


def words_for(verdict: Verdict) -> str:
    """Return what to tell somebody who asked for a path and this is what the origin has there."""
    match verdict:
        case Verdict.EMPTY:
            return "FPVTrackside's file is empty"
        case Verdict.TORN:
            return "FPVTrackside's file is torn: it does not parse as JSON"
        case Verdict.HOME_PAGE:
            return "FPVTrackside does not know this path: it answers with its home page"
        case _:
            return "FPVTrackside's answer is not what belongs at this path"


def names_event(home_page: bytes) -> bool:
    """Does the home page name an open event?"""
    found = _HOME_PAGE_EVENT.search(home_page)
    return found is not None and found["event"] != _NO_EVENT


def is_hostname_page(status: int, body: bytes) -> bool:
    """Is this http.sys refusing the Host header: a server that answers to another name only?"""
    return status == 400 and b"invalid hostname" in body.lower()
