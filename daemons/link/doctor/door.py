"""The hub's door: does a WebSocket upgrade get through to it, and does it let this site in.

The site is proven as its daemon would prove it, and the doctor leaves before it says hello: a link that is up stays up.
"""

import ssl

import trio

from daemons.link.address import CONTROL_PATH
from daemons.link.credentials import (
    BearerCredential,
    CertificateCredential,
    Credential,
    CredentialProblem,
    KeyCredential,
)
from daemons.link.doctor.asking import Answer, Unreached, connect, look_up, open_asker, secure
from daemons.link.doctor.way import Way
from daemons.link.opening import Refused, receive_hello
from daemons.link.transport import SUBPROTOCOL, TransportClosed, UpgradeRefused, client_transport
from daemons.ops.authority.siteproof import Challenge, Claim, parse_challenge
from daemons.ops.doctor.finding import Finding, bad, good, skipped, warning
from protocol.errors import CloseCode, RemoteProtocolError
from protocol.frames import Hello

__all__ = ["knock"]

OPENING_S = 15.0
_ATTEMPT = 1


_KIND = {KeyCredential: "key", CertificateCredential: "client certificate", BearerCredential: "token"}


async def knock(way: Way, credential: Credential | None, site: str, instance: bytes) -> list[Finding]:
    """Look at the upgrade and, with a credential of `site`, whether that is accepted. `instance`: 16 random bytes."""
    claim = Claim(site, instance.hex(), _ATTEMPT)
    try:
        async with open_asker(way.address, way.context) as asker:
            answer = await asker.ask("GET", CONTROL_PATH, headers=_upgrade(claim))
    except Unreached as exc:
        return [bad("upgrade", f"the WebSocket upgrade is not answered: {exc}", _PROXY)]
    upgrade = _judge_upgrade(answer)
    if credential is None:
        return [upgrade]
    if answer.status not in (101, 401, 403):
        return [upgrade, skipped("key", "cannot be tried before the upgrade gets through")]
    challenge = parse_challenge(answer.header("www-authenticate"))
    if answer.status == 403 or (challenge is not None and challenge.error):  # whatever it could prove
        return [upgrade, _refused(answer.status, answer.body)]
    return [upgrade, await _try(way, credential, claim, challenge)]


_PROXY = "if a reverse proxy stands before the hub, it must pass on Upgrade and Connection for /control: see docs/deploy.md"


def _upgrade(claim: Claim) -> list[tuple[str, str]]:
    return [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "cGl0bGluay1kb2N0b3IhIQ=="),
        ("sec-websocket-protocol", SUBPROTOCOL),
        ("pitlink-site", claim.site),
        ("pitlink-instance", claim.instance),
        ("pitlink-attempt", str(claim.attempt)),
    ]


def _judge_upgrade(answer: Answer) -> Finding:
    match answer.status:
        case 101 | 401 | 403:
            return good("upgrade", "WebSocket upgrades get through to the hub")
        case 429:
            return warning(
                "upgrade", "the hub has been dialled too often from here", "wait a minute, then try again"
            )
        case 502 | 503 | 504:
            return bad(
                "upgrade",
                f"HTTP {answer.status}: the hub, or what is before it, cannot take it now",
                "try again later",
            )
        case _:
            return bad(
                "upgrade", f"the WebSocket upgrade does not get through (HTTP {answer.status})", _PROXY
            )


async def _try(way: Way, credential: Credential, claim: Claim, challenge: Challenge | None) -> Finding:
    kind = _KIND.get(type(credential), "key")
    if isinstance(credential, BearerCredential) and not credential.token:
        return bad(
            "key",
            "this site has no key",
            "ask the hub's operator for a code (pitlink site add), then: pitlink enroll",
        )
    try:
        if isinstance(credential, KeyCredential) and not credential.challenged(challenge):
            return bad(
                "key", "this hub knows nothing of sites' keys", "have the hub updated; until then use a token"
            )
        proof = credential.headers(claim)
    except CredentialProblem as exc:
        return bad("key", str(exc), "pitlink enroll makes a new key with a code of the hub's operator")
    headers = [
        (b"Pitlink-Site", claim.site.encode()),
        (b"Pitlink-Instance", claim.instance.encode()),
        (b"Pitlink-Attempt", str(claim.attempt).encode()),
        *proof,
    ]
    try:
        with trio.fail_after(OPENING_S):
            hello = await _enter(way, headers)
    except UpgradeRefused as exc:
        return _refused(exc.status, exc.body)
    except Refused as exc:
        return _refused_later(exc.code, exc.words)
    except TransportClosed as exc:  # the refusal may be overtaken by the close that follows it
        return _refused_later(exc.code, exc.words)
    except (Unreached, RemoteProtocolError, trio.BrokenResourceError) as exc:
        return bad("key", f"the hub's door broke: {exc}", "look at the hub's log")
    except trio.TooSlowError:
        return bad(
            "key", f"the hub says nothing for {OPENING_S:.0f} s after the upgrade", "look at the hub's log"
        )
    words = f"the hub ({hello.software}) accepts this site's {kind}"
    if kind == "token":
        return warning(
            "key", words, "tokens of sites work for this release only: change to a key with pitlink enroll"
        )
    return good("key", words)


async def _enter(way: Way, headers: list[tuple[bytes, bytes]]) -> Hello:
    """Make the upgrade and wait for the hub's hello; say none."""
    address = way.address
    stream: trio.abc.Stream = await _reach(way)
    if address.is_tls:
        stream = await secure(stream, address.host, way.context or ssl.create_default_context())
    async with client_transport(stream, address.host_header, CONTROL_PATH, headers) as transport:
        hello = await receive_hello(transport)
        await transport.aclose(CloseCode.NORMAL, "only the doctor")
        return hello


async def _reach(way: Way) -> trio.SocketStream:
    failure = Unreached("name", "it has no address")
    for one in await look_up(way.address.host, way.address.port):
        try:
            return await connect(one, way.address.port)
        except Unreached as exc:
            failure = exc
    raise failure


def _refused(status: int, body: bytes) -> Finding:
    words = body.decode(errors="replace").strip().splitlines()
    why = words[0][:200] if words and not words[0].startswith("<") else f"HTTP {status}"
    if status in (401, 403):
        return bad(
            "key",
            f"the hub does not let this site in: {why}",
            "ask its operator (pitlink site list); a new key: pitlink site add there, pitlink enroll here",
        )
    if status == 429:
        return skipped("key", "the hub has been dialled too often from here: try again in a minute")
    return bad("key", f"the hub answers the upgrade with HTTP {status}: {why}", "look at the hub's log")


def _refused_later(code: int, words: str) -> Finding:
    match code:
        case CloseCode.DUPLICATE_SITE:
            return good("key", "the hub accepts it; the site is connected already (its daemon, most likely)")
        case CloseCode.INCOMPATIBLE:
            return bad("key", f"the hub accepts it, but: {words}", "update this side, or the hub")
        case CloseCode.GOING_AWAY:
            return skipped("key", f"the hub is stopping: {words}")
        case CloseCode.UNAUTHORISED:
            return bad("key", f"the hub puts this site out: {words}", "ask its operator (pitlink site list)")
        case _:
            return bad("key", f"the hub ended the connection: {words} ({code})", "look at the hub's log")
