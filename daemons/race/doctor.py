"""What `pitlink doctor` looks at for pits and for cloud, beside what any site and any hub needs."""

import time
from functools import partial

import trio

from daemons.link.doctor.asking import Unreached, open_asker
from daemons.link.doctor.way import Way
from daemons.ops.doctor.finding import Finding, bad, good, skipped, warning
from daemons.pair.doctor import Health, examine_hub, examine_site
from daemons.race.config import PitsConfig
from daemons.race.origin import LocalOrigin, OriginState
from protocol.errors import RequestError

__all__ = ["examine_cloud", "examine_pits", "live_pages"]

STREAM_S = 5.0
"""A stream's first event comes at once; a proxy that buffers holds it back."""


async def _own(config: PitsConfig, health: Health) -> list[Finding]:
    return [await _origin(config, health)]


async def _origin(config: PitsConfig, health: Health) -> Finding:
    """Look at FPVTrackside; through pits while that runs, for two at once is more than FPVTrackside likes."""
    if health is not None and isinstance(origin := health.get("origin"), dict):
        state, words = str(origin.get("state")), str(origin.get("words"))
    else:
        local = LocalOrigin(config.origin_url, utc_now=time.time)
        async with trio.open_nursery() as nursery:
            await nursery.start(local.run)
            try:
                await local.own.fetch("/")
            except RequestError:
                pass  # the state has the words
            state, words = str(local.state), local.words
            nursery.cancel_scope.cancel(reason="asked")
    if state == OriginState.UP:
        return good("origin", words)
    if state == OriginState.NO_EVENT:
        return warning("origin", words, "open the event in FPVTrackside")
    return bad("origin", words, "docs/pits.md has the steps for each of these")


async def live_pages(way: Way) -> Finding:
    """Look whether live pages are live: the first event must not stick in a proxy's buffer."""
    remedy = "switch buffering off in the reverse proxy (nginx: proxy_buffering off): see docs/deploy.md"
    try:
        async with open_asker(way.address, way.context) as asker:
            answer = await asker.ask("GET", "/events", head_only=True)
            if answer.status != 200:
                return skipped("live pages", f"HTTP {answer.status}: not looked at")
            with trio.move_on_after(STREAM_S):
                if await asker.next_piece():
                    return good("live pages", "events come through unbuffered")
    except Unreached as exc:
        return bad("live pages", f"the stream of events does not come: {exc}", remedy)
    return bad(
        "live pages", f"no event came within {STREAM_S:.0f} s: something on the way holds them back", remedy
    )


async def _outside(way: Way) -> list[Finding]:
    return [await live_pages(way)]


examine_pits = partial(examine_site, "pits", _own, "no cloud_url is set: the field is served alone")
examine_cloud = partial(examine_hub, "cloud", _outside)
