"""What a log line looks like at the door: JSON for machines, words for people, libraries by the same door."""

import io
import json
import logging

import pytest
import structlog

from daemons.ops.logs import LogLevel, configure_for_tests, configure_logs

pytestmark = pytest.mark.usefixtures("restored_logs")


def test_a_line_is_json_with_its_keys_and_a_utc_stamp() -> None:
    out = io.StringIO()
    configure_logs(stream=out)
    log = structlog.stdlib.get_logger("pitlink.x").bind(site="field")
    log.info("link.ready", attempt=3)
    logging.getLogger("some.library").warning("says %s", "this")
    try:
        raise LookupError("why")
    except LookupError:
        log.exception("link.failed")
    first, second, third = (json.loads(line) for line in out.getvalue().splitlines())
    stamp = first.pop("at")
    assert stamp.endswith("Z")
    assert first == {
        "event": "link.ready",
        "attempt": 3,
        "site": "field",
        "level": "info",
        "logger": "pitlink.x",
    }
    assert (second["event"], second["level"], second["logger"]) == ("says this", "warning", "some.library")
    assert third["level"] == "error"
    assert "LookupError: why" in third["exception"]


def test_the_level_holds_for_us_and_for_libraries() -> None:
    out = io.StringIO()
    configure_logs(LogLevel.WARNING, stream=out)
    log = structlog.stdlib.get_logger("pitlink.x")
    log.info("not.written")
    logging.getLogger("httpx").info("not written")
    log.warning("is.written")
    configure_logs(LogLevel.DEBUG, stream=out)
    logging.getLogger("httpx").info("a line a request is too many")
    structlog.stdlib.get_logger("pitlink.y").debug("also.written")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == [
        "is.written",
        "also.written",
    ]


def test_a_terminal_gets_words() -> None:
    out = io.StringIO()
    configure_logs(stream=out, console=True)
    structlog.stdlib.get_logger("pitlink.x").warning("health.warning", words="no internet")
    line = out.getvalue()
    assert "health.warning" in line
    assert "no internet" in line
    assert not line.startswith("{")


def test_what_cannot_be_json_is_written_all_the_same() -> None:
    out = io.StringIO()
    configure_logs(stream=out)
    structlog.stdlib.get_logger("pitlink.x").warning("odd.value", value={1, 2}, raw=b"\xff")
    assert json.loads(out.getvalue())["raw"] == "b'\\xff'"


def test_a_logger_forgets_how_a_command_in_another_test_configured_the_logs() -> None:
    log = structlog.stdlib.get_logger("pitlink.kept")
    configure_logs(stream=io.StringIO())
    log.info("first.line")
    configure_for_tests()
    lines: list[str] = []
    door = logging.Handler()
    door.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("pitlink.kept").addHandler(door)
    try:
        log.info("second.line", site="field")
    finally:
        logging.getLogger("pitlink.kept").removeHandler(door)
    assert lines == ["second.line site='field'"]
