"""A real browser for tests: Debian's Chromium, headless, driven by Playwright."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

__all__ = ["PHONE", "WIDE", "Tab", "open_browser", "open_tab"]

PHONE, WIDE = (390, 844), (1280, 800)
SEEN_S = 60.0
"""So long a machine may take to show what comes at once on a quick one."""

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_NO_NET = re.compile(r"net::ERR_(?!BLOCKED|ABORTED)")

Scheme = Literal["light", "dark"]


class Tab:
    """A tab. `problems`: what went wrong in it: exceptions, console errors, refused contents; not that a net was gone."""

    def __init__(self, page: Page, pictures: Path) -> None:
        self.page = page
        self.problems: list[str] = []
        self._pictures = pictures
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._said)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _NO_NET.search(message.text):
            self.problems.append(f"{message.text} ({message.location.get('url', '')})")

    def open(self, url: str) -> None:
        self.page.goto(url, wait_until="domcontentloaded")

    def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true; one that throws is not. AssertionError with what stood there."""
        guarded = f"(() => {{ try {{ return Boolean({expression}); }} catch {{ return false; }} }})()"
        until = time.monotonic() + SEEN_S
        # The pages forbid that a text is run as a program, by which Playwright would wait inside them: it is asked again.
        while not self.page.evaluate(guarded):
            assert time.monotonic() < until, (
                f"{expression} did not come: {self.text()}\nproblems: {self.problems}"
            )
            self.page.wait_for_timeout(20)

    def see(self, *words: str) -> None:
        """Wait until a person sees these words."""
        for word in words:
            self.until(f"document.body.innerText.includes({word!r})")

    def expect(self, part: str) -> None:
        """Assert that there were problems with `part` in them, and forget those."""
        known = [problem for problem in self.problems if part in problem]
        assert known, f"no problem with {part!r} among {self.problems}"
        self.problems[:] = [problem for problem in self.problems if problem not in known]

    def text(self, selector: str = "body") -> str:
        """Return what a person sees, its spaces as one each."""
        return " ".join(self.page.locator(selector).first.inner_text().split())

    def texts(self, selector: str) -> list[str]:
        return [" ".join(text.split()) for text in self.page.locator(selector).all_inner_texts()]

    def picture(self, name: str) -> Path:
        """Keep a picture of what is seen, as name.png."""
        path = self._pictures / f"{name}.png"
        self.page.screenshot(path=path)
        return path


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a browser; close it after. Skips the test where there is no Chromium."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_tab(
    browser: Browser,
    pictures: Path,
    *,
    size: tuple[int, int] = PHONE,
    scheme: Scheme = "light",
    before: str = "",
) -> Iterator[Tab]:
    """Open a tab that shares nothing with any other, with `before` run ahead of every page; it must end without problems.

    PITLINK_PICTURES names a folder for pictures that are to be kept; `pictures` has them else.
    """
    kept = os.environ.get("PITLINK_PICTURES")
    folder = Path(kept) if kept else pictures
    folder.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, timezone_id="Europe/Berlin"
    )
    try:
        context.set_default_timeout(SEEN_S * 1000)
        if before:
            context.add_init_script(before)
        tab = Tab(context.new_page(), folder)
        yield tab
        assert not tab.problems, tab.problems
    finally:
        context.close()
