"""HTTP as http.sys speaks it: requests taken apart with h11, answers put together by hand.

By hand, because h11 rightly refuses to write what the real server writes: a body after a HEAD, no
Content-Type.
"""

from email.utils import formatdate

import attrs
import h11
import trio

__all__ = ["Incoming", "Request", "bad_request", "render_head"]

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found"}
_ERROR_PAGE = """\
<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN""http://www.w3.org/TR/html4/strict.dtd">\r
<HTML><HEAD><TITLE>Bad Request</TITLE>\r
<META HTTP-EQUIV="Content-Type" Content="text/html; charset=us-ascii"></HEAD>\r
<BODY><h2>Bad Request - {title}</h2>\r
<hr><p>HTTP Error 400. {sentence}</p>\r
</BODY></HTML>\r
"""


@attrs.frozen
class Request:
    """A request that has arrived whole. Header names in lower case; of a name sent twice the last."""

    method: str
    target: str
    headers: dict[str, str]
    keep_alive: bool


class Incoming:
    """The requests that come over one connection. One task at a time may wait."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def more(self) -> bool:
        """Wait for bytes and keep them; False at the end of the stream. Cancelling loses nothing.

        Raises trio.BrokenResourceError when the connection was reset.
        """
        data = await self._stream.receive_some()
        self._buffer += data
        return bool(data)

    async def request(self) -> Request | None:
        """Wait for the next request; None when the client closed the connection.

        Raises h11.RemoteProtocolError for what is no HTTP, trio.BrokenResourceError when the connection was
        reset. Cancelling loses nothing.
        """
        while True:
            request = self._take()
            if request is not None:
                return request
            if not await self.more():
                return None

    def _take(self) -> Request | None:
        parser = h11.Connection(h11.SERVER)
        parser.receive_data(bytes(self._buffer))
        head: h11.Request | None = None
        while True:
            event = parser.next_event()
            if isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.EndOfMessage):
                break
            elif not isinstance(event, h11.Data):
                return None
        assert head is not None
        self._buffer[:] = parser.trailing_data[0]
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
        stays = head.http_version == b"1.1" and "close" not in headers.get("connection", "").lower()
        return Request(head.method.decode("ascii"), head.target.decode("ascii"), headers, stays)


def render_head(
    status: int, body_bytes: int, utc_s: float, headers: list[tuple[str, str]], *, keep_alive: bool
) -> bytes:
    """Return an answer's head, up to and with the empty line."""
    lines = [f"HTTP/1.1 {status} {_REASONS[status]}", f"Content-Length: {body_bytes}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += ["Server: Microsoft-HTTPAPI/2.0", f"Date: {formatdate(utc_s, usegmt=True)}"]
    if not keep_alive:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def bad_request(utc_s: float, *, hostname: bool) -> bytes:
    """Return the whole 400 of http.sys: for a Host it does not serve, or for what is no HTTP."""
    title, sentence = (
        ("Invalid Hostname", "The request hostname is invalid.")
        if hostname
        else ("Invalid Verb", "The request verb is invalid.")
    )
    body = _ERROR_PAGE.format(title=title, sentence=sentence).encode("ascii")
    headers = [("Content-Type", "text/html; charset=us-ascii")]
    return render_head(400, len(body), utc_s, headers, keep_alive=False) + body
