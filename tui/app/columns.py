"""Columns of a table, and which of them fit: a narrow terminal leaves out what matters least."""

from collections.abc import Sequence

from attrs import frozen

__all__ = ["Column", "Placed", "place"]

GAP = 1


@frozen
class Column:
    """A column `width` cells wide. Those of the lowest `rank` stay longest; the last shown that `grows` takes what is left."""

    title: str
    width: int
    rank: int = 0
    right: bool = False
    grows: bool = False


@frozen
class Placed:
    """A column that is shown: `index` among those asked for, from cell `x`, `width` cells wide."""

    index: int
    x: int
    width: int


def place(columns: Sequence[Column], width: int) -> tuple[Placed, ...]:
    """Return where the columns stand that fit into `width` cells; the first always stands."""
    shown = list(range(len(columns)))

    def needed() -> int:
        return sum(columns[index].width + GAP for index in shown) - GAP

    while len(shown) > 1 and needed() > width:
        shown.remove(max(shown[1:], key=lambda index: (columns[index].rank, index)))
    left = max(0, width - needed())
    growing = next((index for index in reversed(shown) if columns[index].grows), None)
    placed, x = [], 0
    for index in shown:
        its = columns[index].width + (left if index == growing else 0)
        placed.append(Placed(index, x, max(0, min(its, width - x))))
        x += its + GAP
    return tuple(placed)
