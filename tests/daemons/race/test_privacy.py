"""Private fields of pilots: found whatever the file is called, gone at any depth, or nothing leaves."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.race.privacy import PRIVATE_KEYS, is_private, strip_private
from protocol.errors import ErrorCode, RequestError

EVENT = "/events/3a96b1b6-7b6b-43a8-b93e-d918f43607d2"


@pytest.mark.parametrize(
    "path",
    [
        f"{EVENT}/Pilots.json",
        f"{EVENT}/pilots.json",
        f"{EVENT}/PILOTS.JSON",
        f"{EVENT}/Pilotſ.json",  # long s: the same letter to APFS
        f"{EVENT}/Pılots.json",  # dotless i
        f"{EVENT}/Ｐilots.json",
        f"{EVENT}/Pilots.json/",
        f"{EVENT}/Pi\u034flots.json",  # an invisible mark
        f"{EVENT}/Pilots.json.bak",
        f"{EVENT}/Pilots - Copy.json",
        f"{EVENT}/a/b/Pilots.json",
        "/httpfiles/Pilots.json",
    ],
)
def test_pilots_by_any_name(path: str) -> None:
    assert is_private(path)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/current",
        f"{EVENT}/Event.json",
        f"{EVENT}/x/Race.json",
        "/httpfiles/Channels.json",
        "/pilots/x.png",
    ],
)
def test_other_files_are_left_alone(path: str) -> None:
    assert not is_private(path)
    assert not is_private(path, b'[{"Name": "x", "Text": "LastName"}]')
    assert not is_private(path, b'<script>pilot["DiscordID"]</script>')


def test_a_copy_of_the_file_is_known_by_its_content() -> None:
    for key in PRIVATE_KEYS:
        assert is_private(
            f"{EVENT}/backup.json", b'\xef\xbb\xbf\r\n[{"Name": "x", "%s": "y"}]' % key.encode()
        )


def test_stripping_keeps_everything_else() -> None:
    body = b"""\xef\xbb\xbf[\r\n  {"ID": "1", "Name": "J\xc3\xb6rg \\ud83d", "FirstName": "a",
      "lastname": "b", "DiscordID": "c", "PhotoPath": "d.mp4", "BestResult": null,
      "TimingSensitivityPercent": 100, "X": 1.5,
      "Inner": [{"FIRSTNAME": "e", "Kept": true}]}]"""
    assert json.loads(strip_private(body)) == [
        {
            "ID": "1",
            "Name": "Jörg \ud83d",
            "BestResult": None,
            "TimingSensitivityPercent": 100,
            "X": 1.5,
            "Inner": [{"Kept": True}],
        }
    ]
    assert strip_private(body) == strip_private(body)
    assert strip_private(strip_private(body)) == strip_private(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b'[{"FirstName": "a"}',
        b"<html>",
        b"\xff\xfe[\x00",
        b'[{"X": NaN}]',
        b'[{"X": 1e999}]',
        b"[" * 100_000 + b"]" * 100_000,
        b'[{"Name": "\xff"}]',
        b"[" + b"9" * 10_000 + b"]",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_cannot_be_understood_stays(body: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        strip_private(body)
    assert caught.value.code is ErrorCode.ORIGIN_INVALID


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=3), st.sampled_from(PRIVATE_KEYS)), inner, max_size=4),
    ),
    max_leaves=12,
)


def _without(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without(item) for key, item in value.items() if key not in PRIVATE_KEYS}
    return [_without(item) for item in value] if isinstance(value, list) else value


@given(JSON)
def test_only_private_fields_go(value: object) -> None:
    assert json.loads(strip_private(json.dumps(value).encode())) == _without(value)


def test_the_recorded_pilots_lose_their_names(samples: Path) -> None:
    tree = samples / "fpv" / "tree-test-1"
    for file in tree.rglob("*.json"):
        path = f"/{file.relative_to(tree).as_posix()}"
        assert is_private(path, file.read_bytes()) is (file.name == "Pilots.json")
        if file.name == "Pilots.json":
            pilots = json.loads(strip_private(file.read_bytes()))
            assert pilots
            assert not any(set(pilot) & set(PRIVATE_KEYS) for pilot in pilots)
            assert all(pilot["Name"] for pilot in pilots)
