"""Versions of the software, as a hello names them: "pitlink 0.1.0". What is not numbers and dots is older than all."""

import re

__all__ = ["check_version", "is_older"]

_VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,3}")


def check_version(text: str) -> None:
    """Raise ValueError unless `text` is a version such as 0.2.0."""
    if not _VERSION.fullmatch(text):
        raise ValueError(f"{text!r} is no version; they are written like 0.2.0")


def is_older(software: str, minimum: str) -> bool:
    """Is the software of a hello ("pitlink 0.1.0") older than `minimum` ("0.2.0")? Nothing is older than ""."""
    return bool(minimum) and _numbers(software.rpartition(" ")[2]) < _numbers(minimum)


def _numbers(version: str) -> tuple[int, ...]:
    found = _VERSION.match(version)  # "0.2.0-rc1" counts as 0.2.0
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
