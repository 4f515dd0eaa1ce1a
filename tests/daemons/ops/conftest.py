"""What tests of logs share."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from daemons.ops.logs import configure_for_tests


@pytest.fixture
def restored_logs() -> Iterator[None]:
    """Put the logs back as the other tests want them."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers
    structlog.reset_defaults()
    configure_for_tests()
