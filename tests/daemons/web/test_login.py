"""Signing in over HTTP: what is handed out, what is refused, how guessing is held back, and no secret in the logs."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import argon2
import httpx
import pytest
import trio
import trio.testing
from attrs import frozen
from starlette.applications import Starlette

from daemons.ops.authority import audit
from daemons.ops.authority.authoriser import Authoriser
from daemons.ops.authority.file import AuthorityFile
from daemons.ops.authority.identity import Role, Unauthorised
from daemons.ops.authority.keys import init_keys
from daemons.ops.authority.signin import SignIn, TooManyAttempts
from daemons.ops.authority.users import Passwords, add_user, disable_user
from daemons.ops.environment import Environment
from daemons.ops.tokens import TokenTable
from daemons.web.login import login_routes
from tests.daemons.ops.authority.forge import NOW, counting, hub_file, issued

CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"


@frozen
class Desk:
    """A hub with the user `anna`, an operator of `field`."""

    client: httpx.AsyncClient
    file: AuthorityFile
    authoriser: Authoriser
    sign_in: SignIn
    clock: list[float]

    async def login(self, name: str = "anna", password: str = PASSWORD, **headers: str) -> httpx.Response:
        return await self.client.post(
            "/api/login", json={"name": name, "password": password}, headers=headers
        )

    async def refresh(self, token: str) -> httpx.Response:
        return await self.client.post("/api/refresh", json={"refresh_token": token})

    async def logout(self, token: str) -> httpx.Response:
        return await self.client.post("/api/logout", headers={"Authorization": f"Bearer {token}"})

    def actions(self) -> list[tuple[str, str]]:
        return [(row.entry.who, row.entry.action) for row in self.file.read(audit.rows)]


@asynccontextmanager
async def open_desk(folder: Path, *, keys: bool = True) -> AsyncIterator[Desk]:
    with hub_file(folder, keys=keys) as file:
        clock = [NOW]
        environment = Environment(utc_now=lambda: clock[0], urandom=counting(5000))
        passwords = Passwords(inline=True, hasher=CHEAP)
        hashed = passwords.hash(PASSWORD)
        file.write_now(lambda conn: add_user(conn, "anna", hashed, Role.OPERATOR, ("field",), NOW))
        authoriser = Authoriser(file, TokenTable(folder / "tokens.toml"), environment.utc_now)
        sign_in = SignIn(file, environment, passwords)
        app = Starlette(routes=login_routes(sign_in, authoriser))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub") as client:
            yield Desk(client, file, authoriser, sign_in, clock)


async def test_in_again_and_out(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with open_desk(tmp_path) as desk:
        told = (await desk.login()).json()
        assert (told["name"], told["role"], told["sites"]) == ("anna", "operator", ["field"])
        assert told["expires_at"] == "2027-01-16T08:00:00+00:00"
        identity = desk.authoriser.require(f"Bearer {told['token']}", Role.OPERATOR, "field")
        assert (identity.kind, identity.name) == ("user", "anna")
        desk.clock[0] += 3600
        answer = await desk.refresh(told["refresh_token"])
        assert answer.headers["cache-control"] == "no-store"
        renewed = answer.json()
        assert renewed["refresh_token"] != told["refresh_token"]
        assert (await desk.logout(renewed["token"])).status_code == 204
        for token in (told["token"], renewed["token"]):
            answer = await desk.logout(token)
            assert (answer.status_code, answer.json()["why"]) == (401, "ended")
        assert (await desk.refresh(renewed["refresh_token"])).json()["why"] == "ended"
        assert desk.actions() == [("user anna", "session.start"), ("user anna", "session.end")]


async def test_a_refresh_token_used_twice_ends_the_session_and_is_audited(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        told = (await desk.login()).json()
        renewed = (await desk.refresh(told["refresh_token"])).json()
        desk.clock[0] += 60
        answer = await desk.refresh(told["refresh_token"])
        assert (answer.status_code, answer.json()["why"]) == (401, "replayed")
        with pytest.raises(Unauthorised):
            desk.authoriser.identify(f"Bearer {renewed['token']}")
        assert desk.actions()[-1] == ("hub", "session.end")


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong horse"), ("otto", PASSWORD), ("", "")])
async def test_wrong_names_and_passwords_are_told_apart_by_nobody(
    tmp_path: Path, name: str, password: str
) -> None:
    async with open_desk(tmp_path) as desk:
        answer = await desk.login(name, password)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json() == {
            "code": "UNAUTHORISED",
            "why": "password",
            "words": "name or password is wrong",
        }


async def test_who_is_disabled_is_not_let_in(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.file.write_now(lambda conn: disable_user(conn, "anna", NOW))
        assert (await desk.login()).json()["why"] == "password"


async def test_guessing_is_held_back_and_the_owner_elsewhere_is_not(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_desk(tmp_path) as desk:
        statuses = [(await desk.login(password=f"guess {n} of many")).status_code for n in range(7)]
        assert statuses == [401] * 5 + [429] * 2
        answer = await desk.login()
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
        await desk.sign_in.start("anna", PASSWORD, "198.51.100.7")
        await trio.sleep(30)
        assert (await desk.login()).status_code == 200


async def test_guessing_one_name_from_everywhere_does_not_hold_its_owner_back(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_desk(tmp_path) as desk:
        assert (await desk.login()).status_code == 200
        for number in range(50):
            with pytest.raises((Unauthorised, TooManyAttempts)):
                await desk.sign_in.start("anna", "a guess of many", f"198.51.100.{number}")
        with pytest.raises(TooManyAttempts):
            await desk.sign_in.start("anna", PASSWORD, "203.0.113.9")
        assert (await desk.login()).status_code == 200


async def test_guessing_many_names_from_one_place_is_held_back(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_desk(tmp_path) as desk:
        statuses = [(await desk.login(f"user{n}", PASSWORD)).status_code for n in range(25)]
        assert statuses == [401] * 20 + [429] * 5


BODIES: list[Any] = [
    b"",
    b"{}",
    b"[]",
    b"nonsense",
    b"[" * 3000,
    b'{"name": "anna"}',
    b'{"name": 1, "password": 2}',
    b'{"name": "\\ud800", "password": "x"}',
    b'{"name": "' + b"a" * 5000 + b'", "password": "x"}',
    b"\xff\xfe",
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_bodies_that_are_none(tmp_path: Path, body: bytes) -> None:
    async with open_desk(tmp_path) as desk:
        answer = await desk.client.post("/api/login", content=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "BAD_REQUEST")


async def test_an_issued_token_cannot_sign_out(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        answer = await desk.logout(issued(desk.file))
        assert (answer.status_code, answer.json()["why"]) == (403, "session")


async def test_a_hub_without_keys_says_so(tmp_path: Path) -> None:
    async with open_desk(tmp_path, keys=False) as desk:
        answer = await desk.login()
        assert (answer.status_code, answer.json()["code"]) == (503, "NO_KEYS")
        assert answer.headers["retry-after"] == "60"
        desk.file.write_now(lambda conn: init_keys(conn, NOW, counting(1)))
        assert (await desk.login()).status_code == 200


async def test_no_secret_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with open_desk(tmp_path) as desk:
            told = (await desk.login()).json()
            renewed = (await desk.refresh(told["refresh_token"])).json()
            desk.clock[0] += 60
            await desk.refresh(told["refresh_token"])
            await desk.login(password="a wrong password")
            await desk.login("my password in the wrong field", "x")
            await desk.logout(renewed["token"])
            said = caplog.text + repr(desk.file.read(audit.rows))
    assert "signin.refused" in said and "refresh.refused" in said
    secrets = [told[key] for key in ("token", "refresh_token")] + [renewed["token"], renewed["refresh_token"]]
    for secret in (*secrets, PASSWORD, "a wrong password", "wrong field"):
        assert secret not in said
