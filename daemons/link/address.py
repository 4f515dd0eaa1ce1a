"""Where a hub is."""

from urllib.parse import urlsplit

from attrs import frozen

from daemons.ops.options import shown

CONTROL_PATH = "/control"
"""The hub's path of the link."""
REACH_PATH = "/reach"
"""The site's path where a hub that dials reaches it."""


class BadHubUrl(ValueError):
    """The hub's URL cannot be dialled; the words say what it must look like."""


@frozen
class HubAddress:
    """Where the hub is. `host` is what the certificate must name."""

    host: str
    port: int
    is_tls: bool

    @classmethod
    def parse(cls, url: str) -> "HubAddress":
        """Read `wss://host[:port]` (or ws://, https://, http://). Raises BadHubUrl, without what is secret in it."""
        given = shown(url)
        try:
            parts = urlsplit(url if "://" in url else f"wss://{url}")
        except ValueError:
            raise BadHubUrl(f"{given} is no URL; a hub's looks like wss://cloud.example.org") from None
        try:
            port = parts.port
        except ValueError:
            raise BadHubUrl(f"{given}: the port is not a number from 1 to 65535") from None
        if parts.scheme not in ("ws", "wss", "http", "https") or not parts.hostname:
            raise BadHubUrl(f"{given} is not the address of a hub; it looks like wss://cloud.example.org")
        if (
            parts.path not in ("", "/", CONTROL_PATH, REACH_PATH)
            or parts.query
            or parts.fragment
            or "@" in parts.netloc
        ):
            raise BadHubUrl(f"{given}: only scheme, host and port are wanted, as in wss://cloud.example.org")
        is_tls = parts.scheme in ("wss", "https")
        return cls(parts.hostname, port or (443 if is_tls else 80), is_tls)

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"
