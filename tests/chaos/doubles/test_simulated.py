"""The stand-in on the simulated network: the same server on virtual sockets, and one seed one run."""

import json

import pytest
import trio

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, Quirks, RaceDay
from chaos.simnet import World, run_world

from .client import connect, fetch, read_reply, request_bytes


async def _watch_a_race(world: World) -> tuple[int, int]:
    """Poll `/current` and the current race for some minutes of a race day; return (laps, torn bodies)."""
    with world.net.host("laptop"):
        double = FPVTrackside(EventTree(), Quirks(torn_write_s=0.05))
        day = RaceDay(double, world.seed, rounds=None)
        laps: set[str] = set()
        torn = 0
        async with trio.open_nursery() as nursery:
            assert await nursery.start(double.serve, 8080) == 8080
            nursery.start_soon(day.run)
            await double.wait_listening()
            with trio.move_on_after(400):
                while True:
                    current = json.loads((await fetch(double, "/current")).body)["CurrentRace"]
                    if current is not None:
                        path = f"/events/{double.event_id}/{current}/Race.json"
                        try:
                            (row,) = json.loads((await fetch(double, path)).body)
                            laps |= {lap["ID"] for lap in row["Laps"]}
                        except ValueError:
                            torn += 1
                    await trio.sleep(0.6)
            nursery.cancel_scope.cancel()
        double.assert_well_mannered(aborts=1)  # the one that the end may cut off
    return len(laps), torn


@pytest.mark.sim
def test_race_day_is_the_same_for_the_same_seed() -> None:
    runs = [run_world(seed, _watch_a_race) for seed in (1, 1, 2)]
    assert runs[0].fingerprint == runs[1].fingerprint
    assert runs[0].value == runs[1].value
    assert runs[0].fingerprint != runs[2].fingerprint
    laps, torn = runs[0].value
    assert laps > 80
    assert torn > 2


@pytest.mark.sim
def test_port_goes_off_and_on() -> None:
    async def main(world: World) -> None:
        with world.net.host("laptop"):
            double = FPVTrackside(EventTree({"events/e/Event.json": b"[]"}))
            async with trio.open_nursery() as nursery:
                await nursery.start(double.serve)
                with pytest.raises(OSError, match="all attempts to connect"):
                    await connect(double)
                double.open_event()
                await double.wait_listening()
                bystander = await connect(double)
                await bystander.send_all(request_bytes("/"))
                await read_reply(bystander)
                with pytest.raises(trio.BrokenResourceError):
                    await fetch(double, "/", "HEAD")
                with pytest.raises(trio.BrokenResourceError):
                    await bystander.receive_some()
                await bystander.aclose()
                await double.wait_listening()
                assert (await fetch(double, "/")).status == 200
                double.close_event()
                with pytest.raises(OSError, match="all attempts to connect"):
                    await connect(double)
                nursery.cancel_scope.cancel()
        assert double.manners().aborted == 0

    run_world(1, main)
