"""The schemas in docs/fpvtrackside: true for a recorded event and for everything the stand-in writes, and the same
fields as the code knows."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from trio.testing import MockClock

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, RaceDay
from daemons.race.fields import FieldNews, field_news
from daemons.race.paths import Kind

FOLDER = Path(__file__).parents[3] / "docs" / "fpvtrackside"
SCHEMAS: dict[str, Any] = {
    path.name.removesuffix(".schema.json"): json.loads(path.read_text())
    for path in FOLDER.glob("*.schema.json")
}
VALIDATORS = {name: jsonschema_rs.Draft202012Validator(schema) for name, schema in SCHEMAS.items()}
FILES = ["Event", "Pilots", "Rounds", "Stages", "Race", "Result", "Results", "Channels"]


def check(path: str, body: bytes) -> str:
    """Check a file against the schema of its name; return the name."""
    name = path.rpartition("/")[2].removesuffix(".json")
    value = json.loads(body.decode("utf-8-sig"))
    errors = [
        f"{path}: {error.message} at {error.instance_path}" for error in VALIDATORS[name].iter_errors(value)
    ]
    assert not errors, errors[:5]
    return name


class Checking(EventTree):
    """A tree whose every write is checked, but those that are torn on purpose."""

    def __init__(self) -> None:
        super().__init__()
        self.checked: dict[str, int] = {}

    def put(self, path: str, body: bytes, occasion: str = "") -> None:
        super().put(path, body, occasion)
        if path.endswith(".json"):
            name = check(path, body)
            self.checked[name] = self.checked.get(name, 0) + 1


def test_each_file_has_a_schema_and_each_is_one() -> None:
    assert set(FILES) | {"current"} == SCHEMAS.keys()
    for schema in SCHEMAS.values():
        jsonschema_rs.meta.validate(schema)


def test_the_recorded_event_is_as_the_schemas_say(samples: Path) -> None:
    paths = sorted((samples / "fpv" / "tree-test-1").rglob("*.json"))
    seen = {check(str(path), path.read_bytes()) for path in paths if path.read_bytes().strip()}
    assert {"Event", "Pilots", "Rounds", "Race", "Channels"} <= seen


@pytest.mark.parametrize("seed", [1, 2])
async def test_what_the_stand_in_writes_is_as_the_schemas_say(seed: int, autojump_clock: MockClock) -> None:
    tree = Checking()
    await RaceDay(FPVTrackside(tree), seed, rounds=3).run()
    assert {"Event", "Pilots", "Rounds", "Stages", "Race", "Result", "Channels"} <= tree.checked.keys()
    assert tree.checked["Race"] > 100


@pytest.mark.parametrize("name", FILES)
def test_the_code_knows_the_same_fields(name: str) -> None:
    item = SCHEMAS[name]["items"]
    assert field_news(Kind(name), [_filled(item, item["properties"])]) is None
    without_one = _filled(item, [key for key in item["required"] if key != "ID"])
    assert field_news(Kind(name), [without_one]) == FieldNews(f"{name}.json", (), ("ID",))
    for key in item["required"]:
        left_out = _filled(item, [other for other in item["required"] if other != key])
        assert field_news(Kind(name), [left_out]) == FieldNews(f"{name}.json", (), (key,))


def _filled(schema: dict[str, Any], keys: Any) -> dict[str, Any]:
    """An object with these fields, and all the fields of the objects in its lists."""
    value: dict[str, Any] = {}
    for key in keys:
        inner = schema["properties"][key]
        item = inner.get("items", {})
        if "properties" in item:
            value[key] = [_filled(item, item["properties"])]
        elif "properties" in inner:
            value[key] = _filled(inner, inner["properties"])
        else:
            value[key] = None
    return value


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Race", {"Start": "2026-02-07T03:00:00Z"}),
        ("Race", {"Round": "{0000000C-0000-4000-8000-000000000001}"}),
        ("Race", {"Bracket": "Semi"}),
        ("Result", {"Position": -1}),
        ("Event", {"EventType": "Regatta"}),
        ("Channels", {"ChannelPrefix": "RR"}),
    ],
)
def test_what_is_not_so_is_refused(name: str, change: dict[str, Any]) -> None:
    properties = SCHEMAS[name]["items"]["properties"]
    assert change.keys() <= properties.keys()
    field = {"properties": properties, "$defs": SCHEMAS[name].get("$defs", {})}
    assert not jsonschema_rs.is_valid(field, change)
