"""How well each request to a relay or a backend can wait when too many come: what is live before what was."""

from daemons.web.guard import Rank
from daemons.web.head import Head

__all__ = ["rank_of"]

_ESSENTIAL = frozenset(
    {"/healthz", "/readyz", "/metrics", "/api/login", "/api/refresh", "/api/logout", "/api/auth/login"}
)
_PAST = ("/laps", "/compare", "/export", "/replay", "/sessions")


def rank_of(head: Head) -> Rank:
    """Return the rank of a request: how the daemon is, then live pages, then laps, replays and files."""
    path = head.target.partition("?")[0]
    if path in _ESSENTIAL or path.startswith("/admin/"):
        return Rank.ESSENTIAL
    is_past = path.startswith("/api/") and any(part in path for part in _PAST)
    return Rank.OTHER if is_past else Rank.LIVE
