"""Every control with real keys, at daemons that are processes: its effect in the daemon, and its row in the audit there."""

import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from daemons.commands.drillground import SITE, GroundOptions, ThrowAwayGround, open_ground
from daemons.ops.client import AdminClient
from protocol.messages import OriginLost, encode_body
from tests.tui.whole.operator import Operator, admin, open_operator, until

pytestmark = pytest.mark.process

HUB_ROW, SITE_ROW, PITS_ROW, OWN_ROW = range(4)
"""Of the overview: the hub, the site as the hub tells of it, the site's daemon, and the site by its own word."""


@frozen
class Desk:
    """An operator, and the daemons to be asked beside them."""

    operator: Operator
    hub: AdminClient
    site: AdminClient

    async def at(self, row: int) -> None:
        """Put the cursor on a row of the overview."""
        await self.operator.pane.press("1")
        await self.operator.pane.see("pitlink Overview")
        await self.operator.pane.press("Home", *["j"] * row)

    async def do(self, row: int, words: str, question: str) -> None:
        """Have something done to what is in a row, and see it said that it was."""
        await self.at(row)
        await self.operator.do(words, question)
        await self.operator.pane.see(f"{question[:1].lower()}{question[1:].rstrip('?')}")

    async def told(self, holds: Any) -> Any:
        """Wait until the hub tells of its site what holds."""
        return await until(self.hub.status, lambda told: holds(told["sites"][SITE]))

    async def row(
        self, daemon: AdminClient, action: str, outcome: str = "done", **after: Any
    ) -> dict[str, Any]:
        """Wait for a row of the audit that this operator caused, at whichever end, and return it."""

        def fits(row: dict[str, Any]) -> bool:
            is_same = (row["action"], row["outcome"]) == (action, outcome) and row["who"].endswith(
                "(for ann)"
            )
            return is_same and (not after or after.items() <= dict(row["after"]).items())

        rows = await until(lambda: daemon.audit(last=500), lambda rows: any(map(fits, rows)))
        found: dict[str, Any] = next(row for row in rows if fits(row))
        return found


@asynccontextmanager
async def open_desk(tmp_path: Path, *, dead: bool = False) -> AsyncIterator[Desk]:
    """Start daemons and the terminal before them. `dead`: with two messages that once could not be applied."""
    async with open_ground(GroundOptions(speed=4.0)) as ground:
        if dead:
            await bury(ground)
        hub, site = ground.folder / "cloud", ground.folder / "pits"
        words = ("--who", "ann", "-C", str(hub), "-C", str(site))
        async with open_operator(*words, pictures=tmp_path / "pictures", home=tmp_path) as operator:
            desk = Desk(operator, admin(hub), admin(site))
            await operator.pane.see("pitlink Overview", "● demo", "2 of 2 sites")
            yield desk
            await operator.pane.press("q")
            assert await operator.pane.end() == 0


async def bury(ground: ThrowAwayGround) -> None:
    """Stop the hub, leave it two messages that could not be applied, one of which now can be, and start it again."""
    machine = ground.machines.machines["hub"]
    await machine.end(signal.SIGTERM)
    with sqlite3.connect(ground.folder / "cloud" / "cloud.db") as conn:
        for kind, version, body in (encode_body(OriginLost(5.0, "gone")), ("nonsense", 1, b"\xff")):
            row = (SITE, "event", 1, 1, kind, version, body, "ValueError: once", 5.0)
            conn.execute(
                "INSERT INTO link_dead (peer, channel, epoch, seq, type, version, body, error, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
    conn.close()
    await machine.start()
    await until(admin(ground.folder / "cloud").status, lambda told: told["sites"][SITE]["connected"])


async def test_a_site_is_paused_resumed_reconnected_and_its_copies_purged(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        pane = desk.operator.pane
        await desk.at(SITE_ROW)
        await desk.operator.say("pause 5m")
        await pane.see("Pause site demo?", "$ pitlink ctl site.pause site=demo for_s=300", "Cancel")
        await pane.picture("question")
        await pane.press("Enter")
        await pane.see("pitlink Overview", without="Pause site demo?")
        assert "site.pause" not in str(await desk.hub.audit()), "Enter alone is Cancel"
        await desk.do(SITE_ROW, "pause 5m", "Pause site demo?")
        await desk.told(lambda site: site["paused"])
        await desk.row(desk.hub, "site.pause", "begun", do="pause")
        await desk.row(desk.site, "command.pause", "begun")
        await pane.see("‖ demo")
        await pane.picture("paused")
        await desk.do(SITE_ROW, "resume", "Resume site demo?")
        await desk.told(lambda site: site["paused"] is False)
        await desk.row(desk.hub, "site.resume", "begun")
        before = (await desk.hub.status())["sites"][SITE]["connections"]
        await desk.do(SITE_ROW, "reconnect", "Reconnect site demo?")
        await desk.told(lambda site: site["connected"] and site["connections"] >= before)
        await desk.row(desk.site, "command.reconnect", "done")
        await desk.do(SITE_ROW, "purge /", "Purge copies of site demo?")
        await desk.row(desk.hub, "site.purge", "begun")
        await desk.row(desk.site, "command.purge", "done")
        await desk.at(OWN_ROW)
        await desk.operator.do("pause 90s", "Pause site demo?")
        await until(desk.site.status, lambda told: told["paused"])
        await desk.row(desk.site, "pause")
        await pane.press("z")
        await pane.see("esume site demo", "Cancel")
        await pane.press("Tab", "Enter")
        await until(desk.site.status, lambda told: not told["paused"])
        await desk.row(desk.site, "resume")


async def test_a_daemon_is_drained_its_log_level_set_a_backup_taken(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        pane = desk.operator.pane
        await desk.do(HUB_ROW, "backup", "Backup of cloud")
        row = await desk.row(desk.hub, "backup.take")
        assert list(Path(row["target"]).iterdir()), "the ground takes one at its start, this is another"
        await desk.do(HUB_ROW, "level debug", "Log level of cloud")
        await until(lambda: desk.hub.audit(last=9), lambda rows: rows[-1]["action"] == "log.level")
        assert (await desk.row(desk.hub, "log.level"))["after"] in ("debug", {"level": "debug"})
        await pane.press("2")
        await pane.see("pitlink Requests and errors", "debug")
        await pane.picture("log-debug")
        await desk.do(HUB_ROW, "drain", "Drain cloud")
        await until(desk.hub.status, lambda told: told["draining"])
        await desk.told(lambda site: not site["connected"])
        await desk.row(desk.hub, "drain")
        await pane.see("pitlink Overview", "draining")
        await desk.do(HUB_ROW, "drain", "End the drain of cloud")
        await until(desk.hub.status, lambda told: not told["draining"])
        await desk.told(lambda site: site["connected"])
        await desk.do(PITS_ROW, "drain", "Drain pits demo?")
        await desk.row(desk.site, "drain")


async def test_an_entry_of_the_allowlist_is_switched_off_and_on(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        pane = desk.operator.pane
        await desk.at(SITE_ROW)
        await pane.press("Enter")
        await pane.see("pitlink Site demo")
        await desk.operator.filter("/httpfiles")
        await pane.see("/httpfiles/**")
        await pane.press("Home")

        async def rules() -> dict[str, bool]:
            return {rule["pattern"]: rule["enabled"] for rule in (await desk.site.status())["allowlist"]}

        for way in (False, True):
            await pane.press("Enter")
            await desk.operator.agree(f"Switch /httpfiles/** of site demo {'on' if way else 'off'}?")
            await until(rules, lambda found, way=way: found["/httpfiles/**"] is way)
            await desk.row(desk.hub, "site.allowlist.switch", "begun", pattern="/httpfiles/**", enabled=way)
            if way:
                await pane.see("GET HEAD /httpfiles/**", without="  switched off")
            else:
                await pane.see("  switched off", "GET HEAD /httpfiles/**")


async def test_dead_letters_are_requeued_and_dropped_and_alarms_put_aside(tmp_path: Path) -> None:
    async with open_desk(tmp_path, dead=True) as desk:
        pane = desk.operator.pane
        await pane.press("7")
        await pane.see("pitlink Alarms", "could not be applied")
        await desk.operator.filter("could not")
        await pane.press("Home", "a")
        await pane.see("✓", "acknowledged: ")
        await pane.press("s")
        await pane.see("shelved for")
        await pane.press("u")
        await pane.see("could not be applied", without="shelved for")
        await pane.press("5")
        await pane.see("2 dead letters", "ValueError: once")
        await pane.picture("dead-letters")
        await pane.press("Home", "r")
        await desk.operator.agree("Requeue dead letter")
        await desk.row(desk.hub, "dead.requeue")
        await pane.see("1 dead letter")
        await pane.press("Home", "x")
        await desk.operator.agree("Drop dead letter")
        await desk.row(desk.hub, "dead.drop")
        await pane.see("0 dead letters")
        assert (await desk.hub.act("dead.list", site=SITE))["count"] == 0
