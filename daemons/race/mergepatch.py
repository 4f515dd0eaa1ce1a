"""JSON merge patches (RFC 7396): what makes one value out of another. Pure.

In a patch null deletes, so a value that has null for a member of an object cannot be said by one; lists are
replaced whole. Objects are compared by identity first: what was taken over from the value before costs nothing.
"""

from typing import Any

__all__ = ["apply", "diff"]

Json = Any


def diff(before: Json, after: Json) -> Json:
    """Return the patch for which `apply(before, patch)` is `after`; {} when they are the same object.

    `after` must hold no None as the value of a key, which no patch could bring about.
    """
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    patch: dict[str, Json] = {key: None for key in before if key not in after}
    for key, value in after.items():
        if key not in before:
            patch[key] = value
        elif not is_same(before[key], value):
            patch[key] = diff(before[key], value)
    return patch


def apply(target: Json, patch: Json) -> Json:
    """Return what `patch` makes of `target`, by the algorithm of RFC 7396 §2; both stay as they are."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = apply(result.get(key), value)
    return result


def is_same(one: Json, other: Json) -> bool:
    """Are these the same JSON? Unlike ==, true is not 1."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)
