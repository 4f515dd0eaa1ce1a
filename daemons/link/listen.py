"""The hub's end: from an authenticated upgrade to a running connection, one owner a site.

Same instance with a higher attempt supersedes its old connection at once. Another instance: the old connection is
probed for 2 s; if it answers, the newcomer is refused and told who holds the site; if not, it is superseded. Before
the new hello is answered the old connection is ended and joined, so that its late frames have no effect. Nobody is
kicked back and forth.
"""

from collections.abc import Callable, Mapping

import structlog
import trio
from attrs import define, evolve, field

from daemons.link.connection import Connection, ConnectionEnded
from daemons.link.hazards import StreamWrapper
from daemons.link.opening import Refused, check_hello, opening_message, receive_hello
from daemons.link.peer import Peer
from daemons.link.registry import Owner, SiteRegistry
from daemons.link.transport import Transport, TransportClosed, server_transport, tune_socket
from daemons.ops.trace import bind, connection_id
from daemons.store import StorageError
from protocol.errors import CloseCode, RemoteProtocolError
from protocol.frames import Hello, Refuse
from protocol.software import is_older

_log = structlog.stdlib.get_logger("pitlink.link")

PROBE_S = 2.0
OPENING_S = 10.0
"""From the end of the upgrade's head to the site's hello."""

DUPLICATE_RETRY_S = 30.0
USER_TIMEOUT_S = 20.0

WhyNot = Callable[[], str | None]
"""Says in words why a site that was let in is out now; None while it is in. Must not block."""


@define(eq=False)
class _Holder:
    """The connection that holds a site, and when it is over."""

    connection: Connection
    instance: bytes
    attempt: int
    address: str
    why_not: WhyNot
    over: trio.Event = field(factory=trio.Event, init=False)


@define(eq=False)
class SiteListener:
    """Accepts the connections of one site, one at a time.

    `minimum`: the oldest version that is let in, "" for any; `next_nonce`: what a hello carries for the next upgrade;
    `wrap_stream`: where faults are put in.
    """

    peer: Peer
    registry: SiteRegistry
    node: str = "hub"
    site_role: str = "pits"
    minimum: Callable[[], str] = lambda: ""
    next_nonce: Callable[[], str] = lambda: ""
    wrap_stream: StreamWrapper = lambda stream: stream
    _lock: trio.Lock = field(factory=trio.Lock, init=False)
    _holder: _Holder | None = field(default=None, init=False)
    _draining: bool = field(default=False, init=False)

    async def serve(
        self,
        stream: trio.abc.Stream,
        headers: Mapping[bytes, bytes],
        address: str,
        why_not: WhyNot = lambda: None,
    ) -> None:
        """Take an upgrade whose head waits on `stream` (already authenticated as this site) to its end.

        Never raises but for cancellation: what goes wrong is logged and told to the peer.
        """
        tune_socket(stream, user_timeout_s=USER_TIMEOUT_S)
        instance, attempt = _identity(headers)
        bind(site=self.peer.site, connection=connection_id(instance, attempt))
        log = _log.bind(site=self.peer.site, address=address)
        try:
            async with server_transport(self.wrap_stream(stream)) as transport:
                holder = None
                with trio.move_on_after(OPENING_S) as opening:
                    async with self._lock:
                        holder, generation = await self._open(transport, _identity(headers), address, why_not)
                if holder is None:
                    log.warning(
                        "connection.opening_timeout", seconds=OPENING_S, timed_out=opening.cancelled_caught
                    )
                    return
                self.recheck()  # what has changed while it was opened
                log.info("connection.opened", instance=holder.instance.hex()[:8], attempt=holder.attempt)
                ended = await self._live(holder, generation)
                self.peer.figures.closed(ended.code)
                log.info("connection.ended", code=ended.code, words=ended.words, ours=ended.ours)
        except Refused as exc:
            log.warning("connection.refused", code=exc.code, words=exc.words)
        except (TransportClosed, RemoteProtocolError, StorageError, trio.BrokenResourceError) as exc:
            log.info("connection.failed", words=str(exc))

    def recheck(self) -> None:
        """End the live connection if its site is out now. To be called whenever the hub's authority has changed."""
        holder = self._holder
        if holder is None or holder.over.is_set():
            return
        words = holder.why_not()
        if words is not None:
            _log.warning("site.put_out", site=self.peer.site, address=holder.address, words=words)
            holder.connection.end(CloseCode.UNAUTHORISED, words)

    async def _open(
        self, transport: Transport, identity: tuple[bytes, int], address: str, why_not: WhyNot
    ) -> tuple[_Holder, int]:
        """Make this the site's connection. Raise Refused, having told the peer."""
        instance, attempt = identity
        opened_at = trio.current_time()
        try:
            await self._make_room(instance, attempt)
            generation = await self._claim(Owner(self.node, instance, attempt, address))
            theirs = await self._exchange(transport)
            if (theirs.instance, theirs.attempt) != identity:
                raise RemoteProtocolError("the hello is of another process or attempt than the upgrade")
        except Refused as exc:
            refusal = Refuse(exc.code, exc.words, int(exc.retry_after_s * 1000))
            await transport.send(opening_message(refusal))
            await transport.aclose(exc.code, exc.words)
            raise
        except RemoteProtocolError as exc:
            await transport.aclose(exc.code, str(exc))
            raise
        self._holder = _Holder(
            Connection(transport, self.peer, theirs, generation, opened_at),
            instance,
            attempt,
            address,
            why_not,
        )
        return self._holder, generation

    async def _exchange(self, transport: Transport) -> Hello:
        """Exchange hellos and return theirs. Where a version is asked for, theirs comes first: so it costs a round trip."""
        minimum = self.minimum()
        theirs = await receive_hello(transport) if minimum else None
        if theirs is not None and is_older(theirs.software, minimum):
            raise Refused(
                CloseCode.INCOMPATIBLE,
                f"this hub wants {minimum} or newer here, and this is {theirs.software[:64]!r}: update it",
            )
        await transport.send(opening_message(evolve(await self.peer.hello(), nonce=self.next_nonce())))
        theirs = theirs or await receive_hello(transport)
        check_hello(theirs, role=self.site_role, site=self.peer.site)
        return theirs

    async def _make_room(self, instance: bytes, attempt: int) -> None:
        """End the connection that holds the site, and wait until it is over; or raise Refused for the newcomer."""
        if self._draining:
            raise Refused(CloseCode.GOING_AWAY, "the hub is stopping", retry_after_s=1.0)
        holder = self._holder
        if holder is None or holder.over.is_set():
            return
        if holder.instance == instance:
            if attempt <= holder.attempt:
                raise Refused(CloseCode.SUPERSEDED, "a newer connection of this process is open")
        else:
            with trio.move_on_after(PROBE_S):
                if await holder.connection.probe():
                    raise Refused(
                        CloseCode.DUPLICATE_SITE,
                        f"site {self.peer.site!r} is held by another process ({holder.instance.hex()[:8]} at "
                        f"{holder.address}); stop one of them, or give it a name of its own",
                        retry_after_s=DUPLICATE_RETRY_S,
                    )
        # The same process knows that it dialled anew: the old path is most likely dead, and nobody waits for it.
        goodbye = holder.instance != instance
        holder.connection.end(CloseCode.SUPERSEDED, "superseded by a newer connection", goodbye=goodbye)
        await holder.over.wait()

    async def _claim(self, owner: Owner) -> int:
        before = await self.registry.get(self.peer.site)
        generation = await self.registry.claim(self.peer.site, before.generation, owner)
        if generation is None:
            raise Refused(
                CloseCode.SUPERSEDED, "another node of the hub took this site at the same moment", 1.0
            )
        return generation

    async def _live(self, holder: _Holder, generation: int) -> ConnectionEnded:
        try:
            return await holder.connection.run()
        finally:
            holder.over.set()
            with trio.move_on_after(1, shield=True):
                await self.registry.release(self.peer.site, generation)

    async def drain(self) -> None:
        """Tell the connected site when to come back, and refuse others until then."""
        self._draining = True
        if self._holder is not None and not self._holder.over.is_set():
            self._holder.connection.end(CloseCode.GOING_AWAY, "the hub is stopping", retry_after_s=1.0)
            await self._holder.over.wait()

    def undrain(self) -> None:
        """Let the site in again."""
        self._draining = False


def _identity(headers: Mapping[bytes, bytes]) -> tuple[bytes, int]:
    """Return (instance, attempt) from the upgrade's headers; what is malformed counts as a new instance."""
    try:
        return bytes.fromhex(headers[b"pitlink-instance"].decode("ascii")), int(headers[b"pitlink-attempt"])
    except (KeyError, ValueError, UnicodeDecodeError):
        return b"", 0
