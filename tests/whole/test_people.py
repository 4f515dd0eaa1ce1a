"""People and API clients at a whole hub, with changes made as the command line makes them: beside the daemon."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import apsw
import httpx
import trio
from attrs import frozen

from daemons.ops.authority.file import open_authority
from daemons.ops.authority.identity import Role
from daemons.ops.authority.keys import init_keys, rotate_keys
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.authority.tokens import issue_token, revoke_token
from daemons.ops.authority.users import Passwords, add_user, disable_user
from tests.whole.stage import SITE, Stage, open_stage
from tests.whole.test_commands import COMMANDS, FILE, tree

T = TypeVar("T")

ORIGIN = f"/api/sites/{SITE}/origin{FILE}"
PASSWORD = "correct horse battery"


@frozen
class Console:
    """The command line on the hub's machine: connections of its own, as another process would have."""

    folder: Path

    def do(self, work: Callable[[apsw.Connection], T]) -> T:
        with open_authority(self.folder, migrations=AUTHORITY_MIGRATIONS) as file:
            return file.write_now(work)

    def init(self) -> None:
        self.do(lambda conn: init_keys(conn, time.time(), os.urandom))

    def rotate(self) -> None:
        self.do(lambda conn: rotate_keys(conn, time.time(), os.urandom))

    def issue(self, name: str, role: Role = Role.VIEWER, site: str = SITE) -> str:
        now = time.time()
        return self.do(
            lambda conn: issue_token(
                conn,
                name=name,
                role=role,
                sites=(site,),
                now=now,
                expires_at=now + 3600,
                by="unix test",
                urandom=os.urandom,
            )
        )[1]


async def _ask(stage: Stage, token: str, path: str = ORIGIN) -> tuple[int, str]:
    """Return the status of the answer, and why when it is a refusal."""
    answer = await stage.callers.get(path, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.json().get("why", "") if answer.status_code in (401, 403) else ""


async def test_a_token_is_good_until_it_is_taken_back(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        console = Console(tmp_path / "cloud")
        console.init()
        reader, other = console.issue("reader"), console.issue("other", site="elsewhere")
        assert await _ask(stage, reader) == (200, "")
        assert await _ask(stage, reader, COMMANDS) == (403, "role")
        assert await _ask(stage, other) == (403, "site")
        assert await _ask(stage, console.issue("desk", Role.OPERATOR), COMMANDS) == (200, "")
        console.do(lambda conn: revoke_token(conn, "reader", time.time()))
        assert await _ask(stage, reader) == (401, "revoked")
        assert 'identity_refusals_total{code="revoked"} 1' in (await stage.callers.get("/metrics")).text


async def test_no_fetch_is_lost_while_keys_are_rotated(tmp_path: Path) -> None:
    """Callers go on with tokens of every key there was, new ones with the newest, while the keys change five times."""
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        console = Console(tmp_path / "cloud")
        console.init()
        statuses: list[int] = []
        over = trio.Event()

        async def call(token: str) -> None:
            while not over.is_set():
                statuses.append((await _ask(stage, token))[0])

        async with trio.open_nursery() as callers:
            for number in range(5):
                callers.start_soon(call, console.issue(f"caller {number}"))
                await trio.to_thread.run_sync(console.rotate)
                target = len(statuses) + 10
                await stage.until(lambda target=target: len(statuses) >= target)  # type: ignore[misc]
            over.set()
        assert set(statuses) == {200}


async def test_a_person_signs_in_works_and_is_disabled(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        console = Console(tmp_path / "cloud")
        console.init()
        hashed = Passwords().hash(PASSWORD)
        console.do(lambda conn: add_user(conn, "anna", hashed, Role.OPERATOR, (SITE,), time.time()))
        async with httpx.AsyncClient(base_url=stage.page, trust_env=False, timeout=20) as client:
            answer = await client.post("/api/login", json={"name": "anna", "password": PASSWORD})
            told = answer.json()
            headers = {"Authorization": f"Bearer {told['token']}"}
            issued = await client.post(COMMANDS, headers=headers, json={"do": "resume"})
            assert issued.status_code == 202
            assert (await stage.result_of(issued.json()["id"]))["issuer"] == "user anna"
            console.do(lambda conn: disable_user(conn, "anna", time.time()))
            assert await _ask(stage, told["token"]) == (401, "ended")
            answer = await client.post("/api/refresh", json={"refresh_token": told["refresh_token"]})
            assert (answer.status_code, answer.json()["why"]) == (401, "ended")


async def test_old_bearer_tokens_work_and_the_health_says_that_they_soon_will_not(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        assert (await stage.callers.get(ORIGIN)).status_code == 200
        health = (await stage.callers.get("/healthz")).json()
        assert health["status"] == "ok"
        assert {"name": "bearer-tokens", "severity": "notice"} in health["warnings"]
        assert "words" not in str(health) and "caller" not in str(health)
        (warning,) = [row for row in stage.cloud.health.warnings if row.name == "bearer-tokens"]
        assert "2 old bearer tokens" in warning.words
        stage.cloud.tokens.remove("caller")
        assert (await stage.callers.get(ORIGIN)).json()["why"] == "unknown"
