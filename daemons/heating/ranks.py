"""How well each request to a boiler or a nas can wait when too many come: what is now, and commands, before what was."""

from daemons.web.guard import Rank
from daemons.web.head import Head

__all__ = ["rank_of"]

_ESSENTIAL = frozenset(
    {
        "/health",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/login",
        "/api/refresh",
        "/api/logout",
        "/api/commands",
    }
)
_PAST = ("/series", "/events", "/metrics")


def rank_of(head: Head) -> Rank:
    """Return the rank of a request: how the daemon is and what is to be done, then live pages, then curves and figures."""
    path = head.target.partition("?")[0]
    if path in _ESSENTIAL or path.startswith("/admin/"):
        return Rank.ESSENTIAL
    return Rank.OTHER if path.startswith("/api/") and path.endswith(_PAST) else Rank.LIVE
