"""What every origin gives: the value of a fetch, and the interface that everything above runs on."""

from typing import Protocol

from attrs import frozen

__all__ = ["Fetched", "Origin"]


@frozen
class Fetched:
    """A body of the origin that was judged good, as its original bytes.

    `content_type` is what the origin said, and often nothing or wrong: types go by path. `fetched_at` (UTC
    seconds) is when the origin was asked for it, so its age is never shown too small. `absent`: the origin
    has no such file, and the body is `[]`. `stale`: the file is empty now; this is the last good copy, with
    the time it was read.
    """

    path: str
    body: bytes
    content_type: str | None
    validator: bytes
    digest: bytes
    fetched_at: float
    absent: bool = False
    stale: bool = False


class Origin(Protocol):
    """FPVTrackside's web server, beside us or at the far end of a link."""

    async def fetch(self, path: str, *, method: str = "GET") -> Fetched:
        """Return what the origin has at `path`, normalised by the path gate; HEAD is answered like GET.

        Raises RequestError. Deadlines are the caller's; cancelling it is always safe.
        """
        ...
