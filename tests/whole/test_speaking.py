"""For whom somebody speaks at a daemon's socket, and that they only look: what the audit says, and what is refused."""

from pathlib import Path

import pytest

from daemons.ops.client import AdminClient, AdminError
from daemons.ops.speaking import ONLY_LOOKS, SPEAKS_FOR, is_speakable
from tests.whole.stage import SITE, open_stage
from tests.whole.test_admin import doors, tree


async def test_the_audit_tells_for_whom_the_user_of_the_socket_spoke_at_both_ends(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        pits, cloud = doors(tmp_path)
        ann = AdminClient(cloud.at, speaks_for="ann")
        async with ann.kept() as same:
            await same.act("site.pause", site=SITE)
            await same.act("site.resume", site=SITE)
        own, rows = (await cloud.audit())[0]["who"].removesuffix(" (for ann)"), await cloud.audit()
        assert own.startswith("unix ") and "(" not in own
        asked = [
            row["who"] for row in rows if row["action"].startswith("site.") and row["outcome"] == "begun"
        ]
        assert asked == [f"{own} (for ann)"] * 2, "marked: the kernel vouches for the user only"
        there = [row["who"] for row in await pits.audit() if row["action"] == "command.pause"]
        assert there and set(there) == {f"link {own} (for ann)"}


async def test_what_is_no_name_is_refused_and_at_a_hubs_port_the_token_names_who(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        _, cloud = doors(tmp_path)
        with pytest.raises(AdminError, match="is no name") as refused:
            await AdminClient(cloud.at, speaks_for="root) (for ann").status()
        assert refused.value.status == 403
        answer = await stage.callers.post(
            "/admin/actions/cache.purge", json={"site": SITE}, headers={SPEAKS_FOR: "ann"}
        )
        assert answer.status_code == 200, answer.text
        assert (await cloud.audit())[-1]["who"] == "bearer caller"


async def test_who_only_looks_is_offered_no_deed_and_refused_each(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        pits, cloud = doors(tmp_path)
        for door, params in ((pits, {}), (cloud, {"site": SITE})):
            viewer = AdminClient(door.at, speaks_for="eve", only_looks=True)
            assert (await viewer.status())["audit"]["count"] == 0
            changing = {action["name"] for action in await door.actions() if action["changes"]}
            assert not changing & {action["name"] for action in await viewer.actions()}
            assert (await viewer.act("dead.list", **params))["count"] == 0
            with pytest.raises(AdminError, match="you only look"):
                await viewer.act("log.level", level="debug")
            row = (await door.audit())[-1]
            assert (row["action"], row["outcome"]) == ("log.level", "refused")
            assert row["who"].endswith(" (for eve)")
        answer = await stage.callers.post(
            "/admin/actions/cache.purge", json={"site": SITE}, headers={ONLY_LOOKS: "1"}
        )
        assert answer.status_code == 403


@pytest.mark.parametrize("name", ["", " ann", "-ann", "ann\n", "a" * 65, "ann (admin)", "änn", "a:b"])
def test_what_is_no_name(name: str) -> None:
    assert not is_speakable(name)


@pytest.mark.parametrize("name", ["ann", "ann.b@team-2.example", "0", "a" * 64])
def test_names(name: str) -> None:
    assert is_speakable(name)
