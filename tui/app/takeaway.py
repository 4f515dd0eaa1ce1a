"""What leaves the terminal: rows for the clipboard, a page for a file. Both are told in the bottom line."""

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from attrs import define, field

from tui.app.clipboard import osc52
from tui.app.saving import save
from tui.app.view import View

__all__ = ["Copied", "Takeaway"]


@runtime_checkable
class Copied(Protocol):
    """A screen that has something to copy."""

    def copied(self) -> tuple[str, str]:
        """Return what it is in words, such as "3 rows", and the text of it."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@define(eq=False)
class Takeaway:
    """`write`: to the terminal, past what is drawn there; `tell(words, is_good)`: to the operator."""

    write: Callable[[str], None]
    tell: Callable[[str, bool], None]
    environment: Mapping[str, str] = field(factory=lambda: os.environ)
    utc_now: Callable[[], datetime] = _utc_now

    def copy(self, screen: object) -> None:
        """Copy what is under the cursor, all that is tagged, or what is read."""
        what, text = screen.copied() if isinstance(screen, Copied) else ("", "")
        if not text:
            self.tell("there is nothing to copy here", False)
            return
        try:
            pieces = osc52(text, self.environment)
        except ValueError as exc:
            self.tell(f"not copied: {exc}; w saves the page to a file", False)
            return
        for piece in pieces:
            self.write(piece)
        self.tell(
            f"copied {what}, {len(text.encode(errors='replace')):,} bytes, if the terminal lets it", True
        )

    def save(self, name: str, view: View, *, as_json: bool) -> None:
        """Save all rows that the view shows, those beyond the screen too: as text, or each as a line of JSON."""
        rows = view.table.rows
        if not rows:
            self.tell("there is nothing to save here", False)
            return
        if as_json:
            lines = [json.dumps(view.record(row), ensure_ascii=False, default=str) for row in rows]
        else:
            lines = [view.said(row) for row in rows]
        try:
            path = save(Path.cwd(), name, "jsonl" if as_json else "txt", lines, self.utc_now())
        except OSError as exc:
            self.tell(f"not saved in {exc.filename or 'the current folder'}: {exc.strerror or exc}", False)
        else:
            self.tell(f"saved {len(rows)} rows to {path}", True)
