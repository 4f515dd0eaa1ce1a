"""Byte credit for bodies and streams: granted by the receiver from what it has consumed.

Credit means consumed; `received` means arrived: another thing. A body nobody reads stops after its credit and
holds up nobody else, because the shared reader is never paused for one of them. Positions are cumulative
bytes of the encoded body, so a grant that comes twice or late does no harm.
"""

from protocol.errors import CloseCode, RemoteProtocolError

__all__ = ["CreditGranter", "CreditWindow"]


class CreditWindow:
    """The sender's side: how far a body may be sent. Starts at the peer's `initial_credit_bytes`."""

    def __init__(self, initial_bytes: int, start: int = 0) -> None:
        self.upto = start + initial_bytes
        self.offset = start

    def __repr__(self) -> str:
        return f"<CreditWindow {self.offset} of {self.upto}>"

    @property
    def available_bytes(self) -> int:
        """How much may be sent now."""
        return self.upto - self.offset

    def spend(self, n_bytes: int) -> None:
        """Note that the next `n_bytes` go out. Raises ValueError past the credit."""
        if n_bytes > self.available_bytes:
            raise ValueError(f"{n_bytes} B with a credit of {self.available_bytes} B")
        self.offset += n_bytes

    def granted(self, upto: int) -> bool:
        """Take a `credit` frame; return whether a sender that had none left may go on."""
        was_empty = self.available_bytes == 0
        self.upto = max(self.upto, upto)
        return was_empty and self.available_bytes > 0


class CreditGranter:
    """The receiver's side: what one body may still send, so that at most `window_bytes` of it lie unconsumed.

    The first window is what the hello promised (`initial_bytes`); it opens to `window_bytes` with the first
    bytes consumed. The window also bounds the rate on a long path: 1 MiB carries 14 Mbit/s at 600 ms.
    """

    def __init__(self, initial_bytes: int, window_bytes: int, start: int = 0) -> None:
        self._window_bytes = max(initial_bytes, window_bytes)
        self._upto = start + initial_bytes
        self._arrived = self._consumed = start

    def __repr__(self) -> str:
        return f"<CreditGranter {self._consumed} consumed, {self._arrived} arrived, {self._upto} granted>"

    @property
    def unconsumed_bytes(self) -> int:
        """What has arrived and waits for its reader."""
        return self._arrived - self._consumed

    def arrived(self, n_bytes: int) -> None:
        """Note bytes of the body. Raises RemoteProtocolError when the peer sent more than it was granted."""
        self._arrived += n_bytes
        if self._arrived > self._upto:
            raise RemoteProtocolError(
                f"body at {self._arrived} B with a credit of {self._upto} B", CloseCode.TOO_LARGE
            )

    def consumed(self, n_bytes: int) -> int | None:
        """Note bytes that the reader took; return the `upto` to send in a `credit` frame, or None.

        A grant goes out when at least half a window of it is new: a frame for every chunk would be waste.
        """
        self._consumed += n_bytes
        upto = self._consumed + self._window_bytes
        if upto - self._upto < self._window_bytes // 2:
            return None
        self._upto = upto
        return upto
