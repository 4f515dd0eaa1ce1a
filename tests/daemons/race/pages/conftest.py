"""One browser for all the tests of the pages, a tab for each."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.aside import Aside, open_aside
from tests.browser import Tab, open_browser, open_tab

from ..field import Field
from .stand import Stand, open_stand


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def tab_of(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Tab]]:
    with ExitStack() as stack:
        yield lambda **more: stack.enter_context(open_tab(browser, tmp_path, **more))


@pytest.fixture
def stand_of() -> Iterator[Callable[..., Aside[Stand]]]:
    with ExitStack() as stack:

        def open_(days: dict[str, Field], **more: Any) -> Aside[Stand]:
            return stack.enter_context(open_aside(lambda: open_stand(days, **more)))

        yield open_
