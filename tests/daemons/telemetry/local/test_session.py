"""The local socket's messages, without a socket; and who may ask at all."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.telemetry.local.nearness import why_not_of
from daemons.telemetry.local.session import CloseAs, Closed, LocalSession
from daemons.telemetry.local.token import FILE, identify_local, open_token

TOKEN = "a-token-of-the-relay"


def session() -> LocalSession:
    return LocalSession("relay-1", lambda given: identify_local(TOKEN, given, "car"))


def authenticate(token: object, **more: object) -> str:
    return json.dumps({"type": "authenticate", "data": {"token": token, **more}})


def test_the_welcome_is_as_the_seed_has_it() -> None:
    said = json.loads(session().welcome(1_700_000_000.25))
    assert said == {
        "type": "connection_established",
        "data": {"serverId": "relay-1", "timestamp": "2023-11-14T22:13:20.250Z", "version": "1.0"},
    }


def test_a_client_with_the_token_is_in() -> None:
    s = session()
    answer = s.take(authenticate(TOKEN, clientType="dashboard", version="2.1"))
    assert json.loads(answer or "") == {
        "type": "authentication_result",
        "data": {"success": True, "userId": "local", "role": "viewer"},
    }
    assert s.client is not None
    assert (s.client.kind, s.client.version) == ("dashboard", "2.1")
    assert s.take("whatever later versions say") is None


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ("{", CloseAs.UNSUPPORTED, "not JSON"),
        ("[" * 5000, CloseAs.UNSUPPORTED, "not JSON"),
        ("[]", CloseAs.POLICY, "a message is"),
        ('{"type": "telemetry_update", "data": {}}', CloseAs.POLICY, 'before "authenticate"'),
        ('{"type": "authenticate"}', CloseAs.POLICY, 'before "authenticate"'),
        (authenticate("wrong"), CloseAs.UNAUTHORISED, "not the relay's token"),
        (authenticate(""), CloseAs.UNAUTHORISED, "no token"),
        (authenticate(7), CloseAs.UNAUTHORISED, "no token"),
        (authenticate("ü\ud800"), CloseAs.UNAUTHORISED, "not the relay's token"),
    ],
)  # fmt: skip
def test_others_are_sent_away_in_words(said: str, code: CloseAs, words: str) -> None:
    s = session()
    with pytest.raises(Closed) as refused:
        s.take(said)
    assert refused.value.code is code
    assert words in refused.value.words
    assert s.client is None
    assert json.loads(s.refusal())["data"] == {"success": False, "userId": "", "role": ""}


@given(st.text(max_size=300))
def test_nothing_but_the_token_lets_in(said: str) -> None:
    s = session()
    with pytest.raises(Closed):
        s.take(said)


@pytest.mark.parametrize(
    ("host", "origin", "is_let_in"),
    [
        ("localhost:8765", None, True),
        ("127.0.0.1:8765", None, True),
        ("[::1]:8765", None, True),
        ("LOCALHOST", "http://localhost:3000", True),
        ("localhost:8765", "https://overlay.example", True),
        ("localhost:8765", "https://overlay.example.evil.net", False),
        ("localhost:8765", "http://evil.example", False),
        ("localhost:8765", "https://localhost.evil.example", False),
        ("localhost:8765", "null", False),
        ("localhost:8765", "", False),
        ("localhost:8765", "file://", False),
        ("evil.example:8765", None, False),
        ("evil.example:8765", "http://evil.example:8765", False),
        ("localhost.evil.example", None, False),
        ("localhost@evil.example", None, False),
        ("", None, False),
        ("[::1", None, False),
    ],
)
def test_who_may_ask(host: str, origin: str | None, is_let_in: bool) -> None:
    words = why_not_of(host, origin, {"https://overlay.example"})
    assert (words == "") is is_let_in


def test_the_token_is_made_once_and_is_private(tmp_path: Path) -> None:
    token = open_token(tmp_path)
    assert open_token(tmp_path) == token
    assert len(token) >= 24
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("torn", [b"", b"abc\n", b"\xff\xfe\n"])
def test_a_torn_token_is_made_anew(tmp_path: Path, torn: bytes) -> None:
    (tmp_path / FILE).write_bytes(torn)
    token = open_token(tmp_path)
    assert len(token) >= 24
    assert open_token(tmp_path) == token
