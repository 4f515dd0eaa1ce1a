"""What a proof holds open ends when it is revoked by another process, when it expires, and not before."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import frozen

from daemons.ops.authority.authoriser import Authoriser
from daemons.ops.authority.file import open_authority
from daemons.ops.authority.identity import Role, Unauthorised
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.authority.tokens import revoke_token
from daemons.ops.tokens import TokenTable
from tests.daemons.ops.authority.forge import NOW, hub_file, issued


@frozen
class Scene:
    """A hub that watches its file, and an hour's token."""

    authoriser: Authoriser
    header: str
    folder: Path

    def revoke(self) -> None:
        """As the command line does it: by connections of its own."""
        with open_authority(self.folder, migrations=AUTHORITY_MIGRATIONS) as other:
            other.write_now(lambda conn: revoke_token(conn, "grafana", NOW))

    async def hold(self) -> float:
        """Hold the token's proof until it is ended; return for how long that was."""
        begun = trio.current_time()
        async with self.authoriser.held(self.header, Role.VIEWER, "field"):
            await trio.sleep_forever()
        return trio.current_time() - begun


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    with hub_file(folder, inline=False) as file:
        token = issued(file, days=1 / 24)
        start = trio.current_time()
        authoriser = Authoriser(
            file, TokenTable(folder / "tokens.toml"), lambda: NOW + trio.current_time() - start
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(file.watch, authoriser.changed)
            yield Scene(authoriser, f"Bearer {token}", folder)
            nursery.cancel_scope.cancel()


async def test_revocation_ends_it_within_a_fifth_of_a_second(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with scene(tmp_path) as at, trio.open_nursery() as nursery:
        held: list[float] = []

        async def hold() -> None:
            held.append(await at.hold())

        for _ in range(3):
            nursery.start_soon(hold)
        await trio.sleep(10.05)
        assert held == []
        at.revoke()
        await trio.sleep(0.21)
        assert held == [pytest.approx(10.05, abs=0.21)] * 3


async def test_expiry_ends_it(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with scene(tmp_path) as at:
        assert await at.hold() == pytest.approx(3600, abs=0.1)


async def test_other_changes_leave_it_and_its_failures_come_out_as_they_are(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with scene(tmp_path) as at:
        with pytest.raises(OSError, match="the client is gone"):  # noqa: PT012
            async with at.authoriser.held(at.header, Role.VIEWER, "field"):
                issued(at.authoriser.file, "another", now=NOW + 1)
                await trio.sleep(5)
                raise OSError("the client is gone")


async def test_nothing_is_held_without_a_proof(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        with pytest.raises(Unauthorised):
            async with at.authoriser.held("Bearer x", Role.VIEWER):
                raise AssertionError("held")
