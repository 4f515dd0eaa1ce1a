"""The app on a real terminal with a world that no daemon stands behind: python -m tests.tui.app.child FILE [fails].

Numbers change 20 times a second; how far they are is in FILE, whatever the terminal does.
"""

import sys
from pathlib import Path

import trio

from tests.tui.app.world import World, site
from tui.app import app
from tui.app.run import run_app

SITES = 40


class Busy(World):
    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super().run)
            await self.began.wait()
            number = 0
            while True:
                await trio.sleep(0.05)
                number += 1
                self.tell({f"site{at:02}": site(fetches_in_flight=number + at) for at in range(SITES)})
                await trio.Path(f"{sys.argv[1]}.new").write_text(str(number))
                await trio.Path(f"{sys.argv[1]}.new").replace(sys.argv[1])
                if "fails" in sys.argv and number == 5:
                    secret = "pl_secret_token"
                    raise ValueError(f"broken, of length {len(secret)}")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("0")
    app.TICK_S = 0.02  # what would take eight seconds takes one
    sys.exit(run_app(Busy()))
