"""One HTTP/1.1 connection, server side: h11 over a stream, with a deadline on every wait.

Why not h11 alone: its limit on an incomplete head does not bind when the head comes in one read, it knows no
clock, and a request that turns into a WebSocket has to be handed on as the bytes it came in.
"""

import re
from collections.abc import Iterable

import h11
import trio

from daemons.web.config import FrontConfig
from daemons.web.head import Head, HttpError, PeerGone
from daemons.web.streams import FrontStream

_READ_BYTES = 64 * 1024
_JOIN_BYTES = 64 * 1024
"""Up to this, what belongs together leaves in one write; past it, copying costs more than a system call."""

_DISCARD_BYTES = 64 * 1024
"""So much of a request body that nobody read is skipped to keep the connection; a longer one closes it."""

_OTHER_LINES = re.compile(rb"(?<!\r)\n|\r(?!\n)|\r\n[ \t]")
"""Line ends and folded lines that h11 lets pass and a proxy in front may read otherwise."""

_BODY_BYTES_PER_S_MIN = 4096
"""Past its allowance a request body must have come at this pace: a byte now and then holds nothing open."""


class HttpConnection:
    """Requests in, response events out. One task may read while another one writes."""

    def __init__(self, stream: FrontStream, config: FrontConfig) -> None:
        self.stream = stream
        self._config = config
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=config.header_bytes_max)
        self._raw = bytearray()
        self._requests = 0
        self._end_is_due = False
        self._body_bytes = 0
        self._body_by = 0.0
        self._idle: trio.CancelScope | None = None
        self.draining = False
        self.head_only = False

    def __repr__(self) -> str:
        return f"<HttpConnection {self._requests} requests, {self._h11.states}>"

    # --- reading --------------------------------------------------------------------------------------------

    async def read_head(self) -> Head | None:
        """Return the next request's head; None when the peer left, was idle too long, or we are draining.

        Raises HttpError for a head that is malformed (400), late (408) or too long (431).
        """
        # Everything since the request's first byte is kept until its head is complete, for `take_over`.
        self._raw = bytearray(self._h11.trailing_data[0])
        self.head_only = False
        if self._raw:
            await trio.lowlevel.checkpoint()  # who sends request upon request does not keep others waiting
        elif not await self._wait_for_first_byte():
            return None
        if (event := self._next_event()) is not h11.NEED_DATA:
            return self._head_of(event)  # as of nearly everybody: in one piece
        with trio.move_on_after(self._config.header_timeout_s):
            while (event := self._next_event()) is h11.NEED_DATA:
                if not await self._fill():
                    return None
            return self._head_of(event)
        raise HttpError(408, "the request head took too long")

    async def _wait_for_first_byte(self) -> bool:
        if self.draining:
            return False
        wait_s = self._config.idle_timeout_s if self._requests else self._config.header_timeout_s
        with trio.move_on_after(wait_s) as self._idle:
            try:
                return await self._fill()
            finally:
                self._idle = None
        return False

    def _head_of(self, event: object) -> Head:
        if not isinstance(event, h11.Request):
            raise HttpError(400, "expected a request")
        self.head_only = event.method == b"HEAD"
        head_bytes = len(self._raw) - len(self._h11.trailing_data[0])
        if head_bytes > self._config.header_bytes_max:
            raise HttpError(431, "the request head is too long")
        if _OTHER_LINES.search(self._raw, 0, head_bytes):
            raise HttpError(400, "lines end with CR LF and are not folded")
        head = Head(
            event.method.decode("ascii"),
            event.target.decode("ascii"),
            tuple((bytes(name), bytes(value)) for name, value in event.headers),
            event.http_version.decode("ascii"),
        )
        self._requests += 1
        self._body_bytes = 0
        self._body_by = trio.current_time() + self._config.body_allowance_s
        if head.version not in ("1.0", "1.1"):
            raise HttpError(505, "this version of HTTP is not spoken here")
        if head.header("transfer-encoding") is not None and head.version != "1.1":
            raise HttpError(400, "Transfer-Encoding is of HTTP/1.1")
        if head.header("transfer-encoding") is not None and head.header("content-length") is not None:
            # The two framings of a smuggled request: a proxy in front may have believed the other one.
            raise HttpError(400, "both Content-Length and Transfer-Encoding")
        length = head.header("content-length")
        if length is not None and int(length) > self._config.body_bytes_max:
            raise HttpError(413, f"a body may have {self._config.body_bytes_max} bytes")
        self._end_is_due = not head.has_body
        return head

    def end_request(self) -> None:
        """Take note that a request without a body is complete, so that what follows counts as the next one's.

        Not needed before `forget_request`; twice is once.
        """
        if self._end_is_due:
            self._end_is_due = False
            self._next_event()

    async def read_body(self) -> bytes:
        """Return the next piece of the body, b"" at its end. Safe to cancel.

        Raises HttpError for a body that is malformed (400), late (408) or too long (413); PeerGone when torn.
        """
        while True:
            event = self._next_event()
            if isinstance(event, h11.Data):
                self._body_bytes += len(event.data)
                if self._body_bytes > self._config.body_bytes_max:
                    raise HttpError(413, f"a body may have {self._config.body_bytes_max} bytes")
                if event.data:
                    return bytes(event.data)
            elif event is h11.NEED_DATA:
                await self._fill_body()
            else:
                return b""

    async def _fill_body(self) -> None:
        silent_by = trio.current_time() + self._config.body_timeout_s
        with trio.move_on_at(min(silent_by, self._body_by + self._body_bytes / _BODY_BYTES_PER_S_MIN)):
            if self._h11.they_are_waiting_for_100_continue:
                await self.write(h11.InformationalResponse(status_code=100, headers=[], reason="Continue"))
            if not await self._fill():
                raise PeerGone("the connection ended inside a body")
            return
        raise HttpError(408, "the request body took too long")

    async def watch(self) -> None:
        """Return when the peer is gone. What arrives meanwhile is kept for the next request. Safe to cancel.

        Reading stops at the longest head: a peer that sends more behind an unanswered request is noticed by
        writing.
        """
        while len(self._h11.trailing_data[0]) < self._config.header_bytes_max:
            try:
                if not await self._fill():
                    return
            except PeerGone:
                return
        await trio.sleep_forever()

    async def _fill(self) -> bool:
        try:
            data = await self.stream.receive_some(_READ_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise PeerGone("the connection broke") from exc
        if not data:
            return False
        if self._h11.their_state is h11.IDLE:
            self._raw += data
        self._h11.receive_data(bytes(data))
        return True

    def _next_event(self) -> object:
        try:
            return self._h11.next_event()
        except h11.RemoteProtocolError as exc:
            raise HttpError(exc.error_status_hint, str(exc)) from exc

    # --- writing --------------------------------------------------------------------------------------------

    @property
    def can_answer(self) -> bool:
        """Whether no response has been begun for the current request."""
        return self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE)

    @property
    def answered(self) -> bool:
        """Whether the response is complete."""
        return self._h11.our_state in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED)

    @property
    def unread(self) -> bool:
        """Whether the peer may still be sending what nobody will read."""
        return self._h11.their_state in (h11.SEND_BODY, h11.ERROR)

    async def write(self, *events: h11.Event) -> None:
        """Send response events in one write. Raise PeerGone when the peer is gone or too slow.

        Raises h11.LocalProtocolError when the events make no valid response: a mistake of the caller.
        """
        pieces: list[bytes] = []
        for event in events:
            pieces += self._h11.send_with_data_passthrough(event) or ()
        await self.write_raw(pieces)

    async def write_raw(self, pieces: Iterable[bytes]) -> None:
        """Send bytes that are a part of a response already."""
        pieces = list(pieces)
        if sum(map(len, pieces)) <= _JOIN_BYTES:
            pieces = [b"".join(pieces)]
        try:
            for piece in pieces:
                if piece:
                    await self.stream.send_all(piece)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise PeerGone(str(exc) or "the connection broke") from exc

    # --- between requests -----------------------------------------------------------------------------------

    async def next_request(self) -> bool:
        """Make ready for another request; False when the connection must be closed instead.

        Raises HttpError or PeerGone when what is left of the request's body is bad or does not come.
        """
        if self.draining or self._h11.our_state is not h11.DONE:
            return False
        skipped = 0
        while self._h11.their_state is h11.SEND_BODY:
            if self._h11.they_are_waiting_for_100_continue or skipped > _DISCARD_BYTES:
                return False
            skipped += len(await self.read_body())
        if self._h11.their_state is not h11.DONE:
            return False
        self._h11.start_next_cycle()
        return True

    def forget_request(self) -> None:
        """Start afresh behind a complete request that was answered by `write_raw` alone."""
        self._end_is_due = False
        rest, _ = self._h11.trailing_data
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=self._config.header_bytes_max)
        if rest:  # to h11, no bytes mean the end
            self._h11.receive_data(rest)

    def take_over(self) -> FrontStream:
        """Return the stream, wound back to the first byte of the current request's head."""
        self.stream.replay(bytes(self._raw))
        return self.stream

    def drain(self) -> None:
        """Answer what is being answered with `Connection: close`; end an idle connection now."""
        self.draining = True
        if self._idle is not None:
            self._idle.cancel(reason="draining")
