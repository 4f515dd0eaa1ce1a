"""The receiver's half of the delay cap: say how many counted bytes have arrived, soon and not too often.

Soon, because the sender's next bytes wait for it. Not too often, because at 60 MB/s an acknowledgement a
message would cost as much as the messages: the frame says how long it was held back, so holding it for 2 ms
spoils no measurement.
"""

from protocol.frames import Received

__all__ = ["ReceivedMeter"]

_PROMPT_BYTES = 2 * 1024
_SPACING_S = 0.002
_HOLD_S = 0.050


class ReceivedMeter:
    """Count what arrives on one connection. Typical use, after each counted message::

        meter.counted(now, len(message))
        handle.wake() if meter.due_at() <= now else handle.ride()   # and wake at due_at()

    where the handle's source encodes what `take` returns.
    """

    def __init__(self) -> None:
        self._total = 0
        self._reported = 0
        self._last_at = 0.0
        self._due_at: float | None = None
        self._reported_at = float("-inf")

    def counted(self, now: float, wire_bytes: int) -> None:
        """Note a counted message of `wire_bytes` (the WebSocket message: flag byte included)."""
        self._total += wire_bytes
        self._last_at = now
        if self._due_at is None:
            self._due_at = now + _HOLD_S
        if self._total - self._reported >= _PROMPT_BYTES:
            self._due_at = min(self._due_at, max(now, self._reported_at + _SPACING_S))

    def due_at(self) -> float | None:
        """Return when a report has to leave by itself: at once from 2 KiB on (2 ms apart), else after 50 ms.

        None: nothing is unreported. Before that time a report may ride along with anything else that is sent.
        """
        return self._due_at

    def take(self, now: float) -> Received | None:
        """Return the report to send now, or None when nothing is unreported."""
        if self._due_at is None:
            return None
        self._due_at = None
        self._reported = self._total
        self._reported_at = now
        return Received(self._total, int((now - self._last_at) * 1e6))
