"""The path gate: which paths of the origin may be asked for. The only wall around the organiser's laptop.

FPVTrackside's web server decodes a path after the URL was parsed, drops empty segments, joins the rest to its
working folder and serves whatever file that names: profile settings, passwords in plain text, with `\\` or a
drive letter any file of the disk. It runs on Windows or macOS, so a name is also what those file systems take
for the same name. The gate therefore decodes once, refuses every path that could mean something else to
somebody further down, and only then looks at the allowlist. What passes is one name of one file: `wire_path`
turns it into exactly one URL.

A path that is malformed is BAD_REQUEST (a query string or a fragment too: FPVTrackside knows none, so they
could only split a cache); one that is well formed and not allowed is DENIED.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Self
from urllib.parse import quote, unquote_to_bytes

from attrs import frozen

from protocol.errors import ErrorCode, RequestError

__all__ = ["DEFAULT_RULES", "PATH_BYTES_MAX", "PathGate", "Rule", "normalise_path", "wire_path"]

PATH_BYTES_MAX = 1024
"""Longest path, as UTF-8 after decoding. As it comes it may have three times that, all escaped."""

METHODS = frozenset({"GET", "HEAD"})
"""All that a rule can allow: nothing else must ever reach FPVTrackside, which knows no methods."""

# What no file of Windows can have in its name; and `%` and `#`, which somebody further down could act on.
_FORBIDDEN = frozenset('\\:%#?*"<>|')
# Opening one of these under Windows, with any suffix, opens a device: a read of CON would hang the server's
# one thread.
_DEVICE = re.compile(r"(con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9]|lpt[0-9])", re.IGNORECASE)
# The second name that Windows gives to a long one: PILOTS~1.JSO is Pilots.json.
_SHORT_NAME = re.compile(r"~[0-9]")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def _bad(words: str) -> RequestError:
    return RequestError(ErrorCode.BAD_REQUEST, words)


def _denied(words: str) -> RequestError:
    return RequestError(ErrorCode.DENIED, words)


def _decode(raw_path: str) -> str:
    """Percent-decode once. `raw_path` may hold characters outside ASCII as they are."""
    if not raw_path.startswith("/"):
        raise _bad("a path begins with /")
    if "?" in raw_path or "#" in raw_path:
        raise _bad("a path has no query and no fragment here")
    if _ESCAPE.search(raw_path):
        raise _bad("the path has a malformed percent escape")
    try:
        if len(raw_path) > 3 * PATH_BYTES_MAX:
            raise _bad("the path is too long")
        path = unquote_to_bytes(raw_path).decode("utf-8")
    except UnicodeError:
        raise _bad("the path is not UTF-8") from None
    if len(path.encode()) > PATH_BYTES_MAX:
        raise _bad(f"a path has at most {PATH_BYTES_MAX} bytes")
    return path


def _refuse_characters(text: str) -> None:
    for char in text:
        if char in _FORBIDDEN:
            raise _denied(f"a path may not contain {char!r}")
        category = unicodedata.category(char)
        # Controls, invisible and unassigned characters; separators other than the space.
        if category[0] == "C" or (category[0] == "Z" and char != " "):
            raise _denied(f"a path may not contain U+{ord(char):04X}")


def _refuse_segment(segment: str) -> None:
    # `.` and `..` end with a dot as well; Windows drops dots and spaces from the end of a name.
    if segment.endswith((".", " ")):
        raise _denied("a segment of a path may not be a dot segment, or end with a dot or a space")
    stem = segment.split(".", 1)[0].rstrip(" ")
    if _DEVICE.fullmatch(stem):
        raise _denied("a segment of a path may not name a device")
    if _SHORT_NAME.search(segment):
        raise _denied("a segment of a path may not be a short name")


def _check_path(path: str) -> None:
    """Refuse a decoded path that could be taken for another one."""
    if path == "/":
        return
    if "//" in path or path.endswith("/"):
        raise _bad("a path has no empty segments and no slash at its end")
    # Also what a careless conversion further down would make of it: U+FF0F is a slash to NFKC, U+2025 two
    # dots.
    folded = unicodedata.normalize("NFKC", path)
    if folded.count("/") != path.count("/"):
        raise _denied("a path may not contain look-alikes of the slash")
    for form in {path, folded}:
        _refuse_characters(form)
        for segment in form[1:].split("/"):
            _refuse_segment(segment)


# The same few hundred paths come again and again; what is refused is looked at each time.
@lru_cache(maxsize=1024)
def normalise_path(raw_path: str) -> str:
    """Return the one decoded form of `raw_path`, as it came in a request.

    The result is also valid as input and gives itself. Raises RequestError: BAD_REQUEST when malformed,
    DENIED when it could be taken for another path.
    """
    path = _decode(raw_path)
    _check_path(path)
    return path


def wire_path(path: str) -> str:
    """Return the request target for a normalised path: all but RFC 3986's unreserved characters escaped.

    It decodes to `path` by any decoder. Raises RequestError when `path` is not normalised, so that no way
    around the gate leads to the origin with a dangerous path.
    """
    if normalise_path(path) != path:
        raise _bad("the path is not normalised")
    return quote(path, safe="/")


def _check_pattern(pattern: str) -> None:
    if not pattern:
        raise ValueError("an allowlist pattern is empty: write `GET,HEAD /events/**`")
    plain = pattern.removesuffix("/**") or "/"
    try:
        is_normal = normalise_path(plain) == plain
    except RequestError as exc:
        raise ValueError(f"allowlist pattern {pattern!r}: {exc.words}") from None
    if not is_normal:
        raise ValueError(f"allowlist pattern {pattern!r}: write it decoded, without percent escapes")


@frozen
class Rule:
    """One entry of the allowlist: these methods on this pattern, an exact path or a folder's `/events/**`."""

    methods: frozenset[str]
    pattern: str
    enabled: bool = True

    def __attrs_post_init__(self) -> None:
        if not self.methods or not self.methods <= METHODS:
            raise ValueError(f"allowlist pattern {self.pattern!r}: methods are of {sorted(METHODS)}")
        _check_pattern(self.pattern)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a rule as it is written in the config: `GET,HEAD /events/**`. Raises ValueError in words."""
        methods, _, pattern = text.strip().partition(" ")
        return cls(frozenset(methods.split(",")), pattern.strip())

    def __str__(self) -> str:
        return f"{','.join(sorted(self.methods))} {self.pattern}"

    def covers(self, path: str) -> bool:
        """Does the pattern match this normalised path? Letters count as they are, capital or small."""
        if self.pattern.endswith("/**"):
            folder = self.pattern.removesuffix("**")
            return path.startswith(folder) and len(path) > len(folder)
        return path == self.pattern


DEFAULT_RULES: Sequence[Rule] = tuple(
    Rule.parse(text)
    for text in ("GET,HEAD /", "GET,HEAD /current", "GET,HEAD /events/**", "GET,HEAD /httpfiles/**")
)


class PathGate:
    """The allowlist in force. Its rules are the ceiling: they can be switched, never added to or widened.

    A path passes when any rule that is switched on covers it with its method. Not thread-safe, never waits.
    """

    def __init__(self, rules: Iterable[Rule] = DEFAULT_RULES) -> None:
        """Raises ValueError when two rules have the same pattern."""
        self._rules: dict[str, Rule] = {}
        self._enabled: dict[str, bool] = {}
        for rule in rules:
            if rule.pattern in self._rules:
                raise ValueError(f"allowlist pattern {rule.pattern!r} is there twice")
            self._rules[rule.pattern] = rule
            self._enabled[rule.pattern] = rule.enabled

    def __repr__(self) -> str:
        states = ", ".join(
            f"{rule}{'' if self._enabled[rule.pattern] else ' (off)'}" for rule in self._rules.values()
        )
        return f"<PathGate {states}>"

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules as they stand now, in the order of the config."""
        return tuple(
            Rule(rule.methods, pattern, self._enabled[pattern]) for pattern, rule in self._rules.items()
        )

    def switch(self, pattern: str, *, enabled: bool) -> bool:
        """Switch the rule with exactly this pattern; return whether that changed anything.

        Raises RequestError(BAD_REQUEST) when the config has no such rule: nothing can be allowed from afar
        that the organiser has not put there.
        """
        if pattern not in self._rules:
            raise _bad(f"the allowlist has no pattern {pattern!r}")
        changed = self._enabled[pattern] is not enabled
        self._enabled[pattern] = enabled
        return changed

    def check(self, method: str, raw_path: str) -> str:
        """Return the normalised path of a request that is allowed.

        Raises RequestError: BAD_REQUEST when the path is malformed, DENIED when it is dangerous or not
        allowed.
        """
        path = normalise_path(raw_path)
        for pattern, rule in self._rules.items():
            if self._enabled[pattern] and method in rule.methods and rule.covers(path):
                return path
        raise _denied("the allowlist of this site does not have it")
