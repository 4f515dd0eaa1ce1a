"""How late an engineer sees a driver: from the tick in the simulator's memory to the frame of the page that shows it.

`./pitlink demo laps` (the double's memory, relay, link, backend) on loopback, its page in a real Chromium, which counts by
itself: every tick's way is the server's time in the frame that draws its chunk less the time at which the relay took it
from the memory, with what it waited in its batch; the page knows the server's clock to the error that is printed. The
figure is of the last 1,200 ticks, asked for once a second. Exits with 1 when it is above 300 ms.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from bench.report import parser, percentile, table, write
from tests.browser import WIDE, Tab, open_browser, open_tab

TARGET_MS = 300.0
BEGIN_S = 60.0


def main() -> int:
    made = parser(__doc__ or "")
    made.add_argument("--seconds", type=float, default=60.0, help="how long the page is watched")
    made.add_argument("--warm", type=float, default=25.0, help="how long it is shown before that")
    asked = made.parse_args()
    command = [sys.executable, "-m", "daemons.cli", "demo", "laps"]
    with tempfile.TemporaryFile("w+") as said:
        demo = subprocess.Popen(command, stdout=said, stderr=subprocess.DEVNULL, text=True)
        try:
            page, password = _begun(said, demo)
            with open_browser() as browser, tempfile.TemporaryDirectory() as pictures:
                with open_tab(browser, Path(pictures), size=WIDE) as tab:
                    _sign_in(tab, page, password)
                    tab.page.wait_for_timeout(asked.warm * 1000)
                    seen, words = _watch(tab, asked.seconds)
                    tab.expect("401")  # before it was signed in
        finally:
            demo.terminate()
            demo.wait(30)
    figures = {
        "p95_ms": [min(seen), percentile(seen, 0.5), max(seen)],
        "target_ms": TARGET_MS,
        "thinned": sorted(words),
    }
    table(
        "from the simulator's memory to the page, 95 of 100 ticks within",
        ("least", "median", "most", "target"),
        [[f"{value:.0f} ms" for value in (*figures["p95_ms"], TARGET_MS)]],  # type: ignore[misc]
    )
    for one in sorted(words):
        print(f"said meanwhile: {one}")
    write(asked.json, "telpage", figures)
    return int(percentile(seen, 0.5) > TARGET_MS)


def _begun(said: IO[str], demo: subprocess.Popen[str]) -> tuple[str, str]:
    """Return the address of the page and the password."""
    until = time.monotonic() + BEGIN_S
    while time.monotonic() < until and demo.poll() is None:
        said.seek(0)
        text = said.read()
        page, password = re.search(r"page: (\S+)/\n", text), re.search(r"there: \w+, (\S+)\n", text)
        if page is not None and password is not None:
            return page[1], password[1]
        time.sleep(0.1)
    raise SystemExit("the demo did not begin")


def _sign_in(tab: Tab, page: str, password: str) -> None:
    tab.open(page + "/")
    tab.see("Sign in to see the team")
    tab.page.get_by_role("main").get_by_role("button", name="Sign in").click()
    tab.page.get_by_label("Name").fill("demo")
    tab.page.get_by_label("Password").fill(password)
    tab.page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    tab.see("DRIVING")


def _watch(tab: Tab, seconds: float) -> tuple[list[float], set[str]]:
    """Return what the page said once a second, and what it said of thinned data."""
    seen: list[float] = []
    words: set[str] = set()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        tab.page.wait_for_timeout(1000)
        told = tab.page.locator(".room").get_attribute("data-seen-p95")
        if told is not None:
            seen.append(float(told))
        words.update(filter(None, tab.texts(".degree")))
    if not seen:
        raise SystemExit("nothing was seen")
    return seen, words


if __name__ == "__main__":
    sys.exit(main())
