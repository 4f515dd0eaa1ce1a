"""The app on a real terminal before a hub whose only site is paused for so long: python -m tests.tui.app.counting SECONDS."""

import sys

import trio

from tests.tui.app.world import UTC, World, hub, site
from tui.app.run import run_app


class Counting(World):
    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super().run)
            await self.began.wait()
            began, ends_at = trio.current_time(), UTC + float(sys.argv[1])
            paused = site(paused=True, paused_until=ends_at, age_s=None, as_of=None)
            while True:
                now = UTC + trio.current_time() - began
                self.model.told("hub", hub({"north": paused}, now=now), trio.current_time(), now)
                await trio.sleep(0.5)


if __name__ == "__main__":
    sys.exit(run_app(Counting()))
