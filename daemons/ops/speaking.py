"""What a client of the admin API says of itself: for whom its user asks, and that it only wants to look."""

import re

__all__ = ["NAME_WORDS", "ONLY_LOOKS", "SPEAKS_FOR", "is_speakable"]

SPEAKS_FOR = "Pitlink-Speaks-For"
"""At a Unix socket: a name, which the audit shows beside that of the user who said it."""

ONLY_LOOKS = "Pitlink-Only-Looks"
"""Anywhere: no deed is to be done in answer to this."""

NAME_WORDS = "64 letters of ASCII, digits and . _ @ + - at most, beginning with a letter or digit"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


def is_speakable(name: str) -> bool:
    """May this be said to be the name of somebody?"""
    return _NAME.fullmatch(name) is not None
