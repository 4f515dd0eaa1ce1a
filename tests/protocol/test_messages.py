"""Durable bodies: they survive, older ones are read, everything else is named as unknown."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import cbor, messages
from protocol.frames import FRAME_BYTES_MAX
from protocol.messages import (
    AllowlistSwitch,
    Command,
    EventOpened,
    Lap,
    OriginFound,
    OriginLost,
    Pause,
    Purge,
    RaceEnded,
    RaceStarted,
    Reconnect,
    Result,
    ResultsEmptied,
    ResultStatus,
    Resume,
    Revoke,
    UnknownBody,
    action_from_map,
    action_to_map,
    decode_body,
    encode_body,
    event_to_map,
)

texts = st.text(max_size=30)
times = st.floats(0, 4e9)
ids = st.uuids().map(str)
actions = st.one_of(
    st.builds(Pause, st.none() | times),
    st.builds(Resume),
    st.builds(Purge, texts),
    st.builds(Reconnect),
    st.builds(AllowlistSwitch, texts, st.booleans()),
)
events = st.one_of(
    *(st.builds(cls, times, texts, texts) for cls in (EventOpened, RaceStarted, RaceEnded, ResultsEmptied)),
    st.builds(Lap, times, texts, texts, st.integers(0, 100), times),
    st.builds(OriginLost, times, texts),
    st.builds(OriginFound, times),
)
bodies = st.one_of(
    events,
    st.builds(Command, ids, texts, times, st.integers(0, 2**60), actions),
    st.builds(Revoke, ids),
    st.builds(Result, ids, st.sampled_from(ResultStatus), texts, times),
)
ID = "01234567-89ab-4cde-8f01-23456789abcd"


@given(bodies)
def test_bodies_survive(body: Any) -> None:
    kind, version, data = encode_body(body)
    assert decode_body(kind, version, data) == body
    assert version == 1


@given(actions)
def test_actions_survive_json(action: Any) -> None:
    assert action_from_map(json.loads(json.dumps(action_to_map(action)))) == action


@given(events)
def test_events_can_be_said_in_json(event: Any) -> None:
    assert json.loads(json.dumps(event_to_map(event)))["at"] == event.at


def test_the_bytes_of_a_command_are_what_old_databases_hold() -> None:
    command = Command(ID, "ops", 1_790_000_000.0, 7, AllowlistSwitch("/events/**", False))
    assert cbor.decode(encode_body(command)[2]) == {
        "id": ID,
        "issuer": "ops",
        "expires_at": 1_790_000_000.0,
        "against": 7,
        "action": {"do": "allowlist", "pattern": "/events/**", "enabled": False},
    }


def test_the_version_before_is_read_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, data = encode_body(Revoke(ID))
    for version in (0, 2, -1):
        with pytest.raises(UnknownBody):
            decode_body("command.revoke", version, data)
    monkeypatch.setitem(messages._CLASSES, "command.revoke", (Revoke, 3))
    assert decode_body("command.revoke", 3, data) == decode_body("command.revoke", 2, data) == Revoke(ID)
    for version in (1, 4):
        with pytest.raises(UnknownBody):
            decode_body("command.revoke", version, data)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("race.teleported", {"at": 1.0}),
        ("origin.found", {}),
        ("origin.found", {"at": "1"}),
        ("origin.found", {"at": True}),
        ("origin.found", 1),
        ("command.revoke", {"id": "1"}),
        ("command.revoke", {"id": ID.upper()}),
        ("command.revoke", {"id": f"{ID}\n"}),
        ("result", {"id": ID, "status": "MAYBE", "words": "", "at": 1.0}),
        ("result", {"id": ID, "status": "DONE", "words": None, "at": 1.0}),
        ("command", {"id": ID, "issuer": "i", "expires_at": 1.0, "against": 0, "action": {"do": "reboot"}}),
        ("command", {"id": ID, "issuer": "i", "expires_at": 1.0, "against": 0, "action": "pause"}),
        (
            "command",
            {"id": ID, "issuer": "i", "expires_at": 1.0, "against": 0, "action": {"do": "allowlist"}},
        ),
    ],
)
def test_what_does_not_read_is_unknown(kind: str, fields: Any) -> None:
    with pytest.raises(UnknownBody):
        decode_body(kind, 1, cbor.encode(fields))


@given(st.sampled_from(sorted(messages._CLASSES)), st.binary(max_size=60))
def test_any_bytes_are_a_body_or_unknown(kind: str, data: bytes) -> None:
    try:
        decode_body(kind, 1, data)
    except UnknownBody:
        pass


@pytest.mark.parametrize(
    "fields",
    [
        None,
        [],
        "pause",
        {},
        {"do": 1},
        {"do": ["pause"]},
        {"do": "reboot"},
        {"do": "pause", "until": float("nan")},
        {"do": "pause", "until": "soon"},
        {"do": "purge", "prefix": 1},
        {"do": "allowlist", "pattern": "/", "enabled": 1},
    ],
)
def test_no_action(fields: object) -> None:
    with pytest.raises(ValueError, match="do"):
        action_from_map(fields)


def test_texts_of_strangers_are_cut_and_always_sayable() -> None:
    lap = Lap(1.0, "race" * 5000, "\ud800pilot" * 5000, 1, 2.0)
    kind, version, data = encode_body(lap)
    assert len(data) < FRAME_BYTES_MAX
    assert decode_body(kind, version, data) == lap
    assert lap.pilot.startswith("?pilot")
