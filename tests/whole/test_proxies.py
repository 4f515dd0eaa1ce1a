"""The examples of reverse proxies in docs/proxy, before a real hub, with the real programs."""

import os
import re
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
import trio
import trustme
from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from daemons.cloud import open_cloud
from daemons.link.address import HubAddress
from daemons.link.credentials import BearerCredential, CertificateCredential
from daemons.link.doctor.asking import open_asker
from daemons.link.doctor.door import knock
from daemons.link.doctor.way import Way, walk
from daemons.ops.authority import sites
from daemons.ops.authority.file import open_authority
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.doctor.finding import Verdict
from daemons.ops.options import Address
from daemons.ops.tokens import Role, TokenTable
from daemons.race.config import CloudConfig
from daemons.race.doctor import live_pages
from daemons.web.config import FrontConfig

pytestmark = pytest.mark.process

EXAMPLES = Path(__file__).parents[2] / "docs" / "proxy"
HOST = "cloud.example.org"
INSTANCE = bytes(range(16))


@frozen
class Place:
    """What a proxy's configuration is made of."""

    folder: Path
    port: int
    plain_port: int
    hub_port: int


def _replaced(text: str, pairs: list[tuple[str, str]]) -> str:
    for old, new in pairs:
        assert old in text, f"the example has no {old!r} any more"
        text = text.replace(old, new)
    return text


def _nginx(place: Place) -> list[str]:
    """Write nginx.conf around the example; return the command."""
    text = _replaced(
        (EXAMPLES / "nginx.conf").read_text(),
        [
            ("127.0.0.1:8443", f"127.0.0.1:{place.hub_port}"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{place.port} ssl;"),
            ("listen [::]:443 ssl;", ""),
            ("listen 80;", f"listen 127.0.0.1:{place.plain_port};"),
            ("listen [::]:80;", ""),
            (f"server_name {HOST}", "server_name localhost"),
            (f"/etc/letsencrypt/live/{HOST}/", f"{place.folder}/"),
            ("/etc/pitlink/", f"{place.folder}/"),
        ],
    )
    temporary = "\n".join(
        f"{kind}_temp_path {place.folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (place.folder / "main.conf").write_text(
        f"daemon off; pid {place.folder}/pid; error_log stderr; worker_processes 1;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary}\n{text}\n}}\n"
    )
    return ["nginx", "-p", str(place.folder), "-e", "stderr", "-c", str(place.folder / "main.conf")]


def _caddy(place: Place) -> list[str]:
    """Write the Caddyfile with a certificate of ours, as there is nobody to get one from; return the command."""
    text = _replaced(
        (EXAMPLES / "Caddyfile").read_text(),
        [
            ("127.0.0.1:8443", f"127.0.0.1:{place.hub_port}"),
            (f"\n{HOST} {{", f"\nhttps://localhost:{place.port} {{\n\tbind 127.0.0.1"),
            ("\ttls {", f"\ttls {place.folder}/fullchain.pem {place.folder}/privkey.pem {{"),
            ("/etc/pitlink/", f"{place.folder}/"),
        ],
    )
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
    (place.folder / "Caddyfile").write_text(options + text)
    return ["caddy", "run", "--config", str(place.folder / "Caddyfile"), "--adapter", "caddyfile"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@frozen
class Stage:
    way: Way  # through the proxy, as a browser or a site with a key goes
    with_certificate: Way  # as a site with a client certificate goes
    certificate: x509.Certificate
    site_token: str
    folder: Path


@asynccontextmanager
async def _proxied(folder: Path, command: Callable[[Place], list[str]]) -> AsyncIterator[Stage]:
    """A hub behind a proxy."""
    authority = trustme.CA()
    place = Place(folder / "proxy", _free_port(), _free_port(), 0)
    place.folder.mkdir()
    server, site = authority.issue_cert("localhost"), authority.issue_cert("north")
    server.private_key_pem.write_to_path(str(place.folder / "privkey.pem"))
    for blob in server.cert_chain_pems:
        blob.write_to_path(str(place.folder / "fullchain.pem"), append=True)
    authority.cert_pem.write_to_path(str(place.folder / "sites-ca.pem"))
    token = TokenTable(folder / "hub" / "tokens.toml").add("field", Role.SITE, "field")
    with open_authority(folder / "hub", migrations=AUTHORITY_MIGRATIONS) as file:
        file.write_now(lambda conn: sites.pin_certificate(conn, "north", None, 0.0))
    config = CloudConfig(
        state_dir=folder / "hub",
        listen=Address("127.0.0.1", 0),
        client_cert_header="Client-Cert",
        http=FrontConfig(trusted_proxies=("127.0.0.1", "::1")),
    )
    trusting, proving = ssl.create_default_context(), ssl.create_default_context()
    for context in (trusting, proving):
        authority.configure_trust(context)
    site.configure_cert(proving)
    async with open_cloud(config) as cloud, trio.open_nursery() as nursery:
        await nursery.start(cloud.run)
        assert cloud.front is not None
        arguments = command(Place(place.folder, place.port, place.plain_port, cloud.front.ports[0]))
        environment = {**os.environ, "HOME": str(place.folder), "XDG_DATA_HOME": str(place.folder)}
        with (folder / "proxy.log").open("wb") as log:
            start = partial(trio.run_process, arguments, stdout=log, stderr=log, env=environment, check=False)
            process = await nursery.start(start)
            await _listening(place.port, process, folder / "proxy.log")
            address = HubAddress("localhost", place.port, is_tls=True)
            certificate = x509.load_pem_x509_certificate(site.cert_chain_pems[0].bytes())
            yield Stage(Way(address, trusting), Way(address, proving), certificate, token, folder)
            process.terminate()
            await process.wait()
        await cloud.stop()
        nursery.cancel_scope.cancel()


async def _listening(port: int, process: trio.Process, log: Path) -> None:
    with trio.fail_after(20):
        while True:
            assert process.poll() is None, log.read_text()
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
            except OSError:
                await trio.sleep(0.05)
            else:
                await stream.aclose()
                return


PROXIES = {"nginx": _nginx, "caddy": _caddy}


@pytest.fixture(params=PROXIES)
def proxy(request: pytest.FixtureRequest) -> Callable[[Place], list[str]]:
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here")
    return PROXIES[name]


async def test_pages_streams_and_links_come_through(
    proxy: Callable[[Place], list[str]], tmp_path: Path
) -> None:
    async with _proxied(tmp_path, proxy) as stage:
        found = await walk(stage.way)
        assert {finding.verdict for finding in found} == {Verdict.GOOD}, found
        upgrade, key = await knock(stage.way, BearerCredential(stage.site_token), "field", INSTANCE)
        assert upgrade.verdict is Verdict.GOOD, upgrade
        assert "accepts this site's token" in key.words
        wrong = (await knock(stage.way, BearerCredential("pl_wrong"), "field", INSTANCE))[1]
        assert wrong.verdict is Verdict.BAD
        live = await live_pages(stage.way)
        assert live.verdict is Verdict.GOOD, live
        async with open_asker(stage.way.address, stage.way.context) as asker:
            for path in ("/metrics", "/%6detrics", "/metrics?x=1"):
                answer = await asker.ask("GET", path)
                assert (answer.status, b"pitlink_" in answer.body) == (404, False), path


async def test_a_client_certificate_proves_its_site_and_a_forged_header_does_not(
    proxy: Callable[[Place], list[str]], tmp_path: Path
) -> None:
    async with _proxied(tmp_path, proxy) as stage:
        proven = (await knock(stage.with_certificate, CertificateCredential(), "north", INSTANCE))[-1]
        assert proven.verdict is Verdict.GOOD, proven
        assert "client certificate" in proven.words
        another = (await knock(stage.with_certificate, CertificateCredential(), "field", INSTANCE))[-1]
        assert another.verdict is Verdict.BAD
        none = (await knock(stage.way, CertificateCredential(), "north", INSTANCE))[-1]
        assert none.verdict is Verdict.BAD
        pem = quote(stage.certificate.public_bytes(Encoding.PEM).decode())
        for forged in (
            pem,
            re.sub(r"-----.*?-----|\s", "", stage.certificate.public_bytes(Encoding.PEM).decode()),
        ):
            assert await _status_of_forgery(stage.way, forged) == 401


async def _status_of_forgery(way: Way, forged: str) -> int:
    headers = [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "cGl0bGluay1kb2N0b3IhIQ=="),
        ("sec-websocket-protocol", "pitlink"),
        ("pitlink-site", "north"),
        ("pitlink-instance", INSTANCE.hex()),
        ("pitlink-attempt", "1"),
        ("Client-Cert", forged),
    ]
    async with open_asker(way.address, way.context) as asker:
        return (await asker.ask("GET", "/control", headers=headers, head_only=True)).status


async def test_a_proxy_whose_hub_is_not_running_is_told_apart(
    proxy: Callable[[Place], list[str]], tmp_path: Path
) -> None:
    def nowhere(place: Place) -> list[str]:
        return proxy(Place(place.folder, place.port, place.plain_port, _free_port()))

    async with _proxied(tmp_path, nowhere) as stage:
        found = {finding.check: finding for finding in await walk(stage.way)}
        assert found["hub"].verdict is Verdict.BAD
        assert "the hub behind it is not" in found["hub"].words
