"""How well each request to a hub or a site can wait when too many come: what is live goes before what is past."""

from daemons.web.assets import PAGES
from daemons.web.guard import Rank
from daemons.web.head import Head

__all__ = ["rank_of"]

_ESSENTIAL = frozenset(
    {"/healthz", "/readyz", "/metrics", "/api/login", "/api/refresh", "/api/logout", "/api/v1/status"}
)
_LIVE = frozenset({*PAGES, "/events", "/api/board", "/api/sites", "/notify"})


def rank_of(head: Head) -> Rank:
    """Return the rank of a request: how the daemon is and who may ask before live pages before all else."""
    path = head.target.partition("?")[0]
    if path in _ESSENTIAL or path.startswith("/admin/"):
        return Rank.ESSENTIAL
    if path.startswith("/api/v1/") and (path.endswith("/history") or "/versions" in path):
        return Rank.OTHER
    is_board = path.startswith("/api/sites/") and path.endswith("/board")
    is_page = is_board or path.startswith(("/static/", "/api/v1/"))
    return Rank.LIVE if is_page or path in _LIVE else Rank.OTHER
