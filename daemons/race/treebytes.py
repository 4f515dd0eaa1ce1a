"""A tree as bytes, and the name of its content; what is as it was before is not made into bytes again. Pure.

The parts of a tree that are as they were are the same objects (see `tree`), so a lap costs the bytes of one race,
however many there are. The name is made of the content alone: the same across a restart, and at the pits and in the
cloud.
"""

import hashlib
import json
from typing import Any

from attrs import define, field, frozen

from daemons.race.tree import Tree

__all__ = ["TreeEncoder", "to_json"]

_MAPS = frozenset({"rounds", "races", "pilots", "stages"})
"""The parts that are made into bytes entry by entry."""

_ID_CHARACTERS = 20


def to_json(value: object) -> bytes:
    """Return a value as compact JSON. Raises ValueError for numbers that JSON has not."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


@frozen(eq=False)
class _Piece:
    value: Any
    body: bytes
    digest: bytes


@define(eq=False)
class TreeEncoder:
    """Makes trees of one site into bytes, one after the other."""

    _pieces: dict[tuple[str, str], _Piece] = field(factory=dict, init=False)

    def encode(self, tree: Tree) -> tuple[str, list[bytes]]:
        """Return the name of the tree's content and its JSON, in pieces to be joined."""
        pieces: dict[tuple[str, str], _Piece] = {}
        digest = hashlib.sha256()
        body: list[bytes] = [b"{"]
        for key, value in tree.items():
            body += (b"," if len(body) > 1 else b"", to_json(key), b":")
            if key not in _MAPS:
                entries = [("", value)]
            else:
                entries = list(value.items())
                body.append(b"{")
            for place, (entry, inner) in enumerate(entries):
                piece = self._pieces.get((key, entry))
                if piece is None or piece.value is not inner:
                    encoded = to_json(inner) if key not in _MAPS else to_json(entry) + b":" + to_json(inner)
                    piece = _Piece(inner, encoded, hashlib.sha256(encoded).digest())
                pieces[key, entry] = piece
                if place:
                    body.append(b",")
                body.append(piece.body)
                digest.update(key.encode() + piece.digest)
            if key in _MAPS:
                body.append(b"}")
        body.append(b"}")
        self._pieces = pieces
        return digest.hexdigest()[:_ID_CHARACTERS], body
