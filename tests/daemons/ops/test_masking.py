"""No secret leaves by the log, whichever way it was put in."""

import io
import json
import logging

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from daemons.ops.logring import LogRing
from daemons.ops.logs import LogLevel, configure_logs, log_level, set_log_level
from daemons.ops.masking import keep_secret, mask_text
from daemons.ops.options import Secret
from daemons.ops.tokens import make_token

JWT = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsxIn0.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlLW9mLXRoaXM"
BASIC = "dXNlcjpwYXNzd29yZA=="


pytestmark = pytest.mark.usefixtures("restored_logs")


@pytest.mark.parametrize("console", [False, True])
def test_every_way_in(console: bool) -> None:
    out, ring = io.StringIO(), LogRing()
    configure_logs(LogLevel.DEBUG, stream=out, console=console, ring=ring)
    token, plain = make_token(), "correct horse battery"
    held = Secret(plain)
    log = structlog.stdlib.get_logger("pitlink.x")
    log.info("a.value", words=f"sent {token} there")
    log.info(f"in the event {JWT}")
    log.info("deep", request={"headers": [(b"Authorization", b"Bearer " + JWT.encode()), ["Cookie", plain]]})
    log.info("by.key", password="short", refresh_token="short", given=held, text=held.text)
    log.bind(token=token).warning("bound")
    log.info("a.header", head=f"GET / HTTP/1.1\r\nAuthorization: Basic {BASIC}\r\n")
    log.info("a.url", url=f"https://ann:{token}@example.org/")
    logging.getLogger("a.library").warning("request %s", {"authorization": f"Bearer {token}"})
    logging.getLogger("a.library").warning("curl -H 'Authorization: Bearer %s'", JWT)
    with structlog.contextvars.bound_contextvars(session=JWT):
        log.info("in.context")
    try:
        raise ValueError(f"bad token {token} of {held.text}")
    except ValueError:
        log.exception("failed")
        logging.getLogger("a.library").exception("failed")
    written = out.getvalue()
    kept = "\n".join(line.text for line in ring.read().lines)
    for text in (written, kept):
        for secret in (token, JWT, JWT.split(".")[1], plain, BASIC, "short"):
            assert secret not in text
    assert "bad token *** of ***" in kept
    assert len(kept.splitlines()) == 12
    assert all(json.loads(line) for line in kept.splitlines())


def test_words_that_are_no_secrets_stay() -> None:
    for words in (
        "send a caller's token: Authorization: …",
        "no token of a site",
        "this token is not for site 'field'",
        "bearer of bad news, basic rules",
        "GET /events/2f3a9c/Results.json",
        "{'event': 'token.revoked', 'token_id': '8c1d'}",
        "pl_short is no token; replica_of_something_longer is none",
        "wss://cloud.example.org:8443/control",
        "eyJ",
    ):
        assert mask_text(words) == words


@given(st.text(max_size=50), st.binary(min_size=32, max_size=32), st.text(max_size=50))
def test_a_token_of_ours_is_found_in_any_text(before: str, raw: bytes, after: str) -> None:
    token = "pl_" + raw.hex()
    assert token not in mask_text(f"{before} {token} {after}")


def test_only_so_many_secrets_are_remembered() -> None:
    keep_secret("the-first-of-them-all")
    assert mask_text("a the-first-of-them-all b") == "a *** b"
    for number in range(1_000):
        keep_secret(f"one-of-many-{number:05}")
    assert mask_text("a the-first-of-them-all b") == "a the-first-of-them-all b"
    keep_secret("short")
    assert mask_text("a short one") == "a short one"


def test_the_level_changes_for_loggers_that_were_used_before() -> None:
    out, ring = io.StringIO(), LogRing()
    configure_logs(LogLevel.INFO, stream=out, ring=ring)
    log = structlog.stdlib.get_logger("pitlink.x")
    bound = log.bind(site="field")
    bound.info("one")
    bound.debug("not written")
    assert set_log_level(LogLevel.DEBUG) is LogLevel.INFO
    bound.debug("two")
    log.debug("three")
    logging.getLogger("some.library").debug("four")
    logging.getLogger("httpx").info("not written")
    assert set_log_level(LogLevel.ERROR) is LogLevel.DEBUG
    bound.warning("not written")
    log.log(logging.WARNING, "not written")
    log.error("five")
    assert log_level() is LogLevel.ERROR
    assert [json.loads(line.text)["event"] for line in ring.read().lines] == [
        "one", "two", "three", "four", "five",
    ]  # fmt: skip
    assert [line.level for line in ring.read(at_least="error").lines] == ["error"]
