"""The way to a hub against stand-ins: every step that can fail, and what is said of it."""

import socket
import ssl
import time
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from daemons.link.address import HubAddress
from daemons.link.doctor.way import Way, walk
from daemons.ops.doctor.finding import Finding, Verdict
from tests.daemons.link.doctor.standins import answering, hub_app, serving


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def by_check(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def plain(port: int) -> HubAddress:
    return HubAddress("127.0.0.1", port, is_tls=False)


async def test_a_good_way_is_good_at_every_step() -> None:
    async with serving(hub_app()) as port:
        found = await walk(Way(plain(port)))
    assert [finding.check for finding in found] == ["name", "connection", "hub", "clock"]
    assert {finding.verdict for finding in found} == {Verdict.GOOD}


async def test_a_name_that_is_not_known_ends_the_walk_in_words() -> None:
    found = by_check(await walk(Way(HubAddress("no-such-hub.invalid", 443, is_tls=True))))
    assert found["name"].verdict is Verdict.BAD
    assert "internet connection" in found["name"].remedy
    assert {found[step].verdict for step in ("connection", "TLS", "hub", "clock")} == {Verdict.SKIPPED}


async def test_a_port_where_nobody_listens() -> None:
    found = by_check(await walk(Way(plain(_closed_port()))))
    assert found["connection"].verdict is Verdict.BAD
    assert "nothing listens" in found["connection"].remedy


@pytest.mark.parametrize(
    ("status", "body", "headers", "words"),
    [
        (
            302,
            "",
            [("location", "http://login.hotel.example/?to=x")],
            "captive portal at login.hotel.example",
        ),
        (511, "log in", [], "captive portal"),
        (200, "<html>Welcome", [("content-type", "text/html")], "captive portal, or another web server"),
        (502, "<html>nginx", [("content-type", "text/html")], "the hub behind it is not"),
        (404, "no", [], "no pitlink hub"),
        (200, "[1]", [], "no pitlink hub"),
    ],
)
async def test_what_answers_in_the_hubs_place_is_told_apart(
    status: int, body: str, headers: list[tuple[str, str]], words: str
) -> None:
    async with serving(answering(status, body, headers)) as port:
        found = by_check(await walk(Way(plain(port))))
    assert found["hub"].verdict is Verdict.BAD
    assert words in found["hub"].words
    assert found["hub"].remedy


@pytest.mark.parametrize(
    ("ahead_s", "verdict", "words"),
    [
        (3.0, Verdict.GOOD, "agrees"),
        (100.0, Verdict.WARNING, "100 s ahead of"),
        (-7300.0, Verdict.BAD, "2 h behind"),
        (-86400.0 * 400, Verdict.BAD, "400 days behind"),
    ],
)
async def test_a_clock_that_is_wrong(ahead_s: float, verdict: Verdict, words: str) -> None:
    async with serving(hub_app()) as port:
        found = by_check(await walk(Way(plain(port), utc_now=lambda: time.time() + ahead_s)))
    assert found["clock"].verdict is verdict
    assert words in found["clock"].words


# --- TLS ---------------------------------------------------------------------------------------------------------------

_NOW = datetime.now(UTC)


def _server(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


async def _over_tls(
    name: str = "localhost",
    *,
    trusted: bool = True,
    days: tuple[float, float] = (-400, 200),
    portal_port: int = 1,
) -> Finding:
    """Walk to a hub whose certificate is for `name` and good from and to so many days from now."""
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    if trusted:
        authority.configure_trust(trusting)
    certificate = authority.issue_cert(
        name, not_before=_NOW + timedelta(days=days[0]), not_after=_NOW + timedelta(days=days[1])
    )
    async with serving(hub_app(), tls=_server(certificate), host="localhost") as port:
        way = Way(HubAddress("localhost", port, is_tls=True), trusting, portal_port=portal_port)
        return by_check(await walk(way))["TLS"]


async def test_a_certificate_that_is_good_and_one_that_is_nearly_over() -> None:
    good = await _over_tls()
    assert (good.verdict, "199 days" in good.words or "200 days" in good.words) == (Verdict.GOOD, True)
    late = await _over_tls(days=(-400, 3.5))
    assert late.verdict is Verdict.WARNING
    assert "renew" in late.remedy


@pytest.mark.parametrize(
    ("name", "trusted", "days", "words"),
    [
        ("localhost", True, (-400, -1), "has expired"),
        ("localhost", True, (1, 200), "not valid yet"),
        ("other.example.org", True, (-400, 200), "another name than localhost"),
        ("localhost", False, (-400, 200), "not of an authority that this machine trusts"),
    ],
)
async def test_a_certificate_that_is_wrong(
    name: str, trusted: bool, days: tuple[float, float], words: str
) -> None:
    found = await _over_tls(name, trusted=trusted, days=days)
    assert found.verdict is Verdict.BAD
    assert words in found.words
    assert found.remedy


async def test_a_portal_that_answers_tls_with_a_certificate_of_its_own_is_found_by_plain_http() -> None:
    redirect = answering(302, "", [("location", "https://portal.example/")])
    async with serving(redirect, host="localhost") as portal_port:
        found = await _over_tls("portal.example", portal_port=portal_port)
    assert found.verdict is Verdict.BAD
    assert "captive portal at portal.example" in found.words


async def test_a_port_that_does_not_speak_tls() -> None:
    async with serving(hub_app(), host="localhost") as port:
        found = by_check(await walk(Way(HubAddress("localhost", port, is_tls=True), portal_port=1)))
    assert found["TLS"].verdict is Verdict.BAD
    assert found["hub"].verdict is Verdict.SKIPPED
