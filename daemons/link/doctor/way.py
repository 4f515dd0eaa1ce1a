"""The way from here to a hub, step by step: its name, TCP, TLS, whether it is the hub at all, and its clock.

A step that fails ends the walk: what comes after it cannot be looked at, and says so.
"""

import json
import math
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from attrs import frozen

from daemons.link.address import HubAddress
from daemons.link.doctor.asking import Answer, Asker, Unreached, connect, look_up, open_asker, secure
from daemons.ops.doctor.finding import Finding, bad, good, skipped, warning

__all__ = ["Way", "walk"]

CLOCK_WARNING_S = 5.0
CLOCK_BAD_S = 300.0
CERTIFICATE_WARNING_DAYS = 14
STEPS = ("name", "connection", "TLS", "hub", "clock")

_HTTP_PORT = 80


@frozen
class Way:
    """How a hub is reached. `portal_port`: where a captive portal shows itself; `utc_now`: this machine's clock."""

    address: HubAddress
    context: ssl.SSLContext | None = None
    utc_now: Callable[[], float] = time.time
    portal_port: int = _HTTP_PORT


async def walk(way: Way) -> list[Finding]:
    """Go the way to the hub. When the last finding is not BAD, the hub has answered."""
    findings: list[Finding] = []
    try:
        await _walk(way, findings)
    except _Stopped as exc:
        findings.append(exc.finding)
    done = {finding.check for finding in findings}
    missing = [step for step in STEPS if step not in done and (step != "TLS" or way.address.is_tls)]
    findings.extend(skipped(step, "cannot be looked at before the above is mended") for step in missing)
    return findings


class _Stopped(Exception):
    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.words)
        self.finding = finding


async def _walk(way: Way, findings: list[Finding]) -> None:
    address = way.address
    try:
        found = await look_up(address.host, address.port)
    except Unreached as exc:
        raise _Stopped(
            bad(
                "name",
                f"the name {address.host} is not known here: {exc}",
                "is there an internet connection (open a browser)? Is the name spelt right? Does the router's DNS work?",
            )
        ) from None
    findings.append(good("name", f"{address.host} is {', '.join(found)}"))
    one = await _reach(way, found, findings)
    if address.is_tls:
        findings.append(await _look_at_tls(way, one))
    try:
        async with open_asker(address, way.context) as asker:
            answer = await asker.ask("GET", "/healthz")
            findings.append(await _look_at_hub(way, answer))
            findings.append(await _look_at_clock(way, asker))
    except Unreached as exc:
        raise _Stopped(
            bad(
                "hub",
                f"{address.host_header} accepts but does not answer: {exc}",
                "is the hub (or its proxy) overloaded or hanging?",
            )
        ) from None


async def _reach(way: Way, found: list[str], findings: list[Finding]) -> str:
    """Try each address; return one that answers."""
    failed: list[tuple[str, str]] = []
    reached = ""
    for one in found:
        began = time.monotonic()
        try:
            stream = await connect(one, way.address.port)
        except Unreached as exc:
            failed.append((one, str(exc)))
            continue
        await stream.aclose()
        reached = reached or one
        if reached == one:
            took_ms = (time.monotonic() - began) * 1000
            findings.append(good("connection", f"{one} port {way.address.port} answers in {took_ms:.0f} ms"))
    if not reached:
        words = "; ".join(f"{one}: {why}" for one, why in failed)
        refused = all("refused" in why.lower() for _, why in failed)
        remedy = (
            "the machine is there, but nothing listens: is the hub (or its reverse proxy) running, and on this port?"
            if refused
            else "is the uplink up? A firewall on the way (here, at the router, at the hub's host) may drop the port"
        )
        raise _Stopped(bad("connection", f"port {way.address.port} is not reached: {words}", remedy))
    if failed:
        words = "; ".join(f"{one}: {why}" for one, why in failed)
        findings.append(
            warning(
                "connection",
                f"not every address of the hub answers: {words}",
                "correct its DNS records, or this network's IPv6",
            )
        )
    return reached


async def _look_at_tls(way: Way, one: str) -> Finding:
    context = way.context or ssl.create_default_context()
    stream = await connect(one, way.address.port)
    try:
        over_tls = await secure(stream, way.address.host, context)
    except Unreached as exc:
        raise _Stopped(await _tls_trouble(way, exc)) from None
    try:
        certificate = over_tls.getpeercert() or {}
    finally:
        await stream.aclose()
    ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    left_days = (ends - way.utc_now()) / 86400
    words = f"the certificate is good for {left_days:.0f} days more"
    if left_days < CERTIFICATE_WARNING_DAYS:
        return warning("TLS", words, "have the hub's operator renew it: it should have renewed itself by now")
    return good("TLS", words)


async def _tls_trouble(way: Way, exc: Unreached) -> Finding:
    """Say what a failed handshake means, as far as it can be known."""
    host = way.address.host
    if (where := await _portal(way)) is not None:
        return bad(
            "TLS",
            f"this network answers in the hub's place (captive portal at {where})",
            "open a browser, log in, try again",
        )
    cause = exc.__cause__
    if not isinstance(cause, ssl.SSLCertVerificationError):
        if isinstance(cause, ssl.SSLError) and "WRONG_VERSION" in (cause.reason or ""):
            return bad(
                "TLS",
                "what answers there does not speak TLS",
                f"is the port right? Without TLS the address is ws://{host}",
            )
        return bad(
            "TLS", f"no handshake: {exc}", "a firewall that looks into connections may stand in the way"
        )
    now = datetime.fromtimestamp(way.utc_now(), UTC)
    match cause.verify_code:
        case 10:  # X509_V_ERR_CERT_HAS_EXPIRED
            return bad(
                "TLS",
                f"the hub's certificate has expired, or this machine's clock is wrong (it says {now:%Y-%m-%d %H:%M} UTC)",
                "if the date is right: have the hub's operator renew the certificate; else: timedatectl set-ntp true",
            )
        case 9:  # X509_V_ERR_CERT_NOT_YET_VALID
            return bad(
                "TLS",
                f"by this machine's clock ({now:%Y-%m-%d %H:%M} UTC) the certificate is not valid yet",
                "set the clock: timedatectl set-ntp true",
            )
        case 62 | 64:  # X509_V_ERR_HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH
            return bad(
                "TLS",
                f"the certificate is for another name than {host}",
                "use the name that the hub's operator gave you; at the hub: a certificate for this name",
            )
        case _:
            return bad(
                "TLS",
                f"the certificate is not of an authority that this machine trusts ({cause.verify_message})",
                "a hub with a CA of its own: set ca_file; else something on the way (a company's proxy) opens the connection",
            )


async def _portal(way: Way) -> str | None:
    """Return where a captive portal wants to be visited, asked by plain HTTP as a browser would."""
    plain = HubAddress(way.address.host, way.portal_port, is_tls=False)
    try:
        async with open_asker(plain, None) as asker:
            return _portal_in(way, await asker.ask("GET", "/"))
    except Unreached:
        return None


def _portal_in(way: Way, answer: Answer) -> str | None:
    target = urlsplit(answer.header("location"))
    if answer.status == 511 or (
        answer.status in (301, 302, 303, 307, 308) and target.hostname not in (None, way.address.host)
    ):
        return target.hostname or way.address.host
    return None


async def _look_at_hub(way: Way, answer: Answer) -> Finding:
    where = way.address.host_header
    if (portal := _portal_in(way, answer)) is not None:
        raise _Stopped(
            bad(
                "hub",
                f"this network answers in the hub's place (captive portal at {portal})",
                "open a browser, log in, try again",
            )
        )
    try:
        health = json.loads(answer.body)
        role = str(health["daemon"])
    except (ValueError, KeyError, TypeError):
        raise _Stopped(_not_the_hub(where, answer)) from None
    warnings = [
        str(one.get("words") or one.get("name", ""))
        for one in health.get("warnings", [])
        if isinstance(one, dict)
    ]
    if answer.status == 503:
        return warning(
            "hub",
            f"{where} is a pitlink {role}, and says that it cannot do its work: {'; '.join(warnings)}",
            "tell the hub's operator",
        )
    took_ms = (answer.received_at - answer.sent_at) * 1000
    words = f"{where} is a pitlink {role}; it answers in {took_ms:.0f} ms"
    return good("hub", words)


def _not_the_hub(where: str, answer: Answer) -> Finding:
    if answer.status in (502, 503, 504):
        return bad(
            "hub",
            f"{where} answers HTTP {answer.status}: a reverse proxy is there, the hub behind it is not",
            "at the hub: systemctl status pitlink-cloud, and is the proxy's target port the one of `listen`?",
        )
    looks_like_page = b"<html" in answer.body[:2000].lower() or "text/html" in answer.header("content-type")
    if looks_like_page and answer.status in (200, 302, 403):
        return bad(
            "hub",
            f"{where} answered with a web page: a captive portal, or another web server",
            "open a browser; log in if it asks; else correct cloud_url",
        )
    return bad(
        "hub",
        f"{where} answers (HTTP {answer.status}), but is no pitlink hub",
        "correct cloud_url, or the reverse proxy's rules",
    )


async def _look_at_clock(way: Way, asker: Asker) -> Finding:
    """Compare clocks by the Date of answers: it is cut to the second, so a few of them narrow the offset down."""
    low, high = -math.inf, math.inf
    for _ in range(3):
        before = way.utc_now()
        answer = await asker.ask("GET", "/healthz")
        after = way.utc_now()
        try:
            date = parsedate_to_datetime(answer.header("date")).timestamp()
        except (TypeError, ValueError):
            return skipped("clock", "the hub's answers carry no date")
        low, high = max(low, date - after), min(high, date + 1.0 - before)
    if low <= CLOCK_WARNING_S and high >= -CLOCK_WARNING_S:
        return good("clock", "this machine's clock agrees with the hub's")
    ahead = -(low + high) / 2
    words = (
        f"this machine's clock is {_duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the hub's"
    )
    remedy = "timedatectl set-ntp true here; if this clock is right, tell the hub's operator"
    return bad("clock", words, remedy) if abs(ahead) > CLOCK_BAD_S else warning("clock", words, remedy)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172800 else f"{seconds / 86400:.0f} days"
