"""What feeds a connection's lanes besides channels and requests: small frames in order, and plain functions."""

from collections import deque
from collections.abc import Callable

from attrs import define, field

from protocol.codec import encode_frame
from protocol.errors import RemoteProtocolError
from protocol.frames import Frame

__all__ = ["FrameQueue", "Pull"]

_FRAMES_MAX = 4096


@define(eq=False)
class FrameQueue:
    """A bounded FIFO of small frames as a lane's source. Full means a peer that floods us: a protocol error."""

    frames: deque[bytes] = field(factory=deque, init=False)

    def push(self, frame: Frame) -> None:
        """Add a frame. Raises RemoteProtocolError when 4096 wait."""
        if len(self.frames) >= _FRAMES_MAX:
            raise RemoteProtocolError("the peer causes more control frames than it reads")
        self.frames.append(encode_frame(frame))

    def pull(self, now: float, max_bytes: int) -> bytes | None:
        """Return the oldest frames, as many as fit."""
        if not self.frames:
            return None
        parts = [self.frames.popleft()]
        size = len(parts[0])
        while self.frames and size + len(self.frames[0]) <= max_bytes:
            size += len(self.frames[0])
            parts.append(self.frames.popleft())
        return b"".join(parts)


@define(eq=False)
class Pull:
    """A plain function as a lane's source."""

    pull: Callable[[float, int], bytes | None]
