"""One record of each fetch, at the hub and at the site: who asked for what, what it came to, how long it took.

Never the body. The ids of `daemons.ops.trace` say which records of the two sides belong together.
"""

from typing import Final

import structlog
import trio
from attrs import define, field

from daemons.ops.trace import current
from daemons.race.fetched import Fetched
from protocol.errors import HTTP_STATUS, RequestError

__all__ = ["AccessRecord"]

_log = structlog.stdlib.get_logger("pitlink.access")

_PATH_CHARS_MAX: Final = 512
_OK: Final = 200


@define(eq=False)
class AccessRecord:
    """A fetch from its beginning. Exactly one of `answered`, `failed` and `left` is to be called at its end."""

    side: str
    site: str
    path: str
    method: str = "GET"
    began_at: float = field(factory=trio.current_time, init=False)

    def answered(self, fetched: Fetched, *, from_copy: bool = False) -> float:
        """Log an answer; return how long it took, in seconds. `from_copy`: the link was not asked."""
        marks = {"stale": fetched.stale, "absent": fetched.absent, "copy": from_copy}
        return self._write(_OK, bytes=len(fetched.body), **{name: True for name, on in marks.items() if on})

    def failed(self, error: RequestError) -> float:
        """Log a failure, by its code; return how long it took."""
        return self._write(HTTP_STATUS[error.code], code=str(error.code))

    def left(self) -> float:
        """Log that whoever asked does not wait any more; return how long it did."""
        return self._write(499, code="CANCELLED")

    def _write(self, status: int, **more: object) -> float:
        took_s = trio.current_time() - self.began_at
        _log.info(
            "fetch",
            side=self.side,
            site=self.site,
            identity=current("identity") or "hub",
            method=self.method,
            path=self.path[:_PATH_CHARS_MAX],
            status=status,
            latency_ms=round(took_s * 1000, 1),
            **more,
        )
        return took_s
