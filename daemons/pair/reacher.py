"""A hub that dials a site: the stream goes to the hub's own front, as if the site had come. See `daemons.link.reach`."""

import ssl
from collections.abc import Callable

import structlog
import trio
from attrs import define, field

from daemons.link import reach
from daemons.link.address import REACH_PATH, HubAddress
from daemons.link.peer import Peer
from daemons.link.transport import tune_socket
from daemons.web.front import Front
from protocol.backoff import Backoff
from protocol.linkstatus import Status

__all__ = ["Reacher"]

_log = structlog.stdlib.get_logger("pitlink.pair")

TCP_S = 4.0
TLS_S = 10.0
ANSWER_S = 10.0
HEAD_BYTES_MAX = 16 * 1024
USER_TIMEOUT_S = 20.0
LOOK_S = 5.0
"""A link that the site has made itself is left alone, and looked at so often."""


class _Failed(Exception):
    """A try that came to nothing, in words. `status`: decides when the next one is."""

    def __init__(self, words: str, status: Status = Status.LOST) -> None:
        super().__init__(words)
        self.status = status


@define(eq=False)
class Reacher:
    """Reaches one site, again and again. `words` say how that stands. `front()`: None while nothing is served."""

    peer: Peer
    address: HubAddress
    secret: str = field(repr=False)
    front: Callable[[], Front | None]
    ssl_context: ssl.SSLContext | None = None
    words: str = field(default="not reached yet", init=False)

    async def run(self) -> None:
        """Reach the site whenever it is not connected. Never returns."""
        backoff = Backoff()
        self.peer.on_up.append(lambda: backoff.succeeded(trio.current_time()))
        while True:
            if self.peer.connection is not None:
                await trio.sleep(LOOK_S)
                continue
            failure = await self._once()
            now = trio.current_time()
            backoff.failed(now, failure.status)
            delay_s = backoff.next_delay(now, self.peer.environment.rand())
            self.words = f"{failure}; next attempt in {delay_s:.1f} s"
            _log.info("site.not_reached", site=self.peer.site, words=self.words)
            await trio.sleep(delay_s)

    async def _once(self) -> _Failed:
        """Reach the site and serve the stream to its end; say why it is over."""
        where = self.address.host_header
        try:
            stream, rest = await self._reach()
        except _Failed as exc:
            return exc
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError) as exc:
            return _Failed(f"{where} is not reached: {exc.__cause__ or exc}")
        except trio.TooSlowError:
            return _Failed(f"{where} does not answer")
        front = self.front()
        if front is None:
            await trio.aclose_forcefully(stream)
            return _Failed("nothing is served here yet")
        self.words = f"reached at {where}"
        await front.adopt(stream, (self.address.host, self.address.port), rest)
        return _Failed(f"the stream to {where} is over")

    async def _reach(self) -> tuple[trio.abc.Stream, bytes]:
        """Return a stream that the site lives on, and what came on it already."""
        asked = await self._ask("")
        if isinstance(asked, str):
            challenge = reach.challenge_of(asked)
            if challenge is None:
                raise _Failed(f"{self.address.host_header} is no site that can be reached", Status.REFUSED)
            nonce, site = challenge
            if site != self.peer.site:
                raise _Failed(
                    f"{self.address.host_header} is site {site!r}, not {self.peer.site!r}", Status.REFUSED
                )
            proof = reach.prove(self.secret, site, nonce)
            asked = await self._ask(f'{reach.SCHEME} nonce="{nonce}", proof="{proof}"')
        if isinstance(asked, str):
            raise _Failed(f"{self.address.host_header} does not know this secret", Status.REFUSED)
        return asked

    async def _ask(self, authorization: str) -> tuple[trio.abc.Stream, bytes] | str:
        """Ask once: return the stream and what came behind the answer, or what a 401 wants."""
        stream = await self._open()
        try:
            lines = [
                f"GET {REACH_PATH} HTTP/1.1",
                f"Host: {self.address.host_header}",
                f"Upgrade: {reach.UPGRADE}",
                "Connection: Upgrade",
                *([f"Authorization: {authorization}"] if authorization else []),
            ]
            with trio.fail_after(ANSWER_S):
                await stream.send_all(("\r\n".join(lines) + "\r\n\r\n").encode())
                status, headers, rest = await _answer(stream)
            if status == 101:
                return stream, rest
            if status != 401:
                raise _Failed(f"{self.address.host_header} answered HTTP {status}")
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        await trio.aclose_forcefully(stream)
        return headers.get("www-authenticate", "")

    async def _open(self) -> trio.abc.Stream:
        with trio.fail_after(TCP_S):
            tcp = await trio.open_tcp_stream(self.address.host, self.address.port)
        tune_socket(tcp, user_timeout_s=USER_TIMEOUT_S)
        if not self.address.is_tls:
            return tcp
        context = self.ssl_context or ssl.create_default_context()
        secure = trio.SSLStream(tcp, context, server_hostname=self.address.host, https_compatible=True)
        try:
            with trio.fail_after(TLS_S):
                await secure.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(tcp)
            raise
        return secure


async def _answer(stream: trio.abc.Stream) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers by name in lower case, and what came behind the head."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = await stream.receive_some()
        if not piece or len(data) > HEAD_BYTES_MAX:
            raise _Failed("the answer is none of HTTP")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split()
    if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdigit():
        raise _Failed("the answer is none of HTTP")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    return int(parts[1]), headers, rest
