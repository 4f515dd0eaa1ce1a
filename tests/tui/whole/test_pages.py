"""`./pitlink demo` and `./pitlink tui`, as a clean clone has them, in tmux: every page with real keys, and a picture of it."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from subprocess import DEVNULL

import pytest
import trio

from tests.daemons.test_cli_admin import ROOT
from tests.tui.whole.operator import Operator, admin, open_operator, until
from tui.app.pages import PAGES

pytestmark = pytest.mark.process


@asynccontextmanager
async def demo(folder: Path, *more: str) -> AsyncIterator[Path]:
    """Run the demo with these words; give the folder with the state folders of its cloud and pits."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    command = [str(ROOT / "pitlink"), "demo", "--speed", "4", *more]
    async with trio.open_nursery() as nursery:
        run = partial(trio.run_process, command, stdout=DEVNULL, stderr=DEVNULL, env=environment, check=False)
        process = await nursery.start(run)
        with trio.fail_after(60):
            while len(found := list(folder.glob("*/*/admin.sock"))) < 2:
                assert process.poll() is None
                await trio.sleep(0.05)
        yield found[0].parent.parent
        process.terminate()


async def test_every_page_and_key_on_a_terminal_of_the_usual_size(tmp_path: Path) -> None:
    async with demo(tmp_path) as folder:
        hub, site = folder / "cloud", folder / "pits"
        await until(admin(hub).status, lambda told: (told["sites"]["demo"]["age_s"] or 99) < 20)
        words = ("-C", str(hub), "-C", str(site))
        async with open_operator(*words, pictures=tmp_path / "pictures", home=tmp_path) as operator:
            await look_around(operator)
            await operator.pane.press("q")
            assert await operator.pane.end() == 0
            assert not await operator.pane.mode("alternate_on")


async def look_around(operator: Operator) -> None:
    pane = operator.pane
    shown = await pane.see("pitlink Overview", "● demo", "pits demo", "2 of 2 sites", "live")
    assert all(len(line) <= 80 for line in shown.splitlines())
    age = re.search(r"demo +(?:live|connected)[^\n]*?(\d+(?:\.\d)?) (s|min|h|d) ", shown)
    assert age is None or age[2] == "s", f"data of a demo is seconds old: {shown}"
    for page in PAGES:
        if page.key:
            await pane.press(page.key)
            await pane.see(f"pitlink {page.words}")
            await pane.picture(f"page-{page.key}-{page.name}")
    await pane.press("1", "j", "Enter")
    await pane.see("pitlink Site demo", "round trip")
    await pane.picture("page-site")
    await pane.press("-")
    await pane.see("pitlink Overview")
    await pane.press("[")
    await pane.see("pitlink Site demo")
    await pane.press("]")
    await pane.see("pitlink Overview")
    await operator.go("alarms", "Alarms")
    await pane.press("?")
    await pane.see("Keys here", "freeze")
    await pane.picture("keys")
    await pane.press("Escape")
    await pane.see("pitlink ", without="Keys here")
    await pane.press("1")
    await pane.see("pitlink Overview")
    await operator.filter("pits")
    await pane.see("/pits", without="cloud hub-")
    await pane.press("Escape")
    await pane.see("cloud hub-")
    await pane.press("f")
    await pane.see("FROZEN")
    await pane.press("f", "C-l")
    await pane.see("pitlink Overview", "● demo", without="FROZEN")
