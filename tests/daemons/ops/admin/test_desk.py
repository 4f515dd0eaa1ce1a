"""The desk: every action leaves its row, and nothing happens that left none."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from daemons.ops.admin.actions import Action, ActionRefused, Param
from daemons.ops.authority.identity import Forbidden, Identity, Role
from daemons.store.errors import StorageError, StorageFault
from tests.conftest import ErrorLogs
from tests.daemons.ops.admin.office import Office, open_office

ADMIN = Identity("user", "ann", Role.ADMIN, ("*",))
OPERATOR = Identity("user", "bob", Role.OPERATOR, ("*",))
VIEWER = Identity("user", "eve", Role.VIEWER, ("*",))
NARROW = Identity("user", "kim", Role.OPERATOR, ("field",))


def told(office: Office) -> list[tuple[str, str, str, object, object]]:
    return [
        (row.entry.who, row.entry.action, row.entry.outcome, row.entry.before, row.entry.after)
        for row in office.rows()
    ]


async def test_an_action_is_done_and_audited(tmp_path: Path) -> None:
    async with open_office(tmp_path) as office:
        assert await office.desk.perform("level.set", {"level": 4}, ADMIN) == {"level": 4}
        assert office.level == 4
        assert told(office) == [("user ann", "level.set", "done", 1, 4)]
        assert await office.desk.perform("level.look", {}, OPERATOR) == {"level": 4}
        assert len(office.rows()) == 1  # who only looks changes nothing


@pytest.mark.parametrize("who", [OPERATOR, VIEWER, Identity("site", "field", Role.SITE, ("field",))])
async def test_a_role_that_will_not_do_is_refused_and_audited(tmp_path: Path, who: Identity) -> None:
    async with open_office(tmp_path) as office:
        with pytest.raises(Forbidden):
            await office.desk.perform("level.set", {"level": 4}, who)
        assert office.level == 1
        ((name, action, outcome, _, after),) = told(office)
        assert (name, action, outcome) == (who.who, "level.set", "refused")
        assert "takes the role admin" in str(after)


async def test_who_is_let_near_one_site_only_has_no_say_elsewhere(tmp_path: Path) -> None:
    async with open_office(tmp_path) as office:
        office.desk.registry.add(
            Action("site.poke", office.look, "Poke.", params=(Param("site"),), site="site")
        )
        await office.desk.perform("site.poke", {"site": "field"}, NARROW)
        for name, given in (("site.poke", {"site": "other"}), ("bug", {})):
            with pytest.raises(Forbidden):
                await office.desk.perform(name, given, NARROW)
        assert [outcome for _, _, outcome, _, _ in told(office)] == ["done", "refused", "refused"]
        assert office.rows()[0].entry.target == "field"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "level is missing"),
        ({"level": "4"}, "must be a whole number"),
        ({"level": True}, "must be a whole number"),
        ({"level": 4, "x": 1}, "no parameter 'x'"),
        ({"level": 10}, "9 is the most"),
    ],
)
async def test_what_cannot_be_done_is_said_and_audited(
    tmp_path: Path, given: dict[str, object], words: str
) -> None:
    async with open_office(tmp_path) as office:
        with pytest.raises(ActionRefused, match=words):
            await office.desk.perform("level.set", given, ADMIN)
        assert [outcome for _, _, outcome, _, _ in told(office)] == ["refused"]
        assert office.level == 1


@pytest.mark.parametrize(
    ("param", "value"),
    [
        (Param("x", "number"), float("nan")),
        (Param("x", "number"), float("-inf")),
        (Param("x", "number"), 10**400),
        (Param("x", "whole"), 2**63),
        (Param("x"), "\ud800"),
        (Param("x", "list"), ["\ud800"]),
        (Param("x", "any"), {"a": [float("nan")]}),
        (Param("x", "any"), "\ud800"),
    ],
)
async def test_what_the_audit_could_not_say_is_refused(tmp_path: Path, param: Param, value: object) -> None:
    """Python's JSON lets NaN in, and half a character."""
    async with open_office(tmp_path) as office:
        office.desk.registry.add(Action("poke", office.look, "Poke.", params=(param,), site="x"))
        with pytest.raises(ActionRefused, match="x must be") as caught:
            await office.desk.perform("poke", {"x": value}, ADMIN)
        assert caught.value.status == 400
        assert [outcome for _, _, outcome, _, _ in told(office)] == ["refused"]


async def test_a_bug_is_logged_and_audited_without_its_words(tmp_path: Path, error_logs: ErrorLogs) -> None:
    async with open_office(tmp_path) as office:
        for name in ("bug", "bug.late"):
            with pytest.raises(ActionRefused) as caught:
                await office.desk.perform(name, {}, ADMIN)
            assert caught.value.status == 500
        assert [(action, outcome) for _, action, outcome, _, _ in told(office)] == [
            ("bug", "failed"),
            ("bug.late", "done"),
            ("bug.late", "failed"),
        ]
        assert "pl_secret" not in str(office.rows())
        error_logs.expect("action.failed")
        error_logs.expect("action.failed")


async def test_what_is_given_up_half_way_is_noted_as_failed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """After the 60 s that an action has, or when who asked for it is revoked meanwhile."""
    async with open_office(tmp_path, inline=True) as office:
        office.desk.registry.add(Action("slow", office.slow, "Take for ever."))
        with trio.move_on_after(60) as waiting:
            await office.desk.perform("slow", {}, OPERATOR)
        assert waiting.cancelled_caught
        done, failed = told(office)
        assert (done[2], failed[2]) == ("done", "failed")
        assert "given up before its end" in str(failed[4])


async def test_what_cannot_be_audited_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_office(tmp_path) as office:

        def full(self: object, work: object) -> None:
            raise StorageError(StorageFault.DISK_FULL, tmp_path, "the disk is full")

        monkeypatch.setattr(type(office.trail.file), "write_now", full)
        with pytest.raises(ActionRefused, match="not done, because it cannot be audited") as caught:
            await office.desk.perform("level.set", {"level": 4}, ADMIN)
        assert caught.value.status == 503
        assert office.level == 1 and office.did == []
        assert "nothing can be audited" in office.health.warnings[0].words


async def test_there_is_no_such_action(tmp_path: Path) -> None:
    async with open_office(tmp_path) as office:
        with pytest.raises(ActionRefused, match="there is no action") as caught:
            await office.desk.perform("x" * 5000, {}, ADMIN)
        assert caught.value.status == 404
        assert len(str(caught.value)) < 200
        with pytest.raises(ValueError, match="already"):
            office.desk.registry.add(Action("bug", office.look, "Again."))
