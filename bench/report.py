"""What every benchmark prints: a table with ratios, and the same as JSON with `--json FILE`."""

import argparse
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with what all benchmarks share."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    return made


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under columns, aligned."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(column), *(len(row[i]) for row in texts)) for i, column in enumerate(columns)]
    print(f"\n{title}")
    print("  ".join(column.ljust(width) for column, width in zip(columns, widths, strict=True)))
    print("  ".join("-" * width for width in widths))
    for row in texts:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def write(path: Path | None, name: str, figures: dict[str, Any]) -> None:
    """Write the figures as JSON, if asked to."""
    if path is not None:
        machine = {"python": platform.python_version(), "system": platform.platform()}
        path.write_text(json.dumps({"benchmark": name, "machine": machine, **figures}, indent=2) + "\n")


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0…1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
