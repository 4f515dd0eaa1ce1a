"""Sites that enrol and dial: key and nonce, revocation, minimum versions, rotation under load, certificates."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from attrs import evolve

from daemons.commands.enroll import enrol_at
from daemons.link import admission
from daemons.link.credentials import open_credential
from daemons.ops.authority import audit, sites
from daemons.ops.authority.sitekey import KEY_FILE, PENDING_FILE, SiteKey, load_site_key, save_site_key
from daemons.ops.errors import ConfigError, RefusedToStart
from daemons.ops.options import Secret
from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable
from daemons.pits import Pits
from daemons.race.config import PitsConfig
from daemons.store import StorageError
from daemons.store.errors import StorageFault
from protocol.linkstatus import Status
from tests.whole.hubs import SITE, Joined, change, let_in, open_joined, open_site_at


def _status(pits: Pits) -> Status:
    assert pits.dialer is not None
    return pits.dialer.status.status


def _words(pits: Pits) -> str:
    assert pits.dialer is not None
    return pits.dialer.status.words


async def _ready(joined: Joined, pits: Pits) -> None:
    await joined.until(lambda: pits.peer.connection is not None)
    await joined.until(lambda: joined.member().site.peer.connection is not None)


@asynccontextmanager
async def _open_client(joined: Joined) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{joined.port}", trust_env=False) as client:
        yield client


@asynccontextmanager
async def _open_sites(client: httpx.AsyncClient, site: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Hold a page's stream open; yield what it is told of the sites there are, as it comes."""
    told: list[dict[str, Any]] = []

    async def read() -> None:
        async with client.stream("GET", "/events", params={"site": site}, timeout=None) as answer:
            kind = ""
            async for line in answer.aiter_lines():
                kind = line.removeprefix("event: ") if line.startswith("event: ") else kind
                if kind == "sites" and line.startswith("data: "):
                    told.append(json.loads(line.removeprefix("data: ")))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        yield told
        nursery.cancel_scope.cancel()


async def test_a_site_enrols_connects_by_key_and_comes_back_in_one_round_trip(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        key = await joined.enrol(tmp_path / "pits")
        assert (key.site, key.hub) == (SITE, joined.cloud.hub)
        assert not (tmp_path / "pits" / PENDING_FILE).exists()
        async with open_site_at(joined, tmp_path / "pits") as pits:
            await _ready(joined, pits)
            asked = joined.cloud.admission.refusals["missing"]
            assert asked == 1
            for _ in range(3):
                before = pits.peer.connection
                assert pits.dialer is not None
                pits.dialer.reconnect_now()
                await joined.until(lambda old=before: pits.peer.connection not in (None, old))
            assert joined.cloud.admission.refusals == {"missing": asked}, "a nonce of the hello was not used"
            assert "bearer-token" not in [warning.name for warning in pits.health.warnings]
        assert [row.entry.action for row in joined.cloud.authority.read(audit.rows)][-1] == "site.enrol"


async def test_a_hub_that_restarts_challenges_its_sites_anew(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        await joined.enrol(tmp_path / "pits")
        async with open_site_at(joined, tmp_path / "pits") as pits:
            await _ready(joined, pits)
            joined.cloud.admission.nonces = type(joined.cloud.admission.nonces)(
                joined.cloud.environment.urandom
            )
            before = pits.peer.connection
            assert pits.dialer is not None
            pits.dialer.reconnect_now()
            await joined.until(lambda: pits.peer.connection not in (None, before))
            assert joined.cloud.admission.refusals["replayed"] == 1


async def test_a_revoked_site_is_off_within_a_second_and_stays_off(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        await joined.enrol(tmp_path / "pits")
        async with open_site_at(joined, tmp_path / "pits") as pits:
            await _ready(joined, pits)
            change(joined.folder, lambda conn: sites.revoke_site(conn, SITE, time.time()))
            at = trio.current_time()
            await joined.until(lambda: joined.member().site.peer.connection is None, 1.0)
            assert trio.current_time() - at < 1
            await joined.until(lambda: _status(pits) is Status.REFUSED)
            # Told by the close, or, when the last frames of the site overtake it, by the next opening.
            assert "revoked" in _words(pits)
            assert pits.dialer is not None
            pits.dialer.reconnect_now()
            await joined.until(lambda: joined.cloud.admission.refusals.get("revoked"))
            await joined.until(lambda: "does not let this site in" in _words(pits))


async def test_a_revoked_site_is_shown_no_more_until_it_is_let_in_again(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined, _open_client(joined) as client:
        await joined.enrol(tmp_path / "pits")
        let_in(joined.folder, "other")
        await joined.until(lambda: "other" in joined.cloud.members)
        async with open_site_at(joined, tmp_path / "pits") as pits, _open_sites(client, SITE) as told:
            await _ready(joined, pits)
            await joined.until(lambda: told[-1:] == [{"sites": [SITE, "other"], "site": SITE}])
            change(joined.folder, lambda conn: sites.revoke_site(conn, SITE, time.time()))
            at = trio.current_time()
            await joined.until(lambda: told[-1] == {"sites": ["other"], "site": None})
            assert trio.current_time() - at < 1
            assert [site["site"] for site in (await client.get("/api/sites")).json()] == ["other"]
            assert (await client.get(f"/api/sites/{SITE}/board")).status_code == 404
            assert (await client.get("/healthz")).json()["sites"] == 1
            again = let_in(joined.folder)
            await joined.until(lambda: told[-1] == {"sites": [SITE, "other"], "site": SITE}, 1.0)
            await trio.to_thread.run_sync(enrol_at, joined.address, again, tmp_path / "pits")
            assert pits.dialer is not None
            pits.dialer.reconnect_now()
            await _ready(joined, pits)
            assert (await client.get(f"/api/sites/{SITE}/board")).status_code == 200


async def test_a_site_whose_only_proof_was_an_old_token_is_shown_no_more(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        table = TokenTable(joined.folder / TOKENS_FILE)
        table.add("old", Role.SITE, "other")
        await joined.until(lambda: "other" in joined.cloud.members, 1.0)
        table.remove("old")
        await joined.until(lambda: list(joined.cloud.members) == [SITE], 1.0)


async def test_a_revoked_site_comes_back_only_with_a_new_key(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        await joined.enrol(tmp_path / "pits")
        change(joined.folder, lambda conn: sites.revoke_site(conn, SITE, time.time()))
        code = let_in(joined.folder)
        async with open_site_at(joined, tmp_path / "pits") as pits:
            await joined.until(lambda: _status(pits) is Status.REFUSED)
            assert "has not enrolled a key" in _words(pits)
            await trio.to_thread.run_sync(enrol_at, joined.address, code, tmp_path / "pits")
            assert pits.dialer is not None
            pits.dialer.reconnect_now()
            await _ready(joined, pits)


async def test_removing_an_old_token_ends_its_link_within_a_second(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        table = TokenTable(joined.folder / TOKENS_FILE)
        token = Secret(table.add("old", Role.SITE, SITE))
        async with open_site_at(
            joined, tmp_path / "pits", config=lambda config: evolve(config, token=token)
        ) as pits:
            await _ready(joined, pits)
            assert "bearer-token" in [warning.name for warning in pits.health.warnings]
            table.remove("old")
            await joined.until(lambda: joined.member().site.peer.connection is None, 1.0)
            await joined.until(lambda: _status(pits) is Status.REFUSED)
            assert "token was revoked at the hub (4004)" in _words(pits)


async def test_revoking_a_site_ends_its_old_token_too(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        token = Secret(TokenTable(joined.folder / TOKENS_FILE).add("old", Role.SITE, SITE))
        async with open_site_at(
            joined, tmp_path / "pits", config=lambda config: evolve(config, token=token)
        ) as pits:
            await _ready(joined, pits)
            change(joined.folder, lambda conn: sites.revoke_site(conn, SITE, time.time()))
            await joined.until(lambda: joined.member().site.peer.connection is None, 1.0)
            await joined.until(lambda: _status(pits) is Status.REFUSED)


@pytest.mark.parametrize("site", [None, SITE])
async def test_an_older_version_is_refused_in_words(tmp_path: Path, site: str | None) -> None:
    async with open_joined(tmp_path) as joined:
        await joined.enrol(tmp_path / "pits")
        change(joined.folder, lambda conn: sites.set_minimum(conn, site, "99.1"))
        async with open_site_at(joined, tmp_path / "pits") as pits:
            await joined.until(lambda: _status(pits) is Status.INCOMPATIBLE)
            assert "wants 99.1 or newer" in _words(pits)
            assert "pitlink 0.1.0" in _words(pits)
            change(
                joined.folder, lambda conn: sites.set_minimum(conn, SITE, "0.1")
            )  # the site's own word wins
            assert pits.dialer is not None
            pits.dialer.reconnect_now()
            await _ready(joined, pits)


async def test_no_fetch_is_lost_by_a_rotation_of_the_sites_key(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        first = await joined.enrol(tmp_path / "pits")
        bearer = TokenTable(joined.folder / TOKENS_FILE).add("caller", Role.OPERATOR, "*")
        async with (
            open_site_at(joined, tmp_path / "pits") as pits,
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{joined.port}",
                headers={"Authorization": f"Bearer {bearer}"},
                trust_env=False,
            ) as caller,
        ):
            await _ready(joined, pits)
            connection = pits.peer.connection
            answers: list[int] = []

            async def fetch() -> None:
                while True:
                    got = await caller.get(f"/api/sites/{SITE}/origin/httpfiles/Channels.json")
                    answers.append(got.status_code)

            async with trio.open_nursery() as load:
                for _ in range(3):
                    load.start_soon(fetch)
                await joined.until(lambda: len(answers) > 6)
                second = await joined.enrol(tmp_path / "pits")
                so_far = len(answers)
                await joined.until(lambda: len(answers) > so_far + 12)
                load.cancel_scope.cancel()
            assert second.public != first.public
            assert pits.peer.connection is connection, "a rotation is no reason to end a link"
            assert set(answers) <= {200, 304}
            assert pits.dialer is not None
            pits.dialer.reconnect_now()  # with the new key
            await joined.until(lambda: pits.peer.connection not in (None, connection))
            assert "signature" not in joined.cloud.admission.refusals


async def test_a_site_revoked_under_load_is_off_within_a_second(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        await joined.enrol(tmp_path / "pits")
        bearer = TokenTable(joined.folder / TOKENS_FILE).add("caller", Role.OPERATOR, "*")
        async with (
            open_site_at(joined, tmp_path / "pits") as pits,
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{joined.port}",
                headers={"Authorization": f"Bearer {bearer}"},
                trust_env=False,
            ) as caller,
        ):
            await _ready(joined, pits)
            answers: list[int] = []

            async def fetch() -> None:
                while True:
                    got = await caller.get(f"/api/sites/{SITE}/origin/httpfiles/Channels.json")
                    answers.append(got.status_code)

            async with trio.open_nursery() as load:
                for _ in range(8):
                    load.start_soon(fetch)
                await joined.until(lambda: len(answers) > 6)
                change(joined.folder, lambda conn: sites.revoke_site(conn, SITE, time.time()))
                at = trio.current_time()
                await joined.until(lambda: joined.member().site.peer.connection is None, 1.0)
                took_s = trio.current_time() - at
                so_far = len(answers)
                await joined.until(lambda: len(answers) > so_far + 8)
                load.cancel_scope.cancel()
            print(f"a revoked site was off after {took_s * 1000:.0f} ms")
            assert set(answers) <= {200, 304, 503, 404}, "callers are answered, or told why not"
            assert answers[-1] == 404, "there is no such site any more"


async def test_what_cannot_be_read_when_authority_changes_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_joined(tmp_path) as joined:
        await joined.enrol(tmp_path / "pits")
        async with open_site_at(joined, tmp_path / "pits") as pits:
            await _ready(joined, pits)
            fails = [True]
            find_site = admission.find_site

            def failing(conn: Any, name: str) -> Any:
                if fails:
                    fails.pop()
                    raise StorageError(StorageFault.FAILED, joined.folder, "the disk hiccups")
                return find_site(conn, name)

            monkeypatch.setattr(admission, "find_site", failing)
            change(joined.folder, lambda conn: sites.revoke_site(conn, SITE, time.time()))
            await joined.until(lambda: joined.member().site.peer.connection is None, 2.0)
            assert not fails


async def test_an_enrolment_whose_answer_was_lost_is_taken_up_with_the_same_key(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        folder, code = tmp_path / "pits", let_in(joined.folder)
        key = await trio.to_thread.run_sync(enrol_at, joined.address, code, folder)
        (folder / KEY_FILE).unlink()
        save_site_key(folder / PENDING_FILE, SiteKey(key.private))  # as it was before the answer
        again = await trio.to_thread.run_sync(enrol_at, joined.address, code, folder)
        assert again.public == key.public
        with pytest.raises(RefusedToStart, match="used already"):
            await trio.to_thread.run_sync(enrol_at, joined.address, code, tmp_path / "thief")
        assert load_site_key(tmp_path / "thief" / KEY_FILE) is None


async def test_a_proof_is_signed_for_the_hub_of_the_enrolment_only(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        key = await joined.enrol(tmp_path / "pits")
        save_site_key(tmp_path / "pits" / KEY_FILE, evolve(key, hub="hub-of-somebody"))
        async with open_site_at(joined, tmp_path / "pits") as pits:
            await joined.until(lambda: _status(pits) is Status.REFUSED)
            assert "this is another hub" in _words(pits)
        assert joined.cloud.admission.refusals == {"missing": 1}


async def test_a_key_of_another_site_or_none_is_said_at_the_start(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        await joined.enrol(tmp_path / "pits")
    with pytest.raises(ConfigError, match="is of 'field'"):
        open_credential(tmp_path / "pits", "b", token="", by_certificate=False)
    bare = PitsConfig(cloud_url="wss://cloud.example.org", state_dir=tmp_path / "none")
    assert "pitlink enroll wss://cloud.example.org" in str(next(iter(bare.problems())))


async def test_a_key_that_goes_away_is_said_and_a_new_one_taken_without_a_restart(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        await joined.enrol(tmp_path / "pits")
        path = tmp_path / "pits" / KEY_FILE
        kept = path.read_bytes()
        async with open_site_at(joined, tmp_path / "pits") as pits:
            await _ready(joined, pits)
            path.unlink()
            assert pits.dialer is not None
            pits.dialer.reconnect_now()
            await joined.until(lambda: "is gone" in _words(pits))
            path.write_bytes(kept)
            path.chmod(0o600)
            pits.dialer.reconnect_now()
            await _ready(joined, pits)
