"""A real recorded event through pits and cloud: every file as it is, and the page as a spectator should see it."""

import json
from pathlib import Path

import pytest
import trio
from attrs import evolve

from chaos.doubles.fpvtrackside import load_event_dir
from daemons.race.rules import race_name, rows_of
from tests.whole.stage import SITE, open_stage

EVENT = "fpv/tree-test-1"


def _files(folder: Path) -> dict[str, bytes]:
    return {f"/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("share_private", [True, False])
async def test_every_file_is_byte_identical_at_the_cloud(
    samples: Path, tmp_path: Path, share_private: bool
) -> None:
    folder = samples / EVENT
    tree = load_event_dir(folder)
    async with open_stage(
        tmp_path, tree=tree, pits_config=lambda config: evolve(config, share_private=share_private)
    ) as stage:
        await stage.connected()
        different = []
        with trio.fail_after(60):
            for path, body in sorted(_files(folder).items()):
                answer = await stage.origin(path)
                assert answer.status_code == 200, (path, answer.text)
                if answer.content != body:
                    different.append(path)
        assert [path.rpartition("/")[2] for path in different] == ([] if share_private else ["Pilots.json"])
        if not share_private:
            pilots = (await stage.origin(different[0])).json()
            assert pilots
            assert not {"FirstName", "LastName", "DiscordID", "PhotoPath"} & set().union(*pilots)


async def test_board_agrees_with_what_a_spectator_should_see(samples: Path, tmp_path: Path) -> None:
    expected = json.loads((samples / f"{EVENT}.expected-summary.json").read_text())
    async with open_stage(tmp_path, tree=load_event_dir(samples / EVENT)) as stage:
        await stage.connected()
        keeper = stage.cloud.members[SITE].site.keeper
        races = expected["races"]
        ids = {race["id"] for race in races}
        await stage.until(
            lambda: ids <= keeper.day.races.keys() and keeper.day.pilots and keeper.day.channels, 30
        )
        assert stage.cloud.members[SITE].site.remote.statistics.pushes > len(races)

        for race in races:
            known = keeper.day.races[race["id"]]
            assert race_name(keeper.day, known) == race["name"]
            assert known.state.value == race["state"]
            rows = {row.pilot: row for row in rows_of(keeper.day, known)}
            assert sorted(rows) == sorted(row["pilot"] for row in race["rows"])
            for row in race["rows"]:
                seen = rows[row["pilot"]]
                assert (seen.channel, seen.frequency_mhz) == (row["channel"], row["MHz"])
                assert [round(lap_s, 3) for lap_s in seen.flight.laps_s] == row["laps"]
                assert (seen.flight.best_s and round(seen.flight.best_s, 3)) == row["best"]
        page = (await stage.callers.get(f"/api/sites/{SITE}/board")).json()
        assert page["board"]["race"]["id"] in ids
        assert page["board"]["event"]["name"] == expected["event"]
