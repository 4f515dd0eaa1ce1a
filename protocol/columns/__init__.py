"""Rows of telemetry as batches of columns: small, self-describing, and exact as far as was asked for.

`encode(layout, rows, ticks, groups)` makes one batch; `decode(layout, data, rows_max=, bytes_max=)` opens it and
`peek(data)` reads its head. docs/columns.md describes every byte.
"""

from protocol.columns.batch import Batch
from protocol.columns.decoding import decode, peek
from protocol.columns.encoding import ROWS_MAX, encode
from protocol.columns.info import decode_info, encode_info
from protocol.columns.snapshot import SNAPSHOT
from protocol.columns.tiers import Wish, groups_of
from protocol.columns.values import ColumnsError, Group, Head, Precision

__all__ = [
    "ROWS_MAX",
    "SNAPSHOT",
    "Batch",
    "ColumnsError",
    "Group",
    "Head",
    "Precision",
    "Wish",
    "decode",
    "decode_info",
    "encode",
    "encode_info",
    "groups_of",
    "peek",
]
