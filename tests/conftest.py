"""Rules every test lives under: an ERROR log must be asserted, a warning is a failure (pyproject.toml)."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from daemons.ops.logs import configure_for_tests

settings.register_profile("ci", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci")
configure_for_tests()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out the longest files of tests first."""
    from tests.order import LongestFirst

    return LongestFirst(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture
def samples() -> Path:
    """The folder of real recordings (PITLINK_SAMPLES, else ../shared/data); skips the test without it."""
    folder = Path(os.environ.get("PITLINK_SAMPLES", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}; PITLINK_SAMPLES names another folder")
    return folder


class ErrorLogs(list[str]):
    """The ERROR lines logged during a test. `expect(part)` asserts and removes one that contains `part`."""

    def expect(self, part: str) -> None:
        for line in self:
            if part in line:
                self.remove(line)
                return
        raise AssertionError(f"no ERROR log with {part!r} among {list(self)!r}")


class _Collector(logging.Handler):
    def __init__(self, lines: ErrorLogs) -> None:
        super().__init__(logging.ERROR)
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture(autouse=True)
def error_logs() -> Iterator[ErrorLogs]:
    """Fail the test when it logged an ERROR that it did not assert with `error_logs.expect(part)`."""
    lines = ErrorLogs()
    handler = _Collector(lines)
    logging.getLogger().addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(handler)
    assert not lines, f"ERROR logged and not asserted: {list(lines)}"


@pytest.fixture(autouse=True)
def restored_logs() -> Iterator[None]:
    """Put the logs back as the other tests want them, when a test runs what configures them."""
    root = logging.getLogger()
    handlers, configured = list(root.handlers), structlog.get_config()["processors"]
    yield
    if structlog.get_config()["processors"] is not configured:
        root.handlers[:] = handlers
        structlog.reset_defaults()
        configure_for_tests()
