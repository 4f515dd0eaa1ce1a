"""What strangers try at the door of the link: each is refused with its status and code, none is logged with its secret."""

import base64
import hmac
import json
import logging
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
import trio
from attrs import define, field
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daemons.link.address import HubAddress
from daemons.link.credentials import Credential
from daemons.link.dial import Dialer
from daemons.link.peer import Peer
from daemons.ops.authority import audit, sites
from daemons.ops.authority.sitekey import SiteKey, prove_possession
from daemons.ops.authority.siteproof import Challenge, Claim, make_proof, parse_challenge
from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable
from protocol.errors import CloseCode
from protocol.linkstatus import Status
from tests.whole.hubs import SITE, Joined, change, let_in, open_joined, open_site_at, post_enrolment

INSTANCE = "0b" * 16


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@define(eq=False)
class Attacker:
    """Knows a site's key (its own), another site's name, and how upgrades look."""

    joined: Joined
    key: SiteKey
    other: SiteKey
    caplog: pytest.LogCaptureFixture
    secrets: list[str] = field(factory=list)

    async def fresh(self) -> str:
        """Return a nonce of the hub's, asked for as a site does."""
        _, headers, _ = await self.joined.raw(f"Pitlink-Site: {SITE}")
        found = parse_challenge(headers["www-authenticate"])
        assert found is not None
        assert found.hub == self.joined.cloud.hub
        return found.nonce

    def proof(
        self, nonce: str, key: SiteKey | None = None, site: str = SITE, hub: str = "", attempt: int = 1
    ) -> str:
        return make_proof(
            (key or self.key).private, Claim(site, INSTANCE, attempt), hub or self.joined.cloud.hub, nonce
        )

    async def upgrade(self, authorization: str, *more: str, site: str = SITE) -> tuple[int, str]:
        """Ask for the link; return the status, and the code where there is one."""
        self.secrets.append(authorization.partition(" ")[2])
        lines = [
            f"Pitlink-Site: {site}",
            f"Pitlink-Instance: {INSTANCE}",
            "Pitlink-Attempt: 1",
            *([f"Authorization: {authorization}"] if authorization else []),
            *more,
        ]
        before = dict(self.joined.cloud.admission.refusals)
        status, headers, _ = await self.joined.raw(*lines)
        after = self.joined.cloud.admission.refusals
        code = next((code for code in after if after[code] != before.get(code, 0)), "")
        if status == 401:
            assert 'nonce="' in headers["www-authenticate"]
            assert (f'error="{code}"' in headers["www-authenticate"]) == (code != "missing")
        return status, code

    def check_logs(self) -> None:
        """See that nothing that was sent as a secret is in any log line."""
        assert self.caplog.records
        told = self.caplog.text + "".join(str(vars(record)) for record in self.caplog.records)
        for secret in self.secrets:
            for part in [secret, *secret.split(".")[2:]]:
                assert len(part) < 12 or part not in told


def _forged(head: dict[str, str], body: dict[str, object], secret: bytes | None) -> str:
    signed = f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(body).encode())}"
    return f"Pitlink {signed}.{_b64(hmac.digest(secret, signed.encode(), sha256)) if secret else ''}"


async def test_everything_at_the_door_is_refused_with_its_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_joined(tmp_path) as joined:
        bearers = TokenTable(joined.folder / TOKENS_FILE)
        of_other, of_caller = bearers.add("b", Role.SITE, "other"), bearers.add("c", Role.OPERATOR, "*")
        key, other = await joined.enrol(tmp_path / "a"), await joined.enrol(tmp_path / "b", "other")
        gone = await joined.enrol(tmp_path / "c", "gone")
        change(joined.folder, lambda conn: sites.revoke_site(conn, "gone", time.time()))
        attacker = Attacker(joined, key, other, caplog)
        stranger = SiteKey(Ed25519PrivateKey.generate(), SITE, joined.cloud.hub)
        ask, proof, fresh = attacker.upgrade, attacker.proof, attacker.fresh

        assert await ask("") == (401, "missing")
        assert await ask(f"Pitlink {proof(await fresh(), stranger)}") == (401, "signature")
        # Another site's id: with one's own key, signed as oneself, or signed as the other.
        assert await ask(f"Pitlink {proof(await fresh(), other, 'other')}") == (401, "signature")
        assert await ask(f"Pitlink {proof(await fresh(), other)}") == (401, "signature")
        assert await ask(f"Pitlink {proof(await fresh(), key)}", site="other") == (401, "signature")
        assert await ask(f"Pitlink {proof(await fresh(), key)}", site="nobody") == (401, "unknown")
        assert await ask(f"Pitlink {proof(await fresh(), gone, 'gone')}", site="gone") == (401, "revoked")
        assert await ask(f"Pitlink {proof(await fresh(), hub='hub-elsewhere')}") == (401, "audience")
        assert await ask(f"Pitlink {proof(await fresh(), attempt=2)}") == (401, "replayed")
        assert await ask(f"Pitlink {proof('made-up')}") == (401, "replayed")
        assert await ask(f"Pitlink {proof(joined.cloud.admission.nonces.next_for('other'))}") == (
            401,
            "replayed",
        )
        late = joined.cloud.admission.nonces.challenge(trio.current_time() - 31)
        assert await ask(f"Pitlink {proof(late)}") == (401, "replayed")

        body: dict[str, object] = {
            "iss": SITE, "aud": joined.cloud.hub, "nonce": await fresh(), "instance": INSTANCE, "attempt": 1
        }  # fmt: skip
        typ = "pitlink-site+jwt"
        assert await ask(_forged({"alg": "none", "typ": typ}, body, None)) == (401, "algorithm")
        assert await ask(_forged({"alg": "HS256", "typ": typ}, body, key.public)) == (401, "algorithm")
        assert await ask(_forged({"alg": "HS512", "typ": typ}, body, key.public)) == (401, "algorithm")
        assert (await ask(_forged({"alg": "EdDSA", "typ": typ}, body, key.public)))[0] == 401
        assert await ask("Pitlink x") == (401, "malformed")
        assert await ask("Pitlink ") == (401, "malformed")
        assert await ask(f"Pitlink {'x' * 9000}") == (401, "malformed")
        assert await ask(f"Pitlink {proof(await fresh())}", "Pitlink-Site: other") == (401, "malformed")
        assert await ask(f"Pitlink {proof(await fresh())}", "Authorization: Bearer x") == (401, "malformed")
        assert await ask(f"Pitlink {proof(await fresh())}", "Pitlink-Attempt: 1") == (401, "malformed")

        assert await ask(f"Bearer {of_other}") == (403, "site")
        assert await ask(f"Bearer {of_caller}") == (403, "role")
        assert await ask("Bearer pl_stolen-and-made-up-0123456789") == (401, "unknown")
        assert await ask("Basic dXNlcjpwYXNzd29yZA==") == (401, "malformed")
        for name in ("", "Field", "field/../other", "f" * 65, "%66ield"):
            assert (await ask(f"Pitlink {proof(await fresh())}", site=name))[0] == 401

        # A page of somebody else's in a browser: also with a proof that would be good.
        assert await ask(f"Pitlink {proof(await fresh())}", "Origin: https://evil.example") == (403, "origin")
        assert await ask(f"Pitlink {proof(await fresh())}", "Origin: null") == (403, "origin")

        # A good one is good once.
        good = f"Pitlink {proof(await fresh())}"
        assert await ask(good) == (101, "")
        assert await ask(good) == (401, "replayed")
        for member in joined.cloud.members.values():
            assert member.site.peer.connection is None
        attacker.check_logs()


async def test_a_recorded_session_is_worth_nothing(tmp_path: Path) -> None:
    """Every byte that a site has sent, proof and frames, sent again: before, while and after it is connected."""
    async with open_joined(tmp_path) as joined:
        await joined.enrol(tmp_path / "pits")
        sent: list[bytes] = []
        async with trio.open_nursery() as nursery:
            port = await nursery.start(partial(_record, joined.port, sent))
            tapped = Joined(joined.cloud, joined.folder, port, joined.nursery)
            async with open_site_at(tapped, tmp_path / "pits") as pits:
                await joined.until(lambda: pits.peer.connection is not None)
                with trio.fail_after(10):
                    await pits.durable.drained("event")
                upgrades = b"".join(sent).split(b"GET /control")[1:]
                assert len(upgrades) == 2
                assert b"Authorization: Pitlink " in upgrades[1]
                recorded = b"GET /control" + upgrades[1]
                assert (await joined.send(recorded))[0] == 401
                assert pits.peer.connection is not None
            before = _events(joined)
            status, headers, _ = await joined.send(recorded)
            assert (status, 'error="replayed"' in headers["www-authenticate"]) == (401, True)
            assert _events(joined) == before
            nursery.cancel_scope.cancel()


def _events(joined: Joined) -> object:
    statistics = joined.member().site.peer.durable.statistics()
    return {name: (channel.outstanding,) for name, channel in statistics.items()}


async def _record(
    port: int, sent: list[bytes], *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """Pass connections on to `port`, and keep what the clients send."""

    async def serve(client: trio.SocketStream) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", port) as server, trio.open_nursery() as nursery:
            nursery.start_soon(_pass, client, server, sent.append)
            await _pass(server, client, lambda data: None)
            nursery.cancel_scope.cancel()

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    task_status.started(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(serve, listeners)


async def _pass(source: trio.abc.Stream, sink: trio.abc.Stream, keep: Callable[[bytes], None]) -> None:
    try:
        while data := await source.receive_some():
            keep(bytes(data))
            await sink.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


async def test_a_hello_of_another_site_than_was_proven_is_closed_with_4004(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_joined(tmp_path) as joined:
        await joined.enrol(tmp_path / "pits")
        await joined.enrol(tmp_path / "b", "other")
        async with open_site_at(joined, tmp_path / "pits") as pits:
            await joined.until(lambda: pits.peer.connection is not None)
            assert pits.dialer is not None
            dialer = pits.dialer
            dialer.credential = _Liar(dialer.credential, pits.peer)
            dialer.reconnect_now()
            await joined.until(lambda: dialer.status.status is Status.REFUSED)
            # Both ends see it; the hub tells the code, and nothing of the other site was touched.
            await joined.until(lambda: "connection.refused" in caplog.text)
            assert "connection.refused" in caplog.text and repr(CloseCode.UNAUTHORISED) in caplog.text
        await joined.until(lambda: "other" in joined.cloud.members)
        assert joined.cloud.members["other"].site.peer.last_seen_at is None


@define(eq=False)
class _Liar:
    """Proves itself as itself, and then says in the hello to be another site."""

    honest: Credential
    peer: Peer

    def headers(self, claim: Claim) -> list[tuple[bytes, bytes]]:
        self.peer.site = "other"
        return self.honest.headers(claim)

    def challenged(self, challenge: Challenge | None) -> bool:
        return self.honest.challenged(challenge)

    def welcomed(self, nonce: str) -> None:
        self.honest.welcomed(nonce)


async def test_enrolments_of_strangers_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_joined(tmp_path) as joined:
        code = let_in(joined.folder)
        mine, theirs = SiteKey(Ed25519PrivateKey.generate()), SiteKey(Ed25519PrivateKey.generate())

        async def post(code: str, key: bytes, proof: str) -> tuple[int, str]:
            body = {"code": code, "key": base64.urlsafe_b64encode(key).decode(), "proof": proof}
            answer = await post_enrolment(joined, json.dumps(body).encode())
            return answer.status_code, answer.json().get("code", "")

        guess = "0000-0000-0000"
        assert await post(guess, mine.public, prove_possession(mine, guess)) == (401, "unknown")
        # Somebody else's public key, which the code's thief does not have the private half of.
        assert await post(code, theirs.public, prove_possession(mine, code)) == (401, "signature")
        assert await post(code, mine.public, "") == (401, "signature")
        assert await post(code, b"short", prove_possession(mine, code)) == (401, "signature")
        assert await post("nonsense", mine.public, prove_possession(mine, code)) == (400, "malformed")
        for body in (b"", b"[]", b"{}", b'{"code":1,"key":2,"proof":3}', b"[" * 2000, b"x" * 5000, b"\xff"):
            assert (await post_enrolment(joined, body)).status_code == 400, body[:20]
        assert await post(code, mine.public, prove_possession(mine, code)) == (200, "")
        assert await post(code, theirs.public, prove_possession(theirs, code)) == (401, "replayed")
        row = joined.cloud.authority.read(lambda conn: sites.find_site(conn, SITE))
        assert row is not None
        assert row.key == mine.public
        assert [entry.entry.action for entry in joined.cloud.authority.read(audit.rows)] == ["site.enrol"]
        assert code not in caplog.text
        assert sites.normal_code(code) not in caplog.text


async def test_a_stolen_old_token_is_no_good_at_another_site_or_after_it_was_revoked(tmp_path: Path) -> None:
    async with open_joined(tmp_path) as joined:
        table = TokenTable(joined.folder / TOKENS_FILE)
        token = table.add("old", Role.SITE, SITE)
        table.remove("old")
        async with open_site_at(joined, tmp_path / "pits") as pits:
            dialer = Dialer(pits.peer, HubAddress("127.0.0.1", joined.port, is_tls=False), token)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(dialer.run)
                await joined.until(lambda: dialer.status.status is Status.REFUSED)
                assert "does not let this site in" in dialer.status.words
                assert token not in dialer.status.words
                nursery.cancel_scope.cancel()
