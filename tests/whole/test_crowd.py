"""A small crowd on the cloud's page through a race, counted; how fast a large one is, `bench.crowd` measures."""

from functools import partial
from pathlib import Path

import pytest
import trio

from bench.crowd import child, metrics_of
from chaos.doubles.fpvtrackside import RaceControl
from daemons.race.keeper import BoardKeeper
from tests.whole.stage import SITE, open_stage

pytestmark = pytest.mark.process

PHONES, STAY, LAPS = 40, 60, 5


def _has_flown(keeper: BoardKeeper, race: str, pilot: str, laps: int) -> bool:
    row = keeper.tree.newest().tree["races"].get(race, {}).get("rows", {}).get(pilot, {})
    return bool(row.get("laps") == laps)


async def test_forty_phones_see_a_race_for_one_encoding_a_lap(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        control = RaceControl(stage.double, 1, target_laps=LAPS)
        await control.open_event(pilots=4)
        race = await control.add_race(await control.add_round(), [row["ID"] for row in control.pilots[:4]])
        await stage.connected()
        keeper = stage.cloud.members[SITE].site.keeper
        await control.start_race(race)
        await stage.until(lambda: keeper.is_live and len(keeper.tree.newest().tree["pilots"]) == 4, 60)
        load = [
            *("127.0.0.1", stage.page.rsplit(":", 1)[1], "--phones", str(PHONES), "--stay", str(STAY)),
            *("--within", "0.5", "--others-within", "0.2", "--api", f"/api/v1/sites/{SITE}/tree"),
        ]
        with trio.fail_after(100):
            async with child("bench.crowdload", *load) as crowd:
                await crowd.line()
                await crowd.line()
                before = await metrics_of(stage.page)
                for laps in range(1, LAPS + 1):
                    if laps == 1:
                        await control.add_lap(race, race.pilots[0])  # the holeshot
                    await control.add_lap(race, race.pilots[0])
                    await stage.until(partial(_has_flown, keeper, race.id, race.pilots[0], laps), 30)
                after = await metrics_of(stage.page)
                await crowd.end_input()
                found = await crowd.line()

    def rise(name: str, more: str = "") -> float:
        key = f'pitlink_race_tree_{name}_total{{site="{SITE}"{more}}}'
        return after[key] - before[key]

    newest = keeper.tree.newest()
    assert (found["there"], found["failures"], set(found["statuses"])) == (STAY, {}, {"200"})
    assert len(found["arrivals"][newest.id]) == STAY
    assert newest.tree["races"][race.id]["rows"][race.pilots[0]]["laps"] == LAPS
    assert rise("versions") >= LAPS
    assert rise("encodings", ',what="patch"') <= 2 * rise("versions")  # not STAY times; one more for who lags
    assert rise("encodings", ',what="snapshot"') == rise("encodings", ',what="packed"') == 0
    assert not [key for key, value in after.items() if "http_refused" in key and value]
