"""A connection's stream as the front hands it on: writes with a deadline, reads that can begin with a
replay.
"""

import os

import trio

PIECE_BYTES = 32 * 1024
"""The deadline is for this much: who reads a long body slowly is healthy while each piece gets there in
time.
"""


_READ_BYTES = 64 * 1024
_YIELD_EVERY = 16
"""After so many writes that did not have to wait, others have their turn."""


class FrontStream(trio.abc.Stream):
    """Wrap `inner` so that one `send_all` can neither hang nor leave half a message on an open connection.

    A peer that does not take 32 KiB within `write_timeout_s` is given up: the stream is closed by force and
    `trio.BrokenResourceError` raised. The same closing follows any interrupted `send_all`, cancelled ones
    among them.
    """

    def __init__(self, inner: trio.abc.Stream, write_timeout_s: float) -> None:
        self.inner = inner
        self._write_timeout_s = write_timeout_s
        self._replay = b""
        self._torn = False
        self._is_plain = isinstance(inner, trio.SocketStream) and os.name == "posix"
        # A simulated socket has no file that could be read.
        self._is_file = self._is_plain and hasattr(getattr(inner, "socket", None), "_sock")
        self._is_sending = False
        self._at_once = 0
        self.timed_out = False
        self.bytes_moved = 0
        """What was read and written so far; below TLS, so without its overhead."""

    def replay(self, data: bytes) -> None:
        """Let the next reads return `data` (bytes that were read already) before anything new."""
        self._replay = data + self._replay

    def send_nowait(self, data: bytes | memoryview) -> int:
        """Write what the kernel takes at once; return how many bytes that is, 0 when nothing can be written this way.

        What is wrong, `send_all` of the rest will tell. Not through TLS, nor while another task sends.
        """
        if not self._is_plain or self._torn or self._is_sending:
            return 0
        assert isinstance(self.inner, trio.SocketStream)
        try:
            sent = os.write(self.inner.socket.fileno(), data)
        except OSError:  # no room, closed, or broken
            return 0
        self.bytes_moved += sent
        return sent

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data`. Raise BrokenResourceError when the peer takes too long or is gone.

        What the kernel takes at once needs no deadline, and mostly that is all.
        """
        if self._torn:
            await trio.lowlevel.checkpoint()
            raise trio.BrokenResourceError("an earlier write was torn")
        view = memoryview(data)
        was_sending = self._is_sending
        try:
            if self._is_plain and not was_sending and len(view) <= PIECE_BYTES:
                self._at_once = (self._at_once + 1) % _YIELD_EVERY
                if self._at_once:
                    await trio.lowlevel.checkpoint_if_cancelled()
                else:
                    await trio.lowlevel.checkpoint()
                view = view[self.send_nowait(view) :]
                if not view:
                    return
            self._is_sending = True
            for start in range(0, max(len(view), 1), PIECE_BYTES):
                with trio.move_on_after(self._write_timeout_s) as scope:
                    await self.inner.send_all(view[start : start + PIECE_BYTES])
                if scope.cancelled_caught:
                    self.timed_out = True
                    raise trio.BrokenResourceError(
                        f"the peer took less than {PIECE_BYTES} bytes in {self._write_timeout_s} s"
                    )
                self.bytes_moved += min(PIECE_BYTES, len(view) - start)
        except trio.BusyResourceError:  # another task's send is under way; this one wrote nothing
            raise
        except trio.ClosedResourceError:
            raise
        except BaseException:
            self._torn = True
            await trio.aclose_forcefully(self.inner)
            raise
        finally:
            self._is_sending = was_sending

    async def wait_send_all_might_not_block(self) -> None:
        """Wait for room. Has no deadline: nothing is half written while one waits."""
        await self.inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Return what is replayed, then what arrives. Safe to cancel."""
        if not self._replay:
            data = await (self._read(max_bytes) if self._is_file else self.inner.receive_some(max_bytes))
            self.bytes_moved += len(data)
            return data
        if max_bytes is not None and max_bytes < 1:
            raise ValueError("max_bytes must be at least 1")
        await trio.lowlevel.checkpoint()
        taken = len(self._replay) if max_bytes is None else max_bytes
        again, self._replay = self._replay[:taken], self._replay[taken:]
        return again

    async def _read(self, max_bytes: int | None) -> bytes:
        """The same as the stream below, in half of the steps: every request of every phone comes this way."""
        assert isinstance(self.inner, trio.SocketStream)
        sock = self.inner.socket
        if max_bytes is not None and max_bytes < 1:
            raise ValueError("max_bytes must be at least 1")
        if sock.fileno() < 0:
            await trio.lowlevel.checkpoint()
            raise trio.ClosedResourceError("this stream was closed")
        while True:
            await trio.lowlevel.wait_readable(sock.fileno())
            try:
                return os.read(sock.fileno(), max_bytes or _READ_BYTES)
            except BlockingIOError:
                continue
            except OSError as exc:
                raise trio.BrokenResourceError(str(exc)) from exc

    async def aclose(self) -> None:
        """Close the stream below."""
        self._torn = False  # from here on it is closed, not broken
        await self.inner.aclose()

    async def linger(self, linger_s: float, max_bytes: int) -> None:
        """Send EOF, then read and drop until the peer ends too: at most `linger_s` and `max_bytes`.

        Closing a socket with unread input makes the kernel send a reset, which can overtake the answer just
        written.
        """
        with trio.move_on_after(linger_s):
            try:
                if isinstance(self.inner, trio.abc.HalfCloseableStream):
                    await self.inner.send_eof()
                while max_bytes > 0 and (data := await self.receive_some()):
                    max_bytes -= len(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
