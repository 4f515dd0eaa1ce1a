"""Who is asking: the address of a client, also behind proxies that are named, and what counts as one client.

Of X-Forwarded-For each proxy writes the end, and whoever likes writes the beginning. So it is read from the end,
for as long as what stands there is one of our proxies, and only when a proxy of ours handed it over.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

from daemons.web.head import Head

__all__ = ["check_proxies", "client_key", "client_of", "is_proxy"]

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

CLIENT_PREFIX_V6 = 64
"""What one customer of a provider has at least: all its addresses count as one client."""


def check_proxies(proxies: Iterable[str]) -> None:
    """Raise ValueError unless each is an address or a network (192.0.2.7, fd00::/8)."""
    for text in proxies:
        try:
            ipaddress.ip_network(text)
        except ValueError as exc:
            raise ValueError(f"{text!r} is no address or network: {exc}") from None


@lru_cache(maxsize=64)
def _networks(proxies: tuple[str, ...]) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in proxies if _parse(text.partition("/")[0]) is not None)


@lru_cache(maxsize=4096)
def _parse(text: str) -> _Address | None:
    """Return an address; one of IPv4 written as IPv6 as what it is, one with a zone without it."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def is_proxy(address: str, proxies: Sequence[str]) -> bool:
    """Is this peer one of the named proxies?"""
    if not proxies:
        return False
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in _networks(tuple(proxies)))


def client_of(head: Head, peer: str, proxies: Sequence[str]) -> str:
    """Return the client's address: what the nearest proxy that is not ours said, where `peer` is a trusted one.

    What is no address ends the search: the last thing known is then the proxy that passed it on.
    """
    if not is_proxy(peer, proxies):
        return peer
    known = peer
    for named in reversed(head.header_list("x-forwarded-for")):
        address = _parse(_without_port(named))
        if address is None:
            return known
        known = str(address)
        if not is_proxy(known, proxies):
            return known
    return known


def _without_port(named: str) -> str:
    if named.startswith("["):
        return named[1:].partition("]")[0]
    host, colon, _ = named.partition(":")
    return host if colon and named.count(":") == 1 else named


@lru_cache(maxsize=4096)
def client_key(address: str) -> str:
    """Return what counts as one client: an IPv4 address, the /64 of an IPv6 one, anything else as it is."""
    parsed = _parse(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        network = ipaddress.ip_network((parsed, CLIENT_PREFIX_V6), strict=False)
        return str(network)
    return address[:64] if parsed is None else str(parsed)
