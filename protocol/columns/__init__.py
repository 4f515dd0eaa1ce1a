"""Rows of telemetry as batches of columns: small, self-describing, and exact as far as was asked for.

`encode(layout, rows, ticks, groups)` makes one batch; `decode(layout, data, rows_max=, bytes_max=)` opens it and
`peek(data)` reads its head. docs/columns.md describes every byte.
"""

from protocol.columns.tiers import Wish, groups_of
from protocol.columns.values import Batch, ColumnsError, Group, Head, Precision

__all__ = ["Batch", "ColumnsError", "Group", "Head", "Precision", "Wish", "groups_of"]
