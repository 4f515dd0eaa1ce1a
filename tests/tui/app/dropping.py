"""The app with a site that drops and returns by the clock: python -m tests.tui.app.dropping FILE SECONDS.

Everything changes ten times a second; each time a line of FILE says what the model then knows of the site. From when there
is FILE.go it is connected for a third of SECONDS, gone for a third, and there again.
"""

import json
import math
import random
import sys
from pathlib import Path

import trio

from tests.tui.app.world import HUB, World, site
from tui.app import app
from tui.app.run import run_app

AWAY = {"connected": False, "round_trip_s": None, "round_trip_p50_s": None, "round_trip_p99_s": None}


class Dropping(World):
    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super().run)
            await self.began.wait()
            chance, number, began_at = random.Random(7), 0, math.inf
            file, third_s = Path(sys.argv[1]), float(sys.argv[2]) / 3
            with file.open("w", buffering=1) as known:  # noqa: ASYNC230 (a line at a time, into memory)
                while True:
                    if began_at == math.inf and await trio.Path(f"{file}.go").exists():
                        began_at = trio.current_time()
                    is_away = third_s < trio.current_time() - began_at < 2 * third_s
                    told = {f"rushing{at:02}": site(round_trip_p50_s=chance.random()) for at in range(30)}
                    told["dropping"] = site(
                        fetches_in_flight=number, fetches_waiting=0, **(AWAY if is_away else {})
                    )
                    self.tell(told)
                    state = str(self.model.sites[HUB, "dropping"].state)
                    known.write(json.dumps({"number": number, "state": state}) + "\n")
                    number += 1
                    await trio.sleep(0.1)


if __name__ == "__main__":
    app.TICK_S = 0.1
    sys.exit(run_app(Dropping()))
