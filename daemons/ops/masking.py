"""Secrets do not leave by the log: what is known to be one, and what looks like one, becomes `***`.

It works on the finished text of a line, behind every processor and every formatter of an exception, so nothing that
a caller does with structlog or with logging gets around it.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

__all__ = ["MASK", "keep_secret", "mask_keys", "mask_text"]

MASK: Final = "***"
_SECRETS_MAX: Final = 1_000
_CHARS_MIN: Final = 8
"""A shorter secret is no secret, and would mask half the words of the log."""

_LOOKS_LIKE_ONE: Final = re.compile(
    r"""
    eyJ[\w-]{5,}\.[\w-]*\.?[\w-]*               # a JWT, also without its signature
    | \bpl[a-z]?_[\w-]{16,}                     # one of our own tokens
    | (?<=://)[^/\s@"']{1,256}:[^/\s@"']{1,256}(?=@)  # user and password in a URL
    | -----BEGIN[ A-Z]*PRIVATE[ ]KEY-----.*?(?:-----END[ A-Z]*-----|$)
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_HEADER: Final = re.compile(
    r"""((?:authorization|set-cookie|cookie|x-api-key)['"]?\s*[:=,]\s*b?['"]?\s*(?:\w+\s+)?)[!#-&(-+\-.-:<-~]+"""
    r"""|\b((?:bearer|basic)\s+)(?=\S*[\d_.=+/-])[\w.~+/=-]{8,}""",
    re.IGNORECASE | re.ASCII,
)
_SECRET_KEY: Final = re.compile(
    r"(?:^|_)(?:authorization|cookie|credential|passw(?:or)?d|passphrase|secret|private_key|token|jwt|refresh)$",
    re.IGNORECASE,
)
_HINTS: Final = ("eyj", "pl", "://", "begin", "auth", "cookie", "api-key", "bearer", "basic")

_lock = threading.Lock()
_secrets: OrderedDict[str, None] = OrderedDict()


def keep_secret(text: str) -> None:
    """Have `text` masked wherever it appears from now on. The last 1,000 are remembered; of 8 characters or more."""
    if len(text) < _CHARS_MIN:
        return
    with _lock:
        _secrets[text] = None
        _secrets.move_to_end(text)
        while len(_secrets) > _SECRETS_MAX:
            _secrets.popitem(last=False)


def mask_text(text: str) -> str:
    """Return the text with every secret in it replaced."""
    for secret in tuple(_secrets):
        if secret in text:
            text = text.replace(secret, MASK)
    low = text.lower()
    if not any(hint in low for hint in _HINTS):
        return text
    text = _HEADER.sub(lambda found: f"{found[1] or found[2]}{MASK}", text)
    return _LOOKS_LIKE_ONE.sub(MASK, text)


def mask_keys(_: Any, __: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Mask the values of keys that name a secret, at any depth: a processor of structlog."""
    return {
        key: (MASK if _is_secret(key) else value) if type(value) is str else _masked(key, value, 4)
        for key, value in event.items()
    }


@lru_cache(1024)
def _is_secret(name: str) -> bool:
    return bool(_SECRET_KEY.search(name.replace("-", "_")))


def _names_secret(key: object, value: object) -> bool:
    name = key.decode("latin-1") if isinstance(key, bytes) else key
    return isinstance(name, str) and isinstance(value, str | bytes) and _is_secret(name)


def _masked(key: object, value: Any, depth: int) -> Any:
    return MASK if _names_secret(key, value) else _inside(value, depth)


def _inside(value: Any, depth: int) -> Any:
    if isinstance(value, int | float | str | None):
        return value
    if isinstance(value, Mapping) and depth:
        return {key: _masked(key, item, depth - 1) for key, item in value.items()}
    if type(value) in (list, tuple) and depth:
        if len(value) == 2 and _names_secret(value[0], value[1]):  # a header
            return [value[0], MASK]
        return [_inside(item, depth - 1) for item in value]
    return value
