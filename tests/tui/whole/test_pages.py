"""`./pitlink demo` and `./pitlink tui`, as a clean clone has them, in tmux: every page with real keys, and a picture of it;
a limit, a command, and one control over two sites that are tagged."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pytest
import trio

from daemons.ops.client import AdminClient
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
            await set_a_limit(operator, admin(site))
            await pause_two_at_once(operator, admin(hub), admin(site))
            await send_a_command(operator, admin(hub), admin(site))
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


async def done(daemon: AdminClient, action: str, outcome: str, **after: Any) -> None:
    """Wait for a row of a daemon's audit, with these among what it says of the deed."""

    def fits(row: dict[str, Any]) -> bool:
        said = row["after"] if isinstance(row["after"], dict) else {}
        return (row["action"], row["outcome"]) == (action, outcome) and after.items() <= said.items()

    await until(lambda: daemon.audit(last=50), lambda rows: any(map(fits, rows)))


async def set_a_limit(operator: Operator, site: AdminClient) -> None:
    pane = operator.pane
    await pane.press("1")
    await pane.press("Home", "j", "j")
    await operator.say("limit fetch.max_in_flight 3 90s")
    await pane.see("Limit fetch.max_in_flight of pits demo 3?", "instead of 8", "for 90 s", "limits.set")
    await operator.agree("Limit fetch.max_in_flight of pits demo 3?")
    await until(site.status, lambda told: told["limits"]["fetch.max_in_flight"] == 3)
    await done(site, "limits.set", "done", value=3, for_s=90.0)
    await pane.press("Enter")
    await pane.see("pitlink Site ", "fetch.max_in_flight", "3 (configured: 8), ")
    await pane.press("z")
    await operator.agree("This undoes: limit fetch.max_in_flight")
    await until(site.status, lambda told: told["limits"]["fetch.max_in_flight"] == 8)
    await done(site, "limits.lift", "done")


async def pause_two_at_once(operator: Operator, hub: AdminClient, site: AdminClient) -> None:
    """The site as its hub tells of it, and by its own word: each is asked for it, and does it."""
    pane = operator.pane
    await pane.press("1")
    await pane.see("pitlink Overview")
    await pane.press("Home", "j", "Space", "j", "Space")
    await pane.see("2 tagged")
    await operator.say("pause 5m")
    await pane.see("Pause 2 sites?", "demo, demo.", "Each: 1 site stops to answer the hub for 5 min")
    await pane.picture("two-sites")
    await operator.agree("Pause 2 sites?")
    await pane.see("pause 2 sites: 2 of 2 done")
    await until(site.status, lambda told: told["paused"])
    await done(hub, "site.pause", "begun", do="pause")
    await done(site, "command.pause", "begun")
    await done(site, "pause", "done")
    await pane.press("Escape")
    await pane.see("pitlink Overview", without="2 tagged")


async def send_a_command(operator: Operator, hub: AdminClient, site: AdminClient) -> None:
    pane = operator.pane
    await pane.press("Home", "j")
    await operator.say("command resume")
    await pane.see("Site.resume on site demo?", "$ pitlink ctl site.resume site=demo", "Cannot be undone")
    await operator.agree("Site.resume on site demo?")
    await until(site.status, lambda told: not told["paused"])
    await done(hub, "site.resume", "begun", do="resume")
    await done(site, "command.resume", "done")
    await pane.press("5")
    await pane.see("pitlink Commands and dead letters", "resume", "done")
