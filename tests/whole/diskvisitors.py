"""Who wants something of a hub whose disk is full: each asks at every write site, and keeps count of what was promised.

An answer of 200 or 202 is a promise that must hold afterwards; one of 503 or 429 says that nothing was done.
"""

import os
import time
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import trio
from attrs import define, field
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daemons.ops.authority import audit, sites
from daemons.ops.authority.enrolment import ENROL_PATH
from daemons.ops.authority.identity import Role
from daemons.ops.authority.sessions import live_sessions
from daemons.ops.authority.sitekey import SiteKey, prove_possession
from daemons.ops.authority.users import Passwords, add_user
from daemons.store.archive import backups_in, verify_backup
from tests.whole.stage import SITE, Stage
from tests.whole.test_people import PASSWORD, Console

LIMIT = "client_requests_in_flight"
NEW_SITE = "newcomer"
_DONE = (200, 202)


@define(eq=False)
class Visitors:
    """Those of one stage. `told`: how often each was answered with which status; the callers of a command are among them."""

    stage: Stage
    console: Console
    told: dict[str, Counter[int]] = field(factory=dict)
    _asked_at: dict[str, float] = field(factory=dict)
    _admin: str = ""
    _code: str = ""
    _refresh_token: str = ""
    _commands: list[str] = field(factory=list)
    _limit: int = 50
    _limits_set: int = 0
    _key: SiteKey = field(factory=lambda: SiteKey(Ed25519PrivateKey.generate()))

    async def arrive(self) -> None:
        """Be known to the hub; the person has signed in."""
        hashed = Passwords().hash(PASSWORD)

        def begin() -> None:
            self.console.init()
            self.console.do(lambda conn: add_user(conn, "anna", hashed, Role.OPERATOR, (SITE,), time.time()))
            self.console.do(lambda conn: sites.add_site(conn, NEW_SITE, time.time()))
            self._code = self.console.do(
                lambda conn: sites.make_code(conn, NEW_SITE, time.time(), os.urandom, 3600)
            )
            self._admin = self.console.issue("boss", Role.ADMIN, "*")

        await trio.to_thread.run_sync(begin)
        self.stage.cloud.care.reserve_bytes = 0  # else no backup would ever be made on so small a disk
        assert await self.sign_in() == 200

    # --- what they want ------------------------------------------------------------------------------------------

    async def sign_in(self) -> int:
        answer = await self._post("sign-in", "/api/login", {"name": "anna", "password": PASSWORD})
        return self._signed(answer)

    async def refresh(self) -> int:
        return self._signed(
            await self._post("refresh", "/api/refresh", {"refresh_token": self._refresh_token})
        )

    async def enrol(self) -> int:
        proof = prove_possession(self._key, self._code)
        body = {"code": self._code, "key": urlsafe_b64encode(self._key.public).decode(), "proof": proof}
        return (await self._post("enrolment", ENROL_PATH, body)).status_code

    async def act(self) -> int:
        answer = await self._post(
            "action", "/admin/actions/limits.set", {"name": LIMIT, "value": self._limit + 1}
        )
        if answer.status_code == 200:
            self._limit += 1
            self._limits_set += 1
        if self._limits_set:
            assert getattr(self.stage.cloud.limits.now, LIMIT) == self._limit, "as was promised, and no more"
        return answer.status_code

    async def back_up(self) -> int:
        status = (await self._post("backup", "/admin/actions/backup.take", {})).status_code
        into = self.stage.cloud.care.into
        assert not into.exists() or not [path for path in into.iterdir() if path.name.startswith(".")]
        return status

    async def command(self) -> int:
        answer = await self._post("command", f"/api/sites/{SITE}/commands", {"do": "purge"})
        if answer.status_code == 202:
            self._commands.append(answer.json()["id"])
        assert (await self.stage.callers.get("/")).status_code == 200, "pages go on"
        return answer.status_code

    def _signed(self, answer: httpx.Response) -> int:
        if answer.status_code == 200:
            self._refresh_token = answer.json()["refresh_token"]
        return answer.status_code

    async def _post(self, who: str, path: str, body: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._admin}"} if "/admin/" in path else {}
        answer = await self.stage.callers.post(path, json=body, headers=headers)
        self.told.setdefault(who, Counter())[answer.status_code] += 1
        assert answer.status_code in (*_DONE, 429, 503), f"{who}: {answer.status_code} {answer.text}"
        if answer.status_code not in _DONE:
            assert int(answer.headers["retry-after"]) > 0, who
            assert answer.status_code == 429 or answer.json()["code"] == "BUSY", who
        return answer

    # --- while it is full, and afterwards ------------------------------------------------------------------------

    async def ask_all(self, window_s: float) -> None:
        """Have all of them ask once; those whom the hub holds back by count, four to ten times in the whole window."""
        await self.command()
        await self.enrol()
        await self.act()
        await self._seldom(self.refresh, window_s / 10)
        await self._seldom(self.back_up, window_s / 10)
        await self._seldom(self.sign_in, window_s / 3)

    async def _seldom(self, ask: Callable[[], Awaitable[int]], every_s: float) -> None:
        now = trio.current_time()
        if now >= self._asked_at.get(ask.__name__, now):
            self._asked_at[ask.__name__] = now + every_s
            await ask()

    def check_all_were_refused(self) -> None:
        for who in ("command", "enrolment", "action", "refresh", "backup", "sign-in"):
            assert self.told[who][503], (who, self.told)

    async def get_what_they_want(self) -> None:
        """Ask each again until it is done: with the same session, the same code."""
        for ask in (self.command, self.refresh, self.enrol, self.act, self.back_up, self.sign_in):
            with trio.fail_after(90):
                while await ask() not in _DONE:
                    await trio.sleep(0.5)

    async def check_promises(self) -> None:
        """See that what was promised holds, that nothing else was done, and that the audit says so row by row."""
        faults, _ = await self.stage.cloud.admin.trail.verify()
        assert not faults
        rows = self.console.do(audit.rows)
        done = Counter(row.entry.action for row in rows if row.entry.outcome == "done")
        begun = Counter(row.entry.action for row in rows if row.entry.outcome == "begun")
        promised = {who: told[200] + told[202] for who, told in self.told.items()}
        assert done["session.start"] == promised["sign-in"]
        assert (
            len(self.console.do(lambda conn: live_sessions(conn, "anna", time.time()))) == promised["sign-in"]
        )
        assert done["limits.set"] == promised["action"]
        assert promised["enrolment"] >= 1 and done["site.enrol"] == 1, (
            "the same wish again is no other enrolment"
        )
        new = self.console.do(lambda conn: sites.find_site(conn, NEW_SITE))
        assert new is not None and new.key == self._key.public
        assert done["backup.take"] >= promised["backup"]
        made = list(backups_in(Path(self.stage.cloud.care.into)))
        assert len(made) == promised["backup"]
        for backup in made:
            verify_backup(backup.path)
        listed = (await self.stage.callers.get(f"/api/sites/{SITE}/commands")).json()
        assert sorted(row["id"] for row in listed) == sorted(self._commands)
        for id_ in self._commands:
            assert (await self.stage.result_of(id_))["status"] == "DONE"
        assert begun["command.purge"] >= promised["command"]
