"""The site's end: dial the hub, live, and dial again by the policy of the status that the link is in.

Every phase has a deadline of its own (TCP, TLS, upgrade, opening), so that what failed can be named. The wait before
the next attempt is cut short by `reconnect_now` and told to the operator in words.
"""

import errno
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

import structlog
import trio
from attrs import define, field, frozen

from daemons.link.address import CONTROL_PATH, HubAddress
from daemons.link.connection import Connection, ConnectionEnded
from daemons.link.credentials import BearerCredential, CertificateCredential, Credential, CredentialProblem
from daemons.link.hazards import LookUp, StreamWrapper
from daemons.link.opening import Refused, check_hello, opening_message, receive_hello
from daemons.link.peer import Peer
from daemons.link.transport import (
    Transport,
    TransportClosed,
    UpgradeRefused,
    client_transport,
    lone,
    tune_socket,
)  # fmt: skip
from daemons.ops.authority.siteproof import Claim, parse_challenge
from daemons.ops.trace import bind, connection_id
from daemons.store import StorageError
from protocol.backoff import Backoff
from protocol.errors import CloseCode, RemoteProtocolError
from protocol.linkstatus import LinkStatus, Status, status_of_close

_log = structlog.stdlib.get_logger("pitlink.link")

TCP_S = 4.0
"""A host that does not answer at all: the next attempt may find another way, so this is short."""

TLS_S = 10.0
UPGRADE_S = 10.0
OPENING_S = 15.0
"""To the hub's hello; it may probe an older connection for 2 s first."""

USER_TIMEOUT_S = 20.0

NO_INTERNET = "no internet here"
"""What the words of a failure begin with when this machine has no way to anywhere, as far as it knows."""


@define(eq=False)
class Dialer:
    """Keeps one site's link to its hub up. `status` says how it stands, `retry_at` when it is dialled again.

    `token`: an old bearer token, unless there is a `credential`. `wrap_stream`, `look_up`: where faults are put in.
    """

    peer: Peer
    address: HubAddress
    token: str = field(default="", repr=False)
    credential: Credential = field(kw_only=True)
    hub_role: str = "cloud"
    ssl_context: ssl.SSLContext | None = None
    wrap_stream: StreamWrapper = lambda stream: stream
    look_up: LookUp | None = None
    on_status: Callable[[LinkStatus], None] = lambda status: None
    status: LinkStatus = field(init=False)
    retry_at: float | None = field(default=None, init=False)  # monotonic
    _reconnect: trio.Event = field(factory=trio.Event, init=False)
    _at_once: bool = field(default=False, init=False)

    @credential.default
    def _bearer(self) -> Credential:
        return BearerCredential(self.token)

    def __attrs_post_init__(self) -> None:
        self.status = LinkStatus(0.0, words="not dialled yet")

    def reconnect_now(self) -> None:
        """Cut the wait before the next attempt short, or end the live connection and dial again."""
        if self.peer.connection is not None:
            self._at_once = True
            self.peer.connection.end(CloseCode.GOING_AWAY, "an operator asked to reconnect")
        self._reconnect.set()

    async def run(self) -> None:
        """Dial, live, wait, for ever. Cancelling it says goodbye to the hub and stops."""
        backoff = Backoff()
        self.status.since = trio.current_time()
        while True:
            try:
                ended = await self._attempt(backoff)
                self.peer.figures.closed(ended.code)
                failure = _Failed(status_of_close(ended.code), str(ended), ended.retry_after_s)
            except _Failed as exc:
                failure = exc
            now = trio.current_time()
            backoff.failed(now, failure.status, failure.retry_after_s)
            delay_s = backoff.next_delay(now, self.peer.environment.rand())
            if self._at_once:
                self._at_once, delay_s = False, 0.0
            self.retry_at = now + delay_s
            self._move(failure.status, f"{failure.words}; next attempt in {delay_s:.1f} s")
            self._reconnect = trio.Event()
            with trio.move_on_at(self.retry_at):
                await self._reconnect.wait()
            self.retry_at = None
            self._move(Status.CONNECTING, f"dialling {self.address.host_header}")

    async def adopt(self, stream: trio.abc.Stream) -> None:
        """Live on a stream that the hub has opened to here, to its end, as if it had been dialled. See `daemons.link.reach`.

        Never raises but for cancellation. A hub whose nonce is to be signed refuses the first one, and comes again.
        """
        self.peer.attempt += 1
        bind(site=self.peer.site, connection=connection_id(self.peer.instance, self.peer.attempt))
        if self.status.status is not Status.CONNECTING and self.peer.connection is None:
            self._move(Status.CONNECTING, "the hub has reached here")
        try:
            ended = await self._live_on(self.wrap_stream(stream), self._headers(), Backoff())
            self.peer.figures.closed(ended.code)
            failure = _Failed(status_of_close(ended.code), str(ended))
        except UpgradeRefused as exc:
            failure = _refusal(exc, self.address)
            if exc.status == 401 and self.credential.challenged(
                parse_challenge(exc.header(b"www-authenticate"))
            ):
                failure = _Failed(Status.LOST, "the hub wants its nonce signed")
        except CredentialProblem as exc:
            failure = _Failed(Status.REFUSED, str(exc))
        except _Failed as exc:
            failure = exc
        if self.peer.connection is None and self.status.status in (Status.CONNECTING, Status.READY):
            self._move(failure.status, f"{failure.words}; the hub is waited for")

    def _ready(self, words: str) -> None:
        """Note that there is a link: where the hub reaches here, one stream may take the place of another."""
        if self.status.status is not Status.READY:
            if self.status.status is not Status.CONNECTING:
                self._move(Status.CONNECTING, "the hub has reached here")
            self._move(Status.READY, words)

    def _move(self, status: Status, words: str) -> None:
        _log.info("link.status", site=self.peer.site, status=str(status), words=words)
        self.status.move(status, trio.current_time(), words)
        self.on_status(self.status)

    async def _attempt(self, backoff: Backoff) -> ConnectionEnded:
        """Make one connection and live on it. Raise _Failed when it does not come to life."""
        self.peer.attempt += 1
        bind(site=self.peer.site, connection=connection_id(self.peer.instance, self.peer.attempt))
        try:
            try:
                return await self._connect(backoff)
            except UpgradeRefused as exc:
                challenge = parse_challenge(exc.header(b"www-authenticate"))
                if exc.status != 401 or not self.credential.challenged(challenge):
                    raise
            return await self._connect(backoff)  # with what the hub wants signed
        except UpgradeRefused as exc:
            raise _refusal(exc, self.address) from None
        except CredentialProblem as exc:
            raise _Failed(Status.REFUSED, str(exc)) from None

    async def _connect(self, backoff: Backoff) -> ConnectionEnded:
        """Connect once. Raise _Failed, UpgradeRefused, CredentialProblem when it does not come to life."""
        headers = self._headers()  # what has no credential opens nothing
        return await self._live_on(await self._open_stream(), headers, backoff)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        """Return what the upgrade says of this site. Raises CredentialProblem."""
        claim = Claim(self.peer.site, self.peer.instance.hex(), self.peer.attempt)
        return [
            *self.credential.headers(claim),
            (b"Pitlink-Site", claim.site.encode()),
            (b"Pitlink-Instance", claim.instance.encode()),
            (b"Pitlink-Attempt", str(claim.attempt).encode()),
        ]

    async def _live_on(
        self, stream: trio.abc.Stream, headers: list[tuple[bytes, bytes]], backoff: Backoff
    ) -> ConnectionEnded:
        """Make the link on a stream and live on it. Raises _Failed and UpgradeRefused."""
        ended: ConnectionEnded | None = None
        try:
            with trio.move_on_after(UPGRADE_S) as upgrading:
                async with client_transport(
                    stream, self.address.host_header, CONTROL_PATH, headers
                ) as transport:
                    upgrading.deadline = trio.current_time() + OPENING_S
                    connection = await self._open_link(transport)
                    upgrading.deadline = float("inf")
                    backoff.succeeded(trio.current_time())
                    self._ready(f"connected to {self.address.host_header}")
                    ended = await connection.run()
            if ended is None:
                raise _Failed(Status.LOST, f"{self.address.host_header} accepts but does not answer")
        except Refused as exc:
            raise _Failed(status_of_close(exc.code), exc.words, exc.retry_after_s) from None
        except (TransportClosed, RemoteProtocolError, StorageError, trio.BrokenResourceError) as exc:
            raise _Failed(Status.LOST, f"the opening failed: {_broken(exc, self.credential)}") from None
        return ended

    async def _open_stream(self) -> trio.abc.Stream:
        """Connect TCP and TLS, each inside its own deadline, and name what failed."""
        where = self.address.host_header
        try:
            with trio.fail_after(TCP_S):
                if self.look_up is not None:
                    await self.look_up(self.address.host)
                tcp = await trio.open_tcp_stream(self.address.host, self.address.port)
        except trio.TooSlowError:
            raise _Failed(
                Status.LOST, f"{where} does not answer (no TCP connection in {TCP_S:.0f} s)"
            ) from None
        except OSError as exc:
            raise _Failed(Status.LOST, _why_not_reached(where, exc)) from None
        tune_socket(tcp, user_timeout_s=USER_TIMEOUT_S)
        if not self.address.is_tls:
            return self.wrap_stream(tcp)
        context = self.ssl_context or ssl.create_default_context()
        secure = trio.SSLStream(tcp, context, server_hostname=self.address.host, https_compatible=True)
        try:
            with trio.fail_after(TLS_S):
                await secure.do_handshake()
        except trio.TooSlowError:
            await trio.aclose_forcefully(tcp)
            raise _Failed(Status.LOST, f"{where}: no TLS handshake in {TLS_S:.0f} s") from None
        except (trio.BrokenResourceError, ssl.SSLError) as exc:
            await trio.aclose_forcefully(tcp)
            raise _Failed(Status.LOST, f"{where}: TLS failed: {exc.__cause__ or exc}") from None
        except BaseException:
            await trio.aclose_forcefully(tcp)
            raise
        return self.wrap_stream(secure)

    async def _open_link(self, transport: Transport) -> Connection:
        """Exchange hellos."""
        opened_at = trio.current_time() - UPGRADE_S  # the hub may have sent its hello as soon as we asked
        ours = await self.peer.hello()
        with suppress(TransportClosed):  # who refused us before it heard us has said why
            await transport.send(opening_message(ours))
        try:
            theirs = await receive_hello(transport)
            check_hello(theirs, role=self.hub_role, site=self.peer.site)
            self.credential.welcomed(theirs.nonce)
        except Refused as exc:
            await transport.aclose(exc.code, exc.words)
            raise
        except RemoteProtocolError as exc:
            await transport.aclose(exc.code, str(exc))
            raise
        return Connection(transport, self.peer, theirs, self.peer.attempt, opened_at)


@frozen
class _Failed(Exception):
    """An attempt that did not come to life."""

    status: Status
    words: str
    retry_after_s: float = 0.0


def _why_not_reached(where: str, exc: OSError) -> str:
    cause: BaseException = exc
    if _has_no_route(exc):
        return f"{NO_INTERNET}: the network that leads to {where} cannot be reached"
    while isinstance(under := cause.__cause__, OSError | BaseExceptionGroup):
        cause = (lone(under) or under.exceptions[0]) if isinstance(under, BaseExceptionGroup) else under
    if isinstance(cause, socket.gaierror):
        if cause.errno == socket.EAI_AGAIN:
            return f"{NO_INTERNET}: no name server answers ({cause.strerror})"
        return (
            f"the name of {where} is not known here (DNS: {cause.strerror}): is there an internet connection?"
        )
    if isinstance(cause, ConnectionRefusedError):
        return f"{where} refuses connections: the hub is not running there"
    return f"{where} is not reached: {cause}"


def _has_no_route(exc: BaseException) -> bool:
    """Did every address fail for want of any way there?"""
    if isinstance(exc, BaseExceptionGroup):
        return all(_has_no_route(part) for part in exc.exceptions)
    if isinstance(exc.__cause__, OSError | BaseExceptionGroup):
        return _has_no_route(exc.__cause__)
    return isinstance(exc, OSError) and exc.errno in (errno.ENETUNREACH, errno.ENETDOWN)


def _broken(exc: Exception, credential: Credential) -> str:
    """Say why an opening broke off. With TLS 1.3 a client certificate is judged only then, often without a word."""
    words = str(exc.__cause__ or exc)
    if isinstance(credential, CertificateCredential) and isinstance(
        exc, TransportClosed | trio.BrokenResourceError
    ):
        words += "; does the hub know the CA of this site's client certificate?"
    return words


def _refusal(exc: UpgradeRefused, address: HubAddress) -> _Failed:
    """Say what an HTTP answer instead of the upgrade means."""
    where = address.host_header
    body = exc.body.decode(errors="replace").strip().splitlines()
    words = body[0][:200] if body and not body[0].startswith("<") else ""
    match exc.status:
        case 401 | 403:
            return _Failed(Status.REFUSED, f"{where} does not let this site in. {words}".strip())
        case 200 | 301 | 302 | 303 | 307 | 308 | 511:
            return _Failed(
                Status.LOST,
                f"{where} answered with a web page (HTTP {exc.status}): a captive portal? Open a browser and log in",
            )
        case 404 | 426:
            return _Failed(
                Status.REFUSED, f"{where} is a web server, but not a pitlink hub (HTTP {exc.status})"
            )
        case _:
            after = exc.header(b"retry-after")
            retry_after_s = float(after) if after.isascii() and after.isdigit() and len(after) < 5 else 0.0
            return _Failed(Status.LOST, f"{where} answered HTTP {exc.status}. {words}".strip(), retry_after_s)
