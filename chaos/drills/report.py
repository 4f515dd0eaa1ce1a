"""The reports of a drill, all made of its one record: JSON, JUnit's XML, Markdown, and a picture."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from chaos.drills.record import Record, record_to_json
from chaos.drills.report_junit import junit_of
from chaos.drills.report_markdown import markdown_of
from chaos.drills.report_svg import svg_of

__all__ = ["REPORTS", "report_name", "write_reports"]


def report_name(record: Record) -> str:
    """Return how the files of a record are called, without their ending: the drill, and when it began."""
    moment = "".join(one for one in record.started_utc.partition(".")[0] if one.isalnum())
    return "-".join(part for part in ("".join(map(_plain, record.drill)) or "drill", moment) if part)


def _plain(character: str) -> str:
    return character if character.isalnum() or character in "._-" else "-"


REPORTS: Final[Mapping[str, Callable[[Record], str]]] = {
    "json": record_to_json,
    "xml": junit_of,
    "md": lambda record: markdown_of(record, picture=f"{report_name(record)}.svg"),
    "svg": svg_of,
}
"""What makes each, by the ending of its file."""


def write_reports(record: Record, folder: Path) -> list[Path]:
    """Write all of them into a folder, which is made when it is missing. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for ending, make in REPORTS.items():
        path = folder / f"{report_name(record)}.{ending}"
        path.write_text(make(record) + "\n", encoding="utf-8")
        written.append(path)
    return written
