"""The value of the Date header of ready answers."""

from collections.abc import Callable
from email.utils import formatdate

__all__ = ["HttpDate"]


class HttpDate:
    """The value now, made once a second. `utc_now` returns seconds since 1970."""

    def __init__(self, utc_now: Callable[[], float]) -> None:
        self._utc_now = utc_now
        self._second = -1
        self._text = b""

    def text(self) -> bytes:
        second = int(self._utc_now())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True).encode("ascii")
        return self._text
