"""Each control of the screen on real daemons: its effect there, its row in the audit, and what `z` puts back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio
from attrs import define

from daemons.ops.client import AdminClient
from daemons.ops.logs import LogLevel, log_level, set_log_level
from daemons.ops.unixpath import ADMIN_SOCKET
from tests.whole.stage import SITE, Stage, open_stage
from tests.whole.test_admin import FILE, tree
from tui.app.control import Question
from tui.app.controls import controls
from tui.app.deeds import Deeds
from tui.app.row_controls import rule_deed, withdraw_deeds
from tui.feed import Feeds, open_feeds
from tui.feed.sources import Direct
from tui.plain import lines, snapshot


@define(eq=False)
class Hands:
    """An operator's: what is done by a control, as the app does it."""

    stage: Stage
    feeds: Feeds
    deeds: Deeds

    def question(self, daemon: str, site: str, name: str, typed: str = "") -> Question:
        """Return what a control asks."""
        found = {control.name: control for control in controls(self.feeds.model, daemon, site)}
        return found[name].question(typed)

    async def do(self, question: Question) -> str:
        """Do it, and return what came of it, in words."""
        self.deeds.ask(*question.deeds, title=question.title)
        with trio.fail_after(20):
            while self.deeds.under_way:
                await trio.sleep(0.01)
        assert self.deeds.last is not None and self.deeds.last.is_good, self.deeds.last
        return self.deeds.last.words

    async def undo(self) -> None:
        """Do what undoes it."""
        done = self.deeds.take_last()
        assert done is not None
        undoing = [deed.undo for deed in done.deeds if deed.undo is not None]
        assert len(undoing) == len(done.deeds)
        self.deeds.ask(*undoing, is_undoing=True)
        with trio.fail_after(20):
            while self.deeds.under_way:
                await trio.sleep(0.01)
        assert self.deeds.last is not None and self.deeds.last.is_good, self.deeds.last

    async def until(self, condition: Any) -> None:
        """Wait until the screen would show it."""
        await self.stage.until(lambda: condition(self.feeds.model))


@asynccontextmanager
async def hands(folder: Path, *, is_production: bool = False) -> AsyncIterator[Hands]:
    """Run daemons and the half of the terminal that talks with them."""
    async with open_stage(
        folder, tree=tree(), pits_config=lambda config: attrs.evolve(config, production=is_production)
    ) as stage:
        await stage.connected()
        sources = [
            (name, Direct(AdminClient(folder / name / ADMIN_SOCKET), str(folder / name)))
            for name in ("cloud", "pits")
        ]
        feeds = open_feeds(sources, 4.0)
        deeds = Deeds(feeds.act)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feeds.run)
            nursery.start_soon(deeds.run)
            found = Hands(stage, feeds, deeds)
            await found.until(lambda model: {("cloud", SITE), ("pits", SITE)} <= model.sites.keys())
            await found.until(lambda model: model.actions.keys() == {"cloud", "pits"})
            yield found
            nursery.cancel_scope.cancel()


async def test_a_pause_from_the_hub_counts_down_on_both_and_is_undone(tmp_path: Path) -> None:
    async with hands(tmp_path) as operator:
        model = operator.feeds.model
        assert (
            await operator.stage.origin(FILE)
        ).status_code == 200  # it is watched now: the site tells how it is with it
        await operator.do(operator.question("cloud", SITE, "pause", "300"))
        assert operator.stage.pits.service.paused
        for daemon in ("cloud", "pits"):
            await operator.until(
                lambda model, daemon=daemon: model.sites[daemon, SITE].paused_left_s is not None
            )
            left_s = model.sites[daemon, SITE].paused_left_s
            assert left_s is not None and 280 < left_s <= 301
        assert sum("paused, 5 min" in line for line in lines(model, trio.current_time())) == 2
        await operator.undo()
        assert not operator.stage.pits.service.paused
        await operator.until(lambda model: not model.sites["pits", SITE].is_paused)
        await operator.until(lambda model: "site.resume" in {row.action for row in model.audit})


async def test_limits_and_a_log_level_for_a_time_and_back(tmp_path: Path) -> None:
    before = log_level()
    try:
        async with hands(tmp_path) as operator:
            pits, model = operator.stage.pits, operator.feeds.model
            await operator.do(operator.question("pits", SITE, "limit", "fetch.max_in_flight 1 60"))
            assert pits.fetch_bounds.now.max_in_flight == 1
            await operator.until(
                lambda model: any(limit.is_changed for limit in model.daemons["pits"].limits)
            )
            now = trio.current_time()
            assert any("limit fetch.max_in_flight 1 (configured: 8), " in line for line in lines(model, now))
            told = snapshot(model, now)["daemons"]["pits"]["limits"]["fetch.max_in_flight"]
            assert (told["value"], told["configured"]) == (1, 8) and 0 < told["left_s"] <= 60
            await operator.do(operator.question("pits", SITE, "limit", "fetch.max_in_flight 2 30"))
            await operator.undo()
            assert pits.fetch_bounds.now.max_in_flight == 1, "what stood before, not what is configured"
            await operator.until(
                lambda model: (
                    [limit.value for limit in model.daemons["pits"].limits if limit.is_changed] == [1]
                )
            )
            await operator.do(operator.question("pits", SITE, "limit", "fetch.max_in_flight"))
            assert pits.fetch_bounds.now.max_in_flight == 8
            set_log_level(LogLevel.WARNING)
            await operator.until(lambda model: model.daemons["cloud"].log_level == "warning")
            await operator.do(operator.question("cloud", "", "level", "debug 15m"))
            assert log_level() is LogLevel.DEBUG
            await operator.until(lambda model: model.daemons["cloud"].log_until_utc is not None)
            await operator.undo()
            assert log_level() is LogLevel.WARNING
            rows = {(row.action, row.outcome) for row in model.audit}
            assert {("limits.set", "done"), ("limits.lift", "done")} <= rows
    finally:
        set_log_level(before)


async def test_allowlist_drain_purge_and_a_command(tmp_path: Path) -> None:
    async with hands(tmp_path) as operator:
        stage, model = operator.stage, operator.feeds.model
        rule = next(rule for rule in model.rules["pits", SITE] if rule.pattern == "/events/**")
        switch = rule_deed(model, "pits", SITE, rule)
        assert switch is not None
        await operator.do(switch)
        assert (await stage.origin(FILE)).json()["code"] == "DENIED"
        await operator.undo()
        assert (await stage.origin(FILE)).status_code == 200
        purge = operator.question("cloud", SITE, "purge", FILE)
        looked = operator.deeds.look(purge.looks[0])
        await stage.until(lambda: "counting" not in looked.words)
        assert looked.words.startswith(f"{SITE}: it hits 1 copies")
        await operator.do(purge)
        await operator.do(operator.question("cloud", SITE, "command", "pause for_s=120"))
        assert stage.pits.service.paused
        await operator.do(operator.question("cloud", SITE, "command", "site.resume"))
        assert not stage.pits.service.paused
        await operator.do(operator.question("cloud", "", "drain"))
        await stage.until(lambda: stage.cloud.members[SITE].site.peer.connection is None)
        await operator.undo()
        await stage.connected()


async def test_a_command_to_a_site_that_is_away_is_withdrawn(tmp_path: Path) -> None:
    async with hands(tmp_path) as operator:
        stage, model = operator.stage, operator.feeds.model
        await stage.stop_pits()
        await operator.do(operator.question("cloud", SITE, "command", "pause wait_s=0"))
        operator.feeds.look_at_all([("cloud", SITE)])
        await operator.until(lambda model: model.commands.get(("cloud", SITE)))
        (withdraw,) = withdraw_deeds(model, model.commands["cloud", SITE])
        await operator.do(withdraw)
        await stage.start_pits()
        await operator.until(lambda model: model.commands["cloud", SITE][0].status == "FAILED")
        assert not stage.pits.service.paused


async def test_versions_production_and_who_watches(tmp_path: Path) -> None:
    async with hands(tmp_path, is_production=True) as operator:
        model = operator.feeds.model
        await operator.until(lambda model: all(view.operators for view in model.daemons.values()))
        pits = next(line for line in lines(model, trio.current_time()) if line.startswith("pits"))
        assert "; PRODUCTION; pitlink " in pits and "; watched by unix " in pits
        assert [view.is_production for view in (model.daemons["cloud"], model.daemons["pits"])] == [
            False,
            True,
        ]
        for site in model.sites.values():
            assert (site.software, site.hub_software) == ("pitlink 0.1.0",) * 2 and not site.differs
