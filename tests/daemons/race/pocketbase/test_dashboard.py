"""The pocketbase client from npm against a real server: it lists, gets, is refused, and is told of a lap at once."""

import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import trio

from daemons.race.keeper import BoardKeeper
from tests.nodejs import JS, node_program

from .. import makers as make
from ..field import Field, fetched
from .days import LIVE, played, serving


@pytest.fixture
def node() -> Path:
    return node_program()


async def test_a_dashboard_lists_gets_and_is_told(node: Path, tmp_path: Path) -> None:
    keeper, day = played()
    said: dict[str, Any] = {}
    laps = []
    complaints = tmp_path / "stderr"
    with trio.fail_after(60), complaints.open("wb") as stderr:
        async with serving({"pits": keeper}) as (realtime, running):
            command = [str(node), "dashboard.mjs", f"http://127.0.0.1:{running.port}"]
            process = await trio.lowlevel.open_process(command, cwd=JS, stdout=subprocess.PIPE, stderr=stderr)
            assert process.stdout is not None
            try:
                async with aclosing(_lines(process.stdout)) as lines:
                    async for what, value in lines:
                        said[what] = value
                        if what == "subscribed":
                            assert realtime.clients == 1
                            _flown(keeper, day, [1.0, 5.0, 4.5])
                        elif what == "lap":
                            laps.append(value)
                            if len(laps) == 1:
                                _flown(keeper, day, [1.0, 5.0, 4.5, 4.25], end=make.END)
                assert (await process.wait(), complaints.read_text()) == (0, "")
            finally:
                process.kill()
                await process.wait()
                await process.stdout.aclose()
            while realtime.clients:  # its stream is over: the server notices by itself
                await trio.sleep(0.01)
    assert said["health"]["code"] == 200
    assert (said["event"]["name"], said["event"]["sourceId"]) == ("Winter Cup", make.EVENT_ID)
    assert said["current"]["order"] == 2
    assert said["around"] == [[1, 1, 1], [2, 2, 1], [3, 3, 1]]
    assert said["race"]["sourceId"] == make.race_id(102)
    assert [lap["lengthSeconds"] for lap in said["laps"]] == [1, 5]
    assert said["missing"] == {"status": 404, "message": "The requested resource wasn't found."}
    assert said["unknown"] == {"status": 404, "message": "Missing collection context."}
    assert said["bad"]["status"] == 400
    assert "laps has no field 'speed'" in said["bad"]["message"]
    for what in ("write", "update", "delete"):
        assert said[what] == {"status": 403, "message": "Only superusers can perform this action."}
    assert [(lap["action"], lap["record"]["lengthSeconds"]) for lap in laps] == [
        ("create", 4.5),
        ("create", 4.25),
    ]
    assert laps[0]["record"]["expand"]["detection"]["expand"]["pilot"]["name"] == "Ann"
    assert said["race-told"] == {"action": "update", "end": "2026-02-06T17:02:00.500Z"}
    assert said["left"] is False


def _flown(keeper: BoardKeeper, day: Field, lengths: list[float], **more: Any) -> None:
    path = day.race(102, **LIVE, flown={1: lengths}, **more)
    keeper.apply(path, fetched(path, day.files[path]))


async def _lines(pipe: trio.abc.ReceiveStream) -> AsyncIterator[tuple[str, Any]]:
    """Yield what the program says."""
    rest = b""
    async for chunk in pipe:
        *lines, rest = (rest + bytes(chunk)).split(b"\n")
        for line in lines:
            what, value = json.loads(line)
            yield what, value
