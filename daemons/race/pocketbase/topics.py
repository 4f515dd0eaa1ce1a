"""What a client of the realtime API wants to be told: topics, and the messages that follow of a change. Pure.

A topic is `laps/*`, `laps/<id>`, or the old forms `laps` and with options behind it: `laps/*?options={"query":
{"filter": …, "expand": …, "fields": …}}`. A message goes out under the topic as the client wrote it.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

from attrs import field, frozen

from daemons.race.pocketbase.book import Change
from daemons.race.pocketbase.collections import COLLECTIONS, collection_id
from daemons.race.pocketbase.filters import BadFilter, Filter, Lookup, parse_filter
from daemons.race.pocketbase.listing import Shape, read_shape

__all__ = ["PING", "Topic", "message", "messages", "read_topic"]

PING = "pb_ping"
"""A topic of heartbeats, which dashboards subscribe to in order to notice a connection that has died."""

CHARACTERS_MAX = 2500
_NAMES = {**{name: name for name in COLLECTIONS}, **{collection_id(name): name for name in COLLECTIONS}}


@frozen
class Topic:
    """One subscription. `text` as the client wrote it; `record` "*" is every record of the collection."""

    text: str
    collection: str
    record: str
    matches: Filter | None = None
    shape: Shape = field(factory=Shape)


def read_topic(text: str) -> Topic | None:
    """Read a topic; None for one of which there is nothing to tell, which PocketBase accepts too."""
    if len(text) > CHARACTERS_MAX or "\n" in text or "\r" in text:
        return None
    path, _, query = text.partition("?")
    name, _, record = path.partition("/")
    collection = _NAMES.get(name)
    if collection is None:
        return None
    asked = _options(query)
    try:
        matches = parse_filter(asked["filter"], collection) if asked.get("filter") else None
    except BadFilter:
        return None  # whom a filter does not let see anything
    return Topic(text, collection, record or "*", matches, read_shape(asked))


def _options(query: str) -> Mapping[str, str]:
    try:
        options = json.loads(parse_qs(query, max_num_fields=10)["options"][0])
        asked = options["query"]
    except (KeyError, ValueError, RecursionError, TypeError, IndexError):
        return {}
    if not isinstance(asked, dict):
        return {}
    return {key: value for key, value in asked.items() if isinstance(value, str)}


def messages(changes: Iterable[Change], topics: Iterable[Topic], lookup: Lookup) -> bytes:
    """Return the events (server-sent) that tell these topics of these changes, in the order of the changes."""
    wanted = list(topics)
    said = b""
    for change in changes:
        record = change.record
        for topic in wanted:
            if topic.collection != record["collectionName"] or topic.record not in ("*", record["id"]):
                continue
            if topic.matches is not None and not topic.matches(record, lookup):
                continue
            shown = topic.shape.show(record, lookup)
            data = change.encoded() if shown is record else _json({"action": change.action, "record": shown})
            said += message(topic.text, data)
    return said


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def message(topic: str, data: bytes, id_: str = "") -> bytes:
    """Return one event under a topic."""
    head = f"id:{id_}\n" if id_ else ""
    return f"{head}event:{topic}\ndata:".encode() + data + b"\n\n"
