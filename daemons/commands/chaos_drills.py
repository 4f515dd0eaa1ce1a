"""`pitlink chaos drills`: the drills that can be played, and the records of those that were."""

import json
import shutil
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from daemons.commands.place import printable
from daemons.ops.drillfolder import RECORDS

if TYPE_CHECKING:
    from chaos.drills.drill import Drill

__all__ = ["drills"]

INDENT = "    "
WIDTH_MAX = 110
RECORDS_MAX = 50
RECORD_BYTES_MAX = 50_000_000


def drills(
    name: Annotated[
        str | None, Parameter(help="Print this one's file, to read or to make another of it.")
    ] = None,
    /,
    *,
    folder: Annotated[
        Path | None,
        Parameter(
            help=f"With drills of your own (*.toml), and records in it or in its {RECORDS}: list them too."
        ),
    ] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="As JSON, for programs.")] = False,
) -> int:
    """List the drills that can be played, how long each takes, and what it proves; with --folder also how some ended."""
    from chaos.drills.library import SHIPPED, shipped_text

    if name is not None:
        if name not in SHIPPED:
            print(f"pitlink: there is no drill {name!r}, only {', '.join(SHIPPED)}", file=sys.stderr)
            return 2
        print(shipped_text(name), end="")
        return 0
    found, records = _drills(folder), [] if folder is None else _records(folder)
    if as_json:
        print(json.dumps({"drills": found, "records": records}, indent=2, ensure_ascii=False))
        return 0
    width = min(shutil.get_terminal_size((WIDTH_MAX, 24)).columns, WIDTH_MAX)
    for each in found:
        words = each["problem"] or each["proves"]
        print(
            printable(
                f"{each['which']}  "
                + ("cannot be played" if each["problem"] else f"{each['length_s']:.0f} s")
            )
        )
        print(textwrap.fill(printable(words), width, initial_indent=INDENT, subsequent_indent=INDENT))
    for record in records:
        why = f": {record['why']}" if record["why"] else ""
        print(printable(f"{record['started_utc']}  {record['drill']}  {record['verdict']}{why}"))
    return 0


def _drills(folder: Path | None) -> list[dict[str, Any]]:
    """Return those that come along, and those of a folder. `which`: what `pitlink chaos drill` takes."""
    from chaos.drills.drill import DrillError, read_drill
    from chaos.drills.library import SHIPPED, shipped_drill

    found = [_described(name, shipped_drill(name)) for name in SHIPPED]
    for path in [] if folder is None else sorted(folder.glob("*.toml")):
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            if "step" not in table:
                continue  # another file, such as one that names daemons
            found.append(_described(str(path), read_drill(table, path.stem)))
        except (OSError, ValueError, DrillError) as exc:
            found.append(
                {
                    "which": str(path),
                    "drill": path.stem,
                    "length_s": None,
                    "proves": "",
                    "steps": 0,
                    "problem": str(exc),
                }
            )
    return found


def _described(which: str, drill: "Drill") -> dict[str, Any]:
    return {
        "which": which,
        "drill": drill.name,
        "length_s": drill.scenario.length_s,
        "proves": drill.proves,
        "steps": len(drill.scenario.timeline),
        "problem": "",
    }


def _records(folder: Path) -> list[dict[str, Any]]:
    """Return how the drills ended whose records are in a folder, the newest first; what is no record is left out."""
    from chaos.drills.record import RecordError, read_record
    from chaos.drills.standing import standing_of_record

    found = []
    paths = [*folder.glob("*.json"), *(folder / RECORDS).glob("*.json")]
    for path in sorted(paths, key=_changed_at, reverse=True)[:RECORDS_MAX]:
        try:
            if path.stat().st_size <= RECORD_BYTES_MAX:
                found.append({**standing_of_record(read_record(path.read_bytes())), "file": str(path)})
        except (OSError, RecordError):
            continue
    return sorted(found, key=lambda record: str(record["started_utc"]), reverse=True)


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
