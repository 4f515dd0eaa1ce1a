"""Who was put out stays out: with copies of old secrets, after a site was let in again, and over a hub that was down."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import httpx
import pytest
import trio

from daemons import cli
from daemons.cloud import open_cloud
from daemons.commands.enroll import enrol_at
from daemons.ops.authority import audit, keys, sites
from daemons.ops.authority.identity import Identity, Role
from daemons.ops.authority.sessions import Signed, start_session
from daemons.ops.authority.tokens import issue_token
from daemons.ops.authority.users import add_user
from daemons.ops.options import Address
from daemons.ops.tokens import TOKENS_FILE, TokenTable
from daemons.ops.tokens import Role as OldRole
from daemons.race.config import CloudConfig
from protocol.linkstatus import Status
from tests.conftest import ErrorLogs
from tests.whole.hubs import SITE, Joined, authority_of, change, let_in, open_joined, open_site_at


@asynccontextmanager
async def _open_hub(hub: Path) -> AsyncIterator[Joined]:
    """Run a hub on what its folder holds."""
    config = CloudConfig(state_dir=hub, listen=Address("127.0.0.1", 0))
    async with open_cloud(config) as cloud, trio.open_nursery() as nursery:
        await nursery.start(cloud.run)
        assert cloud.front is not None
        yield Joined(cloud, hub, cloud.front.ports[0], nursery)
        await cloud.stop()
        nursery.cancel_scope.cancel()


def _say(*arguments: str, hub: Path) -> None:
    """Give a command to the command line, in this process."""
    command = [*arguments, "--state-dir", str(hub)]
    assert cli.app(command, exit_on_error=False, result_action="return_value") == 0


async def _knock(joined: Joined, authorization: str) -> tuple[int, str]:
    status, headers, _ = await joined.raw(
        f"Authorization: {authorization}",
        f"Pitlink-Site: {SITE}",
        "Pitlink-Instance: 00112233445566778899aabbccddeeff",
        "Pitlink-Attempt: 1",
    )
    error = headers.get("www-authenticate", "").partition('error="')[2].partition('"')[0]
    return status, error


async def test_a_copy_of_an_old_token_is_good_no_more_once_its_site_was_put_out(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        table = TokenTable(joined.folder / TOKENS_FILE)
        copy = f"Bearer {table.add('old', OldRole.SITE, SITE)}"
        reader = table.add("reader", OldRole.CALLER, SITE)
        rows = table.path.read_bytes()
        assert (await _knock(joined, copy))[0] == 101
        await trio.to_thread.run_sync(lambda: _say("site", "revoke", SITE, hub=joined.folder))
        assert (await _knock(joined, copy)) == (401, "revoked")
        assert [token.name for token in TokenTable(table.path).load()] == ["reader"]
        await trio.to_thread.run_sync(lambda: _say("site", "add", SITE, hub=joined.folder))
        assert (await _knock(joined, copy)) == (401, "unknown")
        table.path.write_bytes(rows)  # put back from somewhere: still no way in
        assert (await _knock(joined, copy)) == (401, "revoked")
        assert table.verify(f"Bearer {reader}") is not None
        row = joined.cloud.authority.read(audit.rows)[-2].entry
        assert row.action == "site.revoke"
        assert row.after == {"proof": "revoked", "old_tokens_removed": ["old"]}


async def test_a_copy_of_an_old_token_is_good_no_more_once_its_site_has_a_key(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        table = TokenTable(joined.folder / TOKENS_FILE)
        copy = f"Bearer {table.add('old', OldRole.SITE, SITE)}"
        assert (await _knock(joined, copy))[0] == 101
        await joined.enrol(tmp_path / "pits")
        assert (await _knock(joined, copy)) == (401, "revoked")


async def test_what_is_revoked_while_the_hub_is_down_is_out_when_it_is_back(tmp_path: Path) -> None:
    hub = tmp_path / "cloud"
    token, signed, bearer = "", None, ""
    async with open_joined(tmp_path) as joined:
        await joined.enrol(tmp_path / "pits")
        token, signed = change(hub, _let_people_in)
        bearer = TokenTable(hub / TOKENS_FILE).add("old", OldRole.OPERATOR, "*")
        async with open_site_at(joined, tmp_path / "pits"):
            await joined.until(lambda: joined.member().site.peer.connection is not None)
        assert await _statuses(joined, token, signed.token, bearer) == [200] * 3
    for command in (
        ("site", "revoke", SITE),
        ("token", "revoke", "grafana"),
        ("token", "revoke", "old"),
        ("user", "disable", "anna"),
    ):
        _say(*command, hub=hub)
    async with _open_hub(hub) as joined:
        assert await _statuses(joined, token, signed.token, bearer) == [401] * 3
        async with _open_client(joined) as client:
            answer = await client.post("/api/refresh", json={"refresh_token": signed.refresh})
        assert answer.status_code == 401
        async with open_site_at(joined, tmp_path / "pits") as pits:
            dialer = pits.dialer
            assert dialer is not None
            await joined.until(lambda: dialer.status.status is Status.REFUSED)
            assert "revoked" in dialer.status.words


async def test_keys_rotated_at_once_while_the_hub_is_down_lock_everybody_out(tmp_path: Path) -> None:
    hub = tmp_path / "cloud"
    async with open_joined(tmp_path) as joined:
        await joined.enrol(tmp_path / "pits")
        token, signed = change(hub, _let_people_in)
        assert await _statuses(joined, token, signed.token) == [200] * 2
    _say("keys", "rotate", "--at-once", hub=hub)
    async with _open_hub(hub) as joined:
        assert await _statuses(joined, token, signed.token) == [401] * 2
        async with _open_client(joined) as client:
            answer = await client.post("/api/refresh", json={"refresh_token": signed.refresh})
        assert (answer.status_code, answer.json()["why"]) == (401, "ended")
        async with open_site_at(joined, tmp_path / "pits"):  # its key is not the hub's
            await joined.until(lambda: joined.member().site.peer.connection is not None)


async def test_keys_rotated_at_once_end_what_people_hold_open_within_a_second(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined, _open_client(joined) as client:
        token, _ = change(joined.folder, _let_people_in)
        headers = {"Authorization": f"Bearer {token}"}
        async with client.stream("GET", "/admin/log?follow=1", headers=headers, timeout=None) as answer:
            assert answer.status_code == 200
            await trio.to_thread.run_sync(lambda: _say("keys", "rotate", "--at-once", hub=joined.folder))
            with trio.fail_after(1.0):
                async for _ in answer.aiter_bytes():
                    pass


async def test_a_damaged_table_of_old_tokens_is_said_as_such_and_puts_nobody_out(
    tmp_path: Path, error_logs: ErrorLogs
) -> None:
    async with open_joined(tmp_path) as joined, _open_client(joined) as client:
        await joined.enrol(tmp_path / "pits")
        table = TokenTable(joined.folder / TOKENS_FILE)
        caller = {"Authorization": f"Bearer {table.add('caller', OldRole.OPERATOR, '*')}"}
        token, _ = change(joined.folder, _let_people_in)
        async with open_site_at(joined, tmp_path / "pits"):
            await joined.until(lambda: joined.member().site.peer.connection is not None)
            good = table.path.read_bytes()
            table.path.write_bytes(b"[[token]\nname = ")
            for path in (f"/api/sites/{SITE}/commands", "/admin/status"):
                answer = await client.get(path, headers=caller)
                assert answer.status_code == 503, path
            assert (await _knock(joined, caller["Authorization"]))[0] == 503
            assert await _statuses(joined, token) == [200]  # who needs the table not
            change(joined.folder, lambda conn: sites.set_minimum(conn, None, ""))  # all is looked at again
            await trio.sleep(0.6)
            assert joined.member().site.peer.connection is not None
            table.path.write_bytes(good)
            assert (await client.get("/admin/status", headers=caller)).status_code == 200
    error_logs.expect("site.not_judged")


async def test_strangers_who_try_codes_do_not_wait_for_the_files_lock_nor_take_it(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        code = let_in(joined.folder)
        with authority_of(joined.folder) as file:
            conn = file._writer
            conn.execute("BEGIN IMMEDIATE")
            with trio.fail_after(4.0):  # the lock is waited for 5 s
                for wrong in ("0000-0000-0000", "1111-1111-1111"):
                    with pytest.raises(Exception, match="this code is not known"):
                        await trio.to_thread.run_sync(enrol_at, joined.address, wrong, tmp_path / "stranger")
            conn.execute("ROLLBACK")
        await trio.to_thread.run_sync(enrol_at, joined.address, code, tmp_path / "pits")


def _let_people_in(conn: apsw.Connection) -> tuple[str, Signed]:
    """Issue a token, and let anna sign in."""
    now = time.time()
    keys.init_keys(conn, now, os.urandom)
    _, token = issue_token(
        conn, name="grafana", role=Role.OPERATOR, sites=("*",), now=now, expires_at=now + 3600,
        by="unix test", urandom=os.urandom,
    )  # fmt: skip
    add_user(conn, "anna", "hash", Role.OPERATOR, ("*",), now)
    return token, start_session(conn, Identity("user", "anna", Role.OPERATOR, ("*",)), now, os.urandom)


async def _statuses(joined: Joined, *tokens: str) -> list[int]:
    async with _open_client(joined) as client:
        answers = [
            await client.get("/admin/status", headers={"Authorization": f"Bearer {token}"})
            for token in tokens
        ]
    return [answer.status_code for answer in answers]


@asynccontextmanager
async def _open_client(joined: Joined) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{joined.port}", trust_env=False) as client:
        yield client
