"""Whose address counts: a client's own, unless a proxy of ours says otherwise."""

import pytest

from daemons.web.head import Head
from daemons.web.proxies import check_proxies, client_key, client_of, is_proxy


def asked(*lines: str) -> Head:
    return Head("GET", "/", tuple((b"x-forwarded-for", line.encode()) for line in lines))


PROXIES = ("10.0.0.0/8", "192.0.2.7", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "lines", "client"),
    [
        ("198.51.100.1", ["203.0.113.9"], "198.51.100.1"),  # no proxy of ours: it may say what it likes
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["203.0.113.9"], "203.0.113.9"),
        ("10.1.2.3", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),  # the beginning is the client's own work
        ("10.1.2.3", ["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
        ("10.1.2.3", ["203.0.113.9, 192.0.2.7, 10.9.9.9"], "203.0.113.9"),
        ("10.1.2.3", ["203.0.113.9:5123"], "203.0.113.9"),
        ("10.1.2.3", ["[2001:db8::1]:5123"], "2001:db8::1"),
        ("10.1.2.3", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("fd00::1", ["2001:db8::1%eth0"], "2001:db8::1"),
        ("10.1.2.3", ["127.0.0.1, unknown"], "10.1.2.3"),
        ("10.1.2.3", ["127.0.0.1, 10.0.0.4, <script>"], "10.1.2.3"),
        ("10.1.2.3", ["203.0.113.9, _hidden, 192.0.2.7"], "192.0.2.7"),
        ("local", ["203.0.113.9"], "local"),  # the admin socket's, whose peers are no proxies
        ("unknown", ["203.0.113.9"], "unknown"),
    ],
)
def test_the_address_of_a_client(peer: str, lines: list[str], client: str) -> None:
    assert client_of(asked(*lines), peer, PROXIES) == client


def test_without_proxies_nothing_is_believed() -> None:
    assert not is_proxy("127.0.0.1", ())
    assert client_of(asked("203.0.113.9"), "127.0.0.1", ()) == "127.0.0.1"


def test_a_network_of_the_other_family_is_no_match() -> None:
    assert is_proxy("::ffff:10.0.0.1", ("10.0.0.0/8",))
    assert not is_proxy("::1", ("0.0.0.0/0",))


def test_one_client_is_an_address_or_a_64() -> None:
    assert client_key("203.0.113.9") == client_key("::ffff:203.0.113.9") == "203.0.113.9"
    assert client_key("2001:db8:0:1::1") == client_key("2001:db8:0:1:ffff::9") == "2001:db8:0:1::/64"
    assert client_key("2001:db8:0:2::1") != client_key("2001:db8:0:1::1")
    assert client_key("fe80::1%eth0") == "fe80::/64"
    assert client_key("local") == "local"


def test_proxies_are_addresses() -> None:
    check_proxies(PROXIES)
    for wrong in ("proxy.example.org", "10.0.0.1/8", "10.0.0.0/33", "", "local"):
        with pytest.raises(ValueError, match="no address or network"):
            check_proxies((wrong,))
