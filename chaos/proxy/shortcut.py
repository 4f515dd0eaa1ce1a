"""From socket to socket through a pipe of the kernel's: much at a time, and nothing of it is copied on the way.

One for all, for it is empty whenever nobody is in `carry`.
"""

import contextlib
import os

from attrs import frozen

SHORTCUT_BYTES = 1024 * 1024
"""So much may a pipe hold that nobody of rank has asked for."""


class SinkError(OSError):
    """The sink failed; what was taken for it is gone."""


@frozen
class Carried:
    taken: int
    sent: int
    rest: bytes
    """What was taken and not sent, because the sink is full."""


class Shortcut:
    """Linux only."""

    def __init__(self) -> None:
        import fcntl  # which not every system has

        self._flags = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
        self._out, self._in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # then it holds less
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, SHORTCUT_BYTES)

    def carry(self, source: int, sink: int) -> Carried:
        """Carry what the source has, nothing at its end. Raises BlockingIOError when it has none, OSError when it
        failed, and SinkError."""
        taken = left = os.splice(source, self._in, SHORTCUT_BYTES, flags=self._flags)
        try:
            while left:
                left -= os.splice(self._out, sink, left, flags=self._flags)
        except BlockingIOError:
            return Carried(taken, taken - left, self._empty(left))
        except OSError as exc:
            self._empty(left)
            raise SinkError(exc.errno, exc.strerror) from exc
        return Carried(taken, taken, b"")

    def close(self) -> None:
        os.close(self._out)
        os.close(self._in)

    def _empty(self, count: int) -> bytes:
        rest = b""
        while len(rest) < count:
            rest += os.read(self._out, count - len(rest))
        return rest
