"""A race day of pits and cloud with faults inside of both: messages eaten and doubled, late acknowledgements, starving."""

import pytest

from chaos.inside.inside import open_inside
from chaos.simnet import World, run_world
from tests.sim.world_whole import run_whole

pytestmark = pytest.mark.sim

HOURS = 0.1
FAULTS = (
    ("gaps", "eat_message", {"share": 0.03, "count": 0}, 1.0),
    ("twice", "duplicate_message", {"share": 0.1}, 1.0),
    ("late", "delay_acks", {"delay": 700}, 0.5),
    ("starving", "starve_heartbeats", {}, 0.2),
    ("slow", "latency", {"latency": 80, "jitter": 40}, 0.5),
    ("cut", "outage", {"up": 60_000, "down": 8_000, "how": "silence"}, 1.0),
)


async def _play(world: World) -> dict[str, int]:
    """Return what each fault met. The leases end before the storm or with it."""
    async with (
        open_inside("site", world.utc_now, f"{world.seed}/site") as site,
        open_inside("hub", world.utc_now, f"{world.seed}/hub") as hub,
    ):
        for inside in (site, hub):
            for name, kind, attributes, toxicity in FAULTS:
                # Only what follows shows that a message was eaten: events must go on for a while after that.
                lease_s = HOURS * (1800 if kind == "eat_message" else 3600)
                inside.begin(name, kind, attributes, toxicity=toxicity, lease_s=lease_s)
        await run_whole(world, HOURS, hazards={"pits": site, "cloud": hub})
        assert (site.leases_ended, hub.leases_ended) == (len(FAULTS), len(FAULTS))
        return {name: site.touched()[name] + hub.touched()[name] for name, *_ in FAULTS}


def test_nothing_is_lost_or_doubled_whatever_happens_to_messages() -> None:
    """Every event arrives once, in its order: the day's oracle counts them."""
    met = run_world(3, _play).value
    assert all(met.values()), met
