"""The pictures of README and docs, made anew: `python -m tests.tui.whole.shoot docs/images`.

The terminal before a demo with a bad uplink, in tmux, an operator's keys; drawn cell by cell.
"""

import sys
import tempfile
from pathlib import Path

import trio

from tests.tui.whole.operator import admin, open_operator, until
from tests.tui.whole.test_pages import demo

SIZE = (100, 30)


async def shoot(into: Path) -> None:
    """Write tui.png."""
    with tempfile.TemporaryDirectory(prefix="shoot-") as own:
        async with demo(Path(own), "--bad-uplink", "lte-driving") as folder:
            hub = admin(folder / "cloud")
            await until(hub.status, lambda told: (told["sites"]["demo"]["fetches"] or 0) > 2, 60)
            await hub.act("site.allowlist.switch", site="demo", pattern="/httpfiles/**", enabled=False)
            words = ("-C", str(folder / "cloud"), "-C", str(folder / "pits"))
            async with open_operator(*words, pictures=into, home=Path(own), size=SIZE) as operator:
                pane = operator.pane
                await pane.see("pitlink Overview", "● demo")
                await pane.press("j", "Enter")
                await pane.see("pitlink Site demo", "/httpfiles/**", "Commands")
                await operator.say("pause 5m")
                await pane.see("Pause site demo?")
                await pane.press("Tab", "Enter")
                await pane.see("‖ paused", "pause site demo: ")
                print(await pane.picture("tui"))
                await pane.press("q")
                await pane.end()


if __name__ == "__main__":
    trio.run(shoot, Path(sys.argv[1]))
