"""What an operator can set of the HTTP front."""

from attrs import frozen

from daemons.ops.options import option
from daemons.web.proxies import check_proxies


@frozen
class FrontConfig:
    """The limits and deadlines of the HTTP front."""

    header_bytes_max: int = option(
        16 * 1024, minimum=1024, maximum=16 * 1024, help="The longest request head; past it 431."
    )
    body_bytes_max: int = option(1024 * 1024, minimum=0, help="The longest request body; past it 413.")
    header_timeout_s: float = option(
        10.0,
        minimum=0.1,
        help="A request head must be complete this long after it began (the first: after TLS).",
    )
    idle_timeout_s: float = option(
        75.0, minimum=0.1, help="An idle kept-alive connection is closed after this."
    )
    body_timeout_s: float = option(
        20.0, minimum=0.1, help="The longest silence inside a request body; past it 408."
    )
    body_allowance_s: float = option(
        60.0,
        minimum=0.1,
        help="How long a request body may take beside one second per 4 KiB; past it 408.",
    )
    write_timeout_s: float = option(
        20.0, minimum=0.1, help="A client that takes less than 32 KiB in this time is given up."
    )
    tls_timeout_s: float = option(10.0, minimum=0.1, help="The longest TLS handshake.")
    linger_s: float = option(
        1.0,
        minimum=0.0,
        help="How long a refused client may read its answer before the connection is closed.",
    )
    drain_s: float = option(1.0, minimum=0.0, help="How long requests may still run when the daemon stops.")
    connections_max: int = option(
        4000,
        minimum=1,
        help="Connections at once; past it those that wait longest go, and only the link is let in.",
    )
    connections_per_peer_max: int = option(
        1000,
        minimum=1,
        help="Connections of one address at once (a field of phones may share one); past it 503.",
    )
    trusted_proxies: tuple[str, ...] = option(
        (),
        check=check_proxies,
        help="Addresses or networks of reverse proxies: their X-Forwarded-For is believed, their connections are "
        "not counted.",
    )
