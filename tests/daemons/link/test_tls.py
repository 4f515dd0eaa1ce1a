"""The link over TLS: the hub's certificate is checked, and what is wrong with it is said."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trustme
from attrs import evolve

from daemons.link.address import HubAddress
from daemons.link.dial import Dialer
from daemons.web.front import FrontStream, open_listeners, serve_http
from daemons.web.head import Head
from protocol.linkstatus import Status
from tests.daemons.link.pair import TOKEN, Hub, open_hub, open_site


async def _serve_tls(
    hub: Hub, certificate: trustme.LeafCert, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve the hub's link a second time, behind TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)

    async def on_control(stream: FrontStream, head: Head, address: str) -> None:
        await hub.listener.serve(stream, dict(head.headers), address)

    async def no_app(scope: object, receive: object, send: object) -> None:
        raise AssertionError("nothing but the link is served here")

    listeners = await open_listeners("127.0.0.1", 0)
    task_status.started(listeners[0].socket.getsockname()[1])
    await serve_http(listeners, no_app, on_control=on_control, tls=context)


async def _until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(15):
        while not condition():
            await trio.sleep(0.01)


async def test_messages_cross_a_link_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with open_hub(tmp_path / "h") as hub, trio.open_nursery() as nursery:
        port = await nursery.start(_serve_tls, hub, authority.issue_cert("localhost"))
        async with open_site(tmp_path / "s", 1) as plain:  # port 1 refuses; the site itself is what is wanted
            dialer = Dialer(
                plain.peer, HubAddress("localhost", port, is_tls=True), TOKEN, ssl_context=trusting
            )
            nursery.start_soon(dialer.run)
            await plain.peer.durable.send("event", "t", 1, b"over tls")
            with trio.fail_after(15):
                await plain.peer.durable.drained("event")
            assert dialer.status.status is Status.READY
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("name", ["localhost", "other.example.org"])
async def test_a_certificate_that_is_not_trusted_or_for_another_host_is_refused_in_words(
    tmp_path: Path, name: str
) -> None:
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    if name != "localhost":
        authority.configure_trust(trusting)
    async with open_hub(tmp_path / "h") as hub, trio.open_nursery() as nursery:
        port = await nursery.start(_serve_tls, hub, authority.issue_cert(name))
        async with open_site(tmp_path / "s", 1) as plain:
            dialer = Dialer(
                plain.peer, HubAddress("localhost", port, is_tls=True), TOKEN, ssl_context=trusting
            )
            nursery.start_soon(dialer.run)
            await _until(lambda: "TLS failed" in dialer.status.words)
            assert "certificate" in dialer.status.words.lower()
            assert hub.peer.connection is None
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("wss://cloud.example.org", HubAddress("cloud.example.org", 443, is_tls=True)),
        ("cloud.example.org:8443", HubAddress("cloud.example.org", 8443, is_tls=True)),
        ("ws://127.0.0.1:80/", HubAddress("127.0.0.1", 80, is_tls=False)),
        ("https://[::1]/control", HubAddress("::1", 443, is_tls=True)),
    ],
)
def test_addresses_of_hubs(url: str, expected: HubAddress) -> None:
    assert HubAddress.parse(url) == expected


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "wss://", "wss://a:99999", "wss://a/b", "wss://a?b", "wss://u:p@a"]
)
def test_what_is_no_address_is_refused_in_words(url: str) -> None:
    with pytest.raises(ValueError, match=r"wss://cloud\.example\.org|port"):
        HubAddress.parse(url)


def test_host_header_names_the_port_only_when_it_is_not_the_schemes() -> None:
    address = HubAddress("::1", 443, is_tls=True)
    assert address.host_header == "[::1]"
    assert evolve(address, port=8443).host_header == "[::1]:8443"
