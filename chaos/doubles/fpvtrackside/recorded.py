"""An event that FPVTrackside recorded, from its directory, byte for byte.

Nothing is assumed of the files but where they lie: an event directory of another version, or one with files
that nobody has described, is served alike.
"""

import json
from pathlib import Path

from .clock import parse_local
from .pages import default_httpfiles
from .tree import EventTree

__all__ = ["latest_event", "load_event_dir"]

FILE_BYTES_MAX = 32 * 1024 * 1024  # videos lie beside the races; nobody fetches them through a link
SIDES = ("events", "httpfiles")


def load_event_dir(folder: Path) -> EventTree:
    """Read a recorded event into a tree. Not to be called where a clock is simulated: it reads the disk.

    `folder` is FPVTrackside's own (with `events/` and perhaps `httpfiles/` in it), its `events` folder, or
    one event in it (with an Event.json). What lies beside the events and is missing (Channels.json, the home
    page) is taken from the stand-in. Links and files above 32 MiB are left out. Raises FileNotFoundError, in
    words, when there is no event.
    """
    files: dict[str, bytes] = {}
    if (folder / "events").is_dir():
        for side in SIDES:
            files.update(_read(folder / side, side))
        if (folder / "index.html").is_file():
            files["index.html"] = (folder / "index.html").read_bytes()
    elif (folder / "Event.json").is_file():
        files.update(_read(folder, f"events/{_id_of(folder)}"))
    else:
        files.update(_read(folder, "events"))
    tree = EventTree(files)
    if not tree.event_ids():
        raise FileNotFoundError(f"no event in {folder}: neither Event.json nor events/<guid>/Event.json")
    tree.add_missing(default_httpfiles().items())
    return tree


def latest_event(tree: EventTree) -> str:
    """Return the id of the event that was opened last, the first of those that do not say.

    Raises ValueError, in words, when the tree has no event.
    """
    event_ids = tree.event_ids()
    if not event_ids:
        raise ValueError("the tree has no event: no events/<guid>/Event.json")
    return max(event_ids, key=lambda event_id: _opened_at(tree.read(f"events/{event_id}/Event.json") or b""))


def _opened_at(event_json: bytes) -> float:
    try:
        return parse_local(json.loads(event_json.decode("utf-8-sig"))[0]["LastOpened"]) or 0.0
    except (ValueError, LookupError, TypeError):
        return 0.0


def _read(folder: Path, prefix: str) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {
        f"{prefix}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in paths
        if path.stat().st_size <= FILE_BYTES_MAX
    }


def _id_of(folder: Path) -> str:
    """Return the event's id: its directory's name, unless somebody renamed that."""
    try:
        event_id = json.loads((folder / "Event.json").read_text("utf-8-sig"))[0]["ID"]
    except (ValueError, LookupError, TypeError):
        return folder.resolve().name
    return event_id if isinstance(event_id, str) else folder.resolve().name
