"""What the fields of durable bodies must be, whoever wrote them."""

import re
from typing import Any

from attrs import Attribute

__all__ = ["TEXT_MAX", "is_uuid", "sayable"]

TEXT_MAX = 1024
"""Characters of a text in a body; what is longer is cut. Names come from files that strangers wrote."""

_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def sayable(text: str) -> str:
    """Return `text` as the wire can carry it: not too long, no lone surrogates."""
    return text[:TEXT_MAX].encode(errors="replace").decode()


def is_uuid(_: Any, attribute: "Attribute[str]", value: str) -> None:
    """Raise ValueError for what is no UUID in lower case."""
    if _UUID.fullmatch(value) is None:
        raise ValueError(f"{attribute.name} is not a UUID")
