"""/metrics of the daemons that run: promtool has nothing to say, and what docs/metrics.md lists is there."""

import re
from pathlib import Path

import httpx

from tests.daemons.ops.test_metrics import lint
from tests.whole.stage import SITE, Stage, open_stage
from tests.whole.test_api import tree

DOCS = Path(__file__).parents[2] / "docs"


async def _scrape(url: str) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{url}/metrics")
    assert answer.status_code == 200
    return answer.text


def names_of(text: str) -> set[str]:
    """Return the names of the metrics of a scrape, as docs, rules and dashboard write them."""
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


async def _played(stage: Stage) -> tuple[str, str]:
    """Fetch, command, reconnect: every part has something to tell. Return both daemons' metrics."""
    await stage.connected()
    assert (await stage.origin("/httpfiles/Channels.json")).status_code == 200
    assert (await stage.origin("/none")).status_code == 403
    await stage.result_of(await stage.command(do="purge", prefix="/"))
    await stage.result_of(await stage.command(do="reconnect"))
    await stage.until(lambda: stage.pits.peer.figures.opened == 2)
    await stage.connected()
    await stage.until(lambda: stage.cloud.members[SITE].site.keeper.as_of is not None)
    await stage.until(lambda: stage.cloud.members[SITE].site.peer.figures.round_trips.count)
    assert stage.pits.front is not None
    pits = await _scrape(f"http://127.0.0.1:{stage.pits.front.ports[0]}")
    return await _scrape(stage.page), pits


async def test_what_runs_says_what_the_docs_list(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        hub, site = await _played(stage)
    lint(hub)
    lint(site)
    for line in (
        'pitlink_control_connections{state="ready"} 1',
        f'pitlink_fetch_errors_total{{site="{SITE}",code="DENIED"}} 1',
        f'pitlink_command_seconds_count{{site="{SITE}"}} 2',
        f'pitlink_commands_issued_total{{site="{SITE}"}} 2',
        f'pitlink_link_opened_total{{site="{SITE}"}} 2',
        "pitlink_metrics_sites_left_out 0",
    ):
        assert line in hub.splitlines()
    assert 'pitlink_origin_state{state="up"} 1' in site.splitlines()
    assert "pitlink_origin_aborted_late_total 0" in site.splitlines()
    written = (DOCS / "metrics.md").read_text(encoding="utf-8")
    of_houses = written[written.index("## boiler") : written.index("## Front")]
    tables = written[written.index("## The link") :].replace(of_houses, "")
    listed = set(re.findall(r"`((?:pitlink|process)_[a-z0-9_]+)`", tables))
    there = names_of(hub) | names_of(site)
    assert there - listed == set(), "not in docs/metrics.md"
    rare = set(re.findall(r"`(pitlink_[a-z0-9_]+)` \*", written))  # no sample before the first time
    assert listed - there - rare == set(), "in docs/metrics.md, but not told"
    sizes = [len(text.splitlines()) for text in (hub, site)]
    assert max(sizes) < 800, "one site is to be a few hundred samples"
