"""boiler and nas as they run, over loopback and on real disks: what is heated is seen from afar, and obeys."""

import re
from pathlib import Path
from time import monotonic

import httpx
import trio

from bench.heathouse import SITE, let_in, run_boiler, run_nas
from daemons.ops.options import Address
from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable

ROOT = Path(__file__).parents[2]


def _names(metrics: str) -> set[str]:
    """Return the names of the samples."""
    return {re.split(r"[{ ]", line)[0] for line in metrics.splitlines() if not line.startswith("#")}


def figures_listed(first: str, end: str) -> set[str]:
    """Return the figures that a section of the docs lists in its table."""
    written = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    table = written[written.index(first) : written.index(end)].partition("|---|---|")[2]
    return set(re.findall(r"`(pitlink_[a-z0-9_]+)`", table))


async def _until_done(client: httpx.AsyncClient, href: str) -> dict[str, object]:
    with trio.fail_after(30):
        while True:
            told: dict[str, object] = (await client.get(href)).json()
            if told["decided_at"] is not None:
                return told
            await trio.sleep(0.05)


async def test_a_house_is_seen_from_afar_and_obeys(tmp_path: Path) -> None:
    house_token = let_in(tmp_path / "nas")
    operator = TokenTable(tmp_path / "nas" / TOKENS_FILE).add("ann", Role.OPERATOR, SITE)
    async with run_nas(tmp_path / "nas", Address("127.0.0.1", 0)) as nas:
        assert nas.front is not None
        port = nas.front.ports[0]
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {operator}"}
        ) as client:
            assert (await client.get("/health")).json()["pi_connected"] is False
            url = f"ws://127.0.0.1:{port}"
            async with run_boiler(
                tmp_path / "boiler", house_token, url, Address("127.0.0.1", 0), monotonic
            ) as boiler:
                with trio.fail_after(30):
                    while nas.houses[SITE].look.settings() is None or nas.houses[SITE].look.state() is None:
                        await trio.sleep(0.05)
                assert (await client.get("/health")).json()["pi_connected"] is True
                room = next(zone.id for zone in boiler.plant.zones if zone.room)
                action = {"do": "heat.override", "zone": room, "end": "permanent", "celsius": 21.5}
                given = await client.post("/api/commands", json={"house": SITE, "action": action})
                assert given.status_code == 202, given.text
                done = await _until_done(client, given.json()["href"])
                assert done["status"] == "DONE"
                assert len(done["attempts"]) == 1  # type: ignore[arg-type]
                override = boiler.primary.settings.zones[room].override
                assert override is not None and override.target.celsius == 21.5

                refused = await client.post(
                    "/api/commands", json={"house": SITE, "action": {**action, "celsius": 70.0}}
                )
                failed = await _until_done(client, refused.json()["href"])
                assert failed["status"] == "FAILED" and "70" in str(failed["words"])
                dead = (await client.get(f"/api/houses/{SITE}/dead")).json()
                assert [one["id"] for one in dead["dead"]] == [refused.json()["id"]]

                assert (await client.get(f"/api/houses/{SITE}/events")).status_code == 200
                metrics = (await client.get("/metrics")).text
                for name in ("command_seconds_count", "link_uptime_ratio", "link_messages_total"):
                    assert f"pitlink_{name}" in metrics
                assert figures_listed("## nas", "## relay") <= _names(metrics)
                assert boiler.front is not None
                own = (await client.get(f"http://127.0.0.1:{boiler.front.ports[0]}/metrics")).text
                assert figures_listed("## boiler", "## nas") <= _names(own)
            with trio.fail_after(30):
                while (await client.get("/health")).json()["pi_connected"]:
                    await trio.sleep(0.05)
