"""Which requests come from a program on this PC that may ask, and which from a page that somebody else put into the browser.

A browser lets every page open WebSockets to localhost and send simple requests there: no rule of same origin holds it
back. What tells them apart is `Origin`, which a page cannot leave out of a WebSocket nor forge, and `Host`, which names the
attacker's domain when its address was rebound to this machine.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from daemons.web.head import Head

__all__ = ["why_not"]

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def why_not(head: Head, origins: Collection[str]) -> str:
    """Return in words why this request is refused; "" when it may ask. `origins`: of pages that may, as browsers write them."""
    return why_not_of(head.header("host") or "", head.header("origin"), origins)


def why_not_of(host: str, origin: str | None, origins: Collection[str]) -> str:
    """Do as `why_not`, with the two headers; `origin` None: there is none."""
    if _host_of(f"//{host}") not in _LOCAL_HOSTS:
        return f"{host[:100]!r} is not this machine's own name: ask at localhost"
    if origin is None or origin in origins:
        return ""
    # Own pages, and those of a program's own server on this PC: whoever can run one can read the memory itself.
    if origin.startswith("http://") and _host_of(origin) in _LOCAL_HOSTS:
        return ""
    return f"pages of {origin[:100]!r} may not ask here: name it in local.origins, if it is yours"


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
