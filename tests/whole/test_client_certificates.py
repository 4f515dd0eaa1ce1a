"""Client certificates instead of a site's key: at the hub's own listener, and handed on by a proxy that is named."""

import base64
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from daemons.ops.authority import sites
from daemons.ops.authority.certificates import read_certificate, read_forwarded
from daemons.ops.authority.identity import Unauthorised
from daemons.pits import Pits
from daemons.race.config import CloudConfig, PitsConfig
from daemons.web.config import FrontConfig
from protocol.linkstatus import Status
from tests.whole.hubs import SITE, Joined, change, open_joined, open_site_at


def _der(certificate: trustme.LeafCert) -> bytes:
    pem = certificate.cert_chain_pems[0].bytes()
    return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)


def _fingerprint(certificate: trustme.LeafCert) -> bytes:
    return x509.load_der_x509_certificate(_der(certificate)).fingerprint(hashes.SHA256())


def _write(certificate: trustme.LeafCert, folder: Path) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    chain, key = folder / "chain.pem", folder / "key.pem"
    certificate.private_key_pem.write_to_path(str(key))
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    return chain, key


@asynccontextmanager
async def _tls_hub(folder: Path, authority: trustme.CA, clients: trustme.CA) -> AsyncIterator[Joined]:
    chain, key = _write(authority.issue_cert("localhost", "127.0.0.1"), folder / "tls")
    authority.cert_pem.write_to_path(str(folder / "hub-ca.pem"))
    clients.cert_pem.write_to_path(str(folder / "clients.pem"))

    def config(made: CloudConfig) -> CloudConfig:
        return evolve(made, tls_cert=chain, tls_key=key, tls_client_ca=folder / "clients.pem")

    async with open_joined(folder, config=config) as joined:
        yield joined


@asynccontextmanager
async def _tls_site(
    joined: Joined, folder: Path, certificate: trustme.LeafCert | None
) -> AsyncIterator[Pits]:
    pair = (None, None) if certificate is None else _write(certificate, folder / "pits")

    def config(made: PitsConfig) -> PitsConfig:
        return evolve(
            made,
            cloud_url=f"wss://127.0.0.1:{joined.port}",
            ca_file=folder / "hub-ca.pem",
            client_cert=pair[0],
            client_key=pair[1],
        )

    async with open_site_at(joined, folder / "pits", config=config) as pits:
        yield pits


async def _let_in(joined: Joined, pits: Pits) -> bool:
    """Wait for the link, or for why there is none; return whether it stands."""
    assert pits.dialer is not None
    status = pits.dialer.status
    await joined.until(lambda: status.status is not Status.CONNECTING)
    return status.status is Status.READY


@pytest.mark.parametrize("pin", [False, True])
async def test_a_certificate_that_names_the_site_or_is_pinned_lets_it_in(tmp_path: Path, pin: bool) -> None:
    authority, clients = trustme.CA(), trustme.CA()
    certificate = clients.issue_cert("anything.example" if pin else SITE)
    async with _tls_hub(tmp_path, authority, clients) as joined:
        pinned = _fingerprint(certificate) if pin else None
        change(joined.folder, lambda conn: sites.pin_certificate(conn, SITE, pinned, time.time()))
        async with _tls_site(joined, tmp_path, certificate) as pits:
            assert await _let_in(joined, pits)
            assert joined.cloud.admission.refusals == {}
            # And out again, live, within a second.
            change(joined.folder, lambda conn: sites.revoke_site(conn, SITE, time.time()))
            await joined.until(lambda: joined.member().site.peer.connection is None, 1.0)


@pytest.mark.parametrize(
    ("names", "by_certificate", "pinned", "code"),
    [
        (["other"], True, None, "site"),  # another site's certificate
        ([SITE], True, bytes(32), "signature"),  # not the pinned one
        ([SITE], False, None, "missing"),  # the site proves itself with a key
        (None, True, None, "missing"),
    ],
)
async def test_other_certificates_are_refused(
    tmp_path: Path, names: list[str] | None, by_certificate: bool, pinned: bytes | None, code: str
) -> None:
    authority, clients = trustme.CA(), trustme.CA()
    async with _tls_hub(tmp_path, authority, clients) as joined:
        if by_certificate:
            change(joined.folder, lambda conn: sites.pin_certificate(conn, SITE, pinned, time.time()))
        certificate = clients.issue_cert(*(names or ["nobody"]))
        async with _tls_site(joined, tmp_path, certificate) as pits:
            assert pits.dialer is not None
            if names is None:
                pits.dialer.ssl_context = ssl.create_default_context(cafile=tmp_path / "hub-ca.pem")
            assert not await _let_in(joined, pits)
            await joined.until(lambda: joined.cloud.admission.refusals)
            assert set(joined.cloud.admission.refusals) == {code}


async def test_a_certificate_of_a_stranger_ends_in_the_handshake(tmp_path: Path) -> None:
    authority, clients = trustme.CA(), trustme.CA()
    async with _tls_hub(tmp_path, authority, clients) as joined:
        change(joined.folder, lambda conn: sites.pin_certificate(conn, SITE, None, time.time()))
        async with _tls_site(joined, tmp_path, trustme.CA().issue_cert(SITE)) as pits:
            assert not await _let_in(joined, pits)
            assert pits.dialer is not None
            assert "does the hub know the CA of this site's client certificate?" in pits.dialer.status.words
            assert joined.cloud.admission.refusals == {}
            assert joined.member().site.peer.last_seen_at is None


FORMS = {
    "rfc9440": lambda der: f":{base64.b64encode(der).decode()}:",
    "caddy": lambda der: base64.b64encode(der).decode(),
    "nginx": lambda der: quote(ssl.DER_cert_to_PEM_cert(der)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("trusted", [True, False])
async def test_a_proxys_header_counts_from_a_named_proxy_only(
    tmp_path: Path, form: str, trusted: bool
) -> None:
    certificate = trustme.CA().issue_cert(SITE)
    value = FORMS[form](_der(certificate))
    proxies = ("127.0.0.0/8",) if trusted else ("192.0.2.1",)

    def config(made: CloudConfig) -> CloudConfig:
        return evolve(made, client_cert_header="Client-Cert", http=FrontConfig(trusted_proxies=proxies))

    async with open_joined(tmp_path, config=config) as joined:
        change(joined.folder, lambda conn: sites.pin_certificate(conn, SITE, None, time.time()))
        lines = [f"Pitlink-Site: {SITE}", "Pitlink-Instance: " + "0c" * 16, "Pitlink-Attempt: 1"]
        status, _, _ = await joined.raw(*lines, f"Client-Cert: {value}")
        assert status == (101 if trusted else 401)
        if trusted:
            twice = [f"Client-Cert: {value}", f"Client-Cert: {value}"]
            assert (await joined.raw(*lines, *twice))[0] == 401
            assert (await joined.raw(*lines, "Client-Cert: "))[0] == 401  # nginx without a certificate
            assert (await joined.raw(*lines, "Client-Cert: :!:"))[0] == 401
            assert (await joined.raw(*lines, f"X-Client-Cert: {value}"))[0] == 401


async def test_without_the_option_no_header_is_believed(tmp_path: Path) -> None:
    value = FORMS["rfc9440"](_der(trustme.CA().issue_cert(SITE)))

    def config(made: CloudConfig) -> CloudConfig:
        return evolve(made, http=FrontConfig(trusted_proxies=("127.0.0.1",)))

    async with open_joined(tmp_path, config=config) as joined:
        change(joined.folder, lambda conn: sites.pin_certificate(conn, SITE, None, time.time()))
        assert (await joined.raw(f"Pitlink-Site: {SITE}", f"Client-Cert: {value}"))[0] == 401


def test_the_names_of_a_certificate() -> None:
    authority = trustme.CA()
    assert read_certificate(_der(authority.issue_cert("a", "b"))).names == {"a", "b"}
    assert read_certificate(_der(authority.issue_cert("a", common_name="c"))).names == {"a"}
    for bad in ("", ":", "::", "AAAA", "%00", "-----BEGIN CERTIFICATE-----", "x" * 20_000):
        with pytest.raises(Unauthorised):
            read_forwarded(bad)


def test_options_that_make_no_sense_together_are_said() -> None:
    alone = CloudConfig(client_cert_header="Client-Cert", tls_client_ca=Path("ca.pem"))
    assert [problem.path for problem in alone.problems()] == ["tls_client_ca", "client_cert_header"]
    half = PitsConfig(client_cert=Path("a.pem"))
    assert [problem.path for problem in half.problems()] == ["client_cert, client_key"]
