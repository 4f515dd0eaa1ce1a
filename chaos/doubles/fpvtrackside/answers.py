"""Which bytes a path is answered with, by the rules of FPVTrackside's web server: there is no 404 in it.

The path is percent-decoded once and split on `/` (FTC `Webb/EventWebServer.cs`). The real one then joins the
pieces with the folder it runs in and looks no further, so that a path with `..`, `\\` or `:` names any file
of the laptop. This one has no files but the event's; it answers such a path with the home page and remembers
that somebody asked.
"""

import json
from urllib.parse import unquote

import attrs

from .pages import HOME, default_httpfiles, render_home
from .quirks import Quirks
from .tree import EventTree

__all__ = ["Answer", "SharingViolationError", "answer_for", "is_escape"]

_DEFAULT_HOME = default_httpfiles()[HOME]


class SharingViolationError(Exception):
    """The file is open for writing: an exception that the real server answers with its tear-down."""


@attrs.frozen
class Answer:
    """A body and the type it is sent with; None: no Content-Type header at all."""

    body: bytes
    content_type: str | None
    status: int = 200


def is_escape(target: str) -> bool:
    """Say whether a request's target could name a file outside of the event directory on a Windows laptop."""
    path = unquote(_path_of(target))
    return any(mark in path for mark in "\\:\0%") or any(part in (".", "..") for part in path.split("/"))


def answer_for(
    tree: EventTree, target: str, quirks: Quirks, *, event_id: str | None, current_race: str | None
) -> Answer:
    """Look a target up. Raises SharingViolationError where that quirk is on and the file is being written."""
    home = Answer(render_home(tree.read(HOME) or _DEFAULT_HOME, event_id), "text/html")
    if is_escape(target):
        return home
    parts = [part for part in unquote(_path_of(target)).split("/") if part]
    if parts == ["current"] and quirks.has_current:
        return Answer(json.dumps({"CurrentRace": current_race}).encode(), "application/json")
    if not parts:
        return home
    path = "/".join(parts)
    if parts[0] in ("events", "httpfiles") and len(parts) > 1:
        if quirks.sharing_violation and tree.is_being_written(path):
            raise SharingViolationError(path)
        body = tree.read(path)
        if body is not None:
            return Answer(body, _type_of(path, quirks))
        if not quirks.always_200:
            return Answer(b"", None, 404)
        if parts[0] == "events" and "." in parts[-1]:
            return Answer(b"", _type_of(path, quirks))
    return home if quirks.always_200 else Answer(b"", None, 404)


def _path_of(target: str) -> str:
    if target.startswith(("http://", "https://")):  # absolute form, as to a proxy
        target = "/" + target.split("/", 3)[3] if target.count("/") > 2 else "/"
    return target.split("?", 1)[0].split("#", 1)[0]


def _type_of(path: str, quirks: Quirks) -> str | None:
    if path.endswith(".json"):
        return quirks.events_content_type if path.startswith("events/") else quirks.httpfiles_json_type
    return "text/html" if path.endswith(".html") else None
