"""The relay's WebSocket for programs on the driver's PC: who may come in, and what is told them how often."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import structlog
import trio
from attrs import define, field

from daemons.link.textsocket import TextSocket, server_text_socket
from daemons.link.transport import TransportClosed
from daemons.ops.authority.identity import Identity
from daemons.telemetry.local.nearness import why_not
from daemons.telemetry.local.session import CloseAs, Closed, LocalSession, message
from daemons.web.front import FrontStream, reject
from daemons.web.head import Head
from protocol.errors import RemoteProtocolError

__all__ = ["LocalDoor"]

_log = structlog.stdlib.get_logger("pitlink.relay")

CLIENTS_MAX = 16
PROVE_S = 10.0
"""From the welcome to "authenticate"."""
WRITE_S = 5.0
"""Who does not take a message for so long is let go; what comes meanwhile it never gets: only the newest counts."""

Current = Callable[[], tuple[int, Mapping[str, Any]] | None]
"""The newest of the car: a number that changes with it, and the data of "telemetry_update". None: nothing is captured."""


@define(eq=False)
class LocalDoor:
    """Answers upgrades. `hz`: how often a client is told at most; `server`: names this start of the relay; `origins`: of
    pages of others that may ask."""

    current: Current
    identify: Callable[[str], Identity]
    utc_now: Callable[[], float]
    server: str
    hz: float = 20.0
    origins: Collection[str] = ()
    open: int = field(default=0, init=False)
    told: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)

    async def answer(self, stream: FrontStream, head: Head, address: str) -> None:
        """Serve one client to its end; tell others why not, in words."""
        if words := why_not(head, self.origins):
            await self._turn_away(stream, 403, words)
            return
        if self.open >= CLIENTS_MAX:
            await self._turn_away(stream, 503, f"{CLIENTS_MAX} programs are told already")
            return
        self.open += 1
        try:
            async with server_text_socket(stream) as socket:
                await self._serve(socket)
        except* TransportClosed as group:  # from within `_serve` it comes in a group
            _log.debug("local.closed", words=str(group.exceptions[0]))
        finally:
            self.open -= 1

    async def _turn_away(self, stream: FrontStream, status: int, words: str) -> None:
        self.refused += 1
        _log.warning("local.refused", words=words)
        await reject(stream, status, [(b"content-type", b"text/plain; charset=utf-8")], words.encode())

    async def _serve(self, socket: TextSocket) -> None:
        session = LocalSession(self.server, self.identify)
        try:
            await socket.send(session.welcome(self.utc_now()))
            with trio.move_on_after(PROVE_S):
                while session.client is None:
                    if answer := session.take(await socket.receive()):
                        await socket.send(answer)
            if session.client is None:
                raise Closed(CloseAs.POLICY, f'no "authenticate" within {PROVE_S:g} s')
            _log.info("local.opened", name=session.client.identity.name, client=session.client.kind)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._listen, socket, session, nursery.cancel_scope)
                await self._tell(socket)
        except* Closed as group:
            await self._send_away(socket, group)
        except* RemoteProtocolError as group:
            await socket.aclose(CloseAs.UNSUPPORTED, str(group.exceptions[0]))

    async def _send_away(self, socket: TextSocket, group: ExceptionGroup[Closed]) -> None:
        closed = group.exceptions[0]
        assert isinstance(closed, Closed)
        self.refused += 1
        _log.warning("local.sent_away", code=int(closed.code), words=closed.words)
        if closed.code is CloseAs.UNAUTHORISED:
            with trio.move_on_after(WRITE_S):
                await socket.send(LocalSession.refusal())
        await socket.aclose(closed.code, closed.words)

    async def _listen(self, socket: TextSocket, session: LocalSession, scope: trio.CancelScope) -> None:
        """Read what the client says, and its goodbye: unread messages would hold up the library's own."""
        try:
            while True:
                session.take(await socket.receive())
        except TransportClosed:
            scope.cancel(reason="the client has left")

    async def _tell(self, socket: TextSocket) -> None:
        """Tell the newest whenever it is another one, `hz` times a second at most."""
        before = -1
        due = trio.current_time()
        while True:
            await trio.sleep_until(due)
            due = max(due + 1.0 / self.hz, trio.current_time())
            if (newest := self.current()) is None or newest[0] == before:
                continue
            before = newest[0]
            with trio.move_on_after(WRITE_S) as writing:
                await socket.send(message("telemetry_update", newest[1]))
            if writing.cancelled_caught:
                return  # the socket is closed already: half a message is on it
            self.told += 1
