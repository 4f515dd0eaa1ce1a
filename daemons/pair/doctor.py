"""What `pitlink doctor` looks at for any site and any hub, in which order. Wings add what is special to theirs."""

import json
import os
import ssl
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import trio

from daemons.link.address import HubAddress
from daemons.link.credentials import open_credential
from daemons.link.doctor.asking import Answer, Unreached, open_asker
from daemons.link.doctor.door import knock
from daemons.link.doctor.line import idle_time, uplink_rate
from daemons.link.doctor.way import Way, walk
from daemons.link.trust import site_tls
from daemons.ops.authority import keys, sites
from daemons.ops.authority.file import FILE_NAME, open_authority
from daemons.ops.authority.sitekey import KEY_FILE
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.client import ADMIN_SOCKET, AdminClient, AdminError, Unreachable
from daemons.ops.config import secret_files
from daemons.ops.doctor.finding import Finding, Verdict, bad, good, skipped, warning
from daemons.ops.doctor.machine import disk, machine_clock, port_is_free, private_file, state_folder
from daemons.ops.errors import ConfigError, RefusedToStart
from daemons.ops.options import Address
from daemons.pair.config import HubConfig, SiteConfig
from daemons.store.connect import DatabaseKey
from daemons.store.errors import StorageError

__all__ = ["Health", "Tell", "examine_hub", "examine_site", "nothing_more"]

Tell = Callable[[Finding], None]
"""Hears each finding as soon as it is known."""

Health = dict[str, Any] | None
"""What the daemon says at /healthz; None: it does not run."""

S = TypeVar("S", bound=SiteConfig)

SOCKET_S = 5.0
_LOOKED_AT = ("origin", "link", "gpio")


async def examine_site(
    name: str,
    own: Callable[[S, Health], Awaitable[Iterable[Finding]]],
    alone: str,
    config: S,
    tell: Tell,
    *,
    user: str | None = None,
    thorough: bool = True,
) -> None:
    """Examine a site, whether its daemon runs or not. `own`: what is special to it; `alone`: what to say of one that
    dials no hub; `thorough`: also what takes half a minute. A wing binds the first three."""
    _machine(config.state_dir, tell, user)
    for finding in await own(config, await _daemon(config, name, tell, is_tls=False)):
        tell(finding)
    if (config.state_dir / KEY_FILE).exists():
        tell(private_file("key file", config.state_dir / KEY_FILE))
    _secrets(config, tell)
    if config.client_key is not None:
        tell(private_file("client_key", config.client_key))
    if not config.hub_url:
        tell(skipped("hub", alone))
        return
    try:
        way = Way(
            HubAddress.parse(config.hub_url),
            site_tls(config.ca_file, config.client_cert, config.client_key),
        )
        by_certificate = config.client_cert is not None
        credential = open_credential(
            config.state_dir, config.site, token=config.token.text, by_certificate=by_certificate
        )
    except (ConfigError, RefusedToStart) as exc:
        tell(bad("key", str(exc), f"pitlink config check {name}; a new key: pitlink enroll"))
        return
    if not await _told_good(walk(way), tell):
        return
    for finding in await knock(way, credential, config.site, os.urandom(16)):
        tell(finding)
    if thorough:
        tell(await uplink_rate(way))
        tell(await idle_time(way))


async def nothing_more(way: Way) -> list[Finding]:
    """Stand for what is special to a hub, of one that has nothing special."""
    return []


async def examine_hub(
    name: str,
    outside: Callable[[Way], Awaitable[Iterable[Finding]]],
    config: HubConfig,
    tell: Tell,
    *,
    url: str = "",
    has_tokens: bool = False,
    user: str | None = None,
    thorough: bool = True,
) -> None:
    """Examine a hub, whether its daemon runs or not. `url`: as the world reaches it; then from outside as well, and
    `outside` is what is special to it there. A wing binds the first two."""
    _machine(config.state_dir, tell, user)
    tell(_authority(config.state_dir, config.storage.database_key, has_tokens=has_tokens))
    if config.tls_key is not None and config.tls_cert is not None:
        tell(private_file("TLS key", config.tls_key))
    _secrets(config, tell)
    await _daemon(config, name, tell, is_tls=config.tls_cert is not None)
    if not url:
        tell(
            skipped(
                "hub", "--url https://… looks at the hub as the world reaches it: name, TLS, reverse proxy"
            )
        )
        return
    way = Way(HubAddress.parse(url))
    if not await _told_good(walk(way), tell):
        return
    for finding in await knock(way, None, "doctor", os.urandom(16)):
        tell(finding)
    for finding in await outside(way):
        tell(finding)
    if thorough:
        tell(await idle_time(way))


async def _told_good(findings: Awaitable[list[Finding]], tell: Tell) -> bool:
    found = await findings
    for finding in found:
        tell(finding)
    return all(
        finding.verdict not in (Verdict.BAD, Verdict.SKIPPED) or finding.check == "clock" for finding in found
    )


def _machine(state_dir: Path, tell: Tell, user: str | None) -> None:
    tell(state_folder(state_dir, user=user))
    for finding in disk(state_dir):
        tell(finding)
    tell(machine_clock())


def _secrets(config: SiteConfig | HubConfig, tell: Tell) -> None:
    for option, path in secret_files(config):
        tell(private_file(option, path))


# --- the daemon itself -------------------------------------------------------------------------------------------------


async def _daemon(config: SiteConfig | HubConfig, name: str, tell: Tell, *, is_tls: bool) -> Health:
    """Look at the daemon's port: is it the daemon that has it? Return what the daemon says of its health."""
    listen = config.listen
    try:
        health = await _local_health(listen, is_tls=is_tls)
    except Unreached:
        is_free, words = port_is_free(listen)
        if is_free:
            tell(
                warning(
                    "daemon",
                    f"{name} does not run ({words})",
                    f"systemctl start pitlink-{name}; its log: journalctl -u pitlink-{name}",
                )
            )
        else:
            tell(
                bad(
                    "daemon",
                    f"{name} does not run, and could not: {words}",
                    "ss -ltnp shows who has it; `listen` names another port",
                )
            )
        return None
    if health is None or health.get("daemon") != name:
        tell(
            bad(
                "daemon",
                f"port {listen.port} is taken by another program",
                "ss -ltnp shows which; `listen` names another port",
            )
        )
        return None
    tell(good("daemon", f"{name} runs, on port {listen.port}"))
    for one in await _warnings(health, config.state_dir):
        if one["name"] in _LOOKED_AT:
            continue  # looked at here as well, with more to say
        verdict = Verdict.BAD if one["severity"] == "failing" else Verdict.WARNING
        if "words" in one:
            words, remedy = f"{name} says: {one['words']}", "see docs/logs.md"
        else:
            words, remedy = f"{name} has a warning", "as its user, or root: pitlink status says more"
        tell(Finding(str(one["name"]), verdict, words, remedy))
    return health


async def _warnings(health: dict[str, Any], state_dir: Path) -> list[dict[str, Any]]:
    """Return what the daemon warns of. A hub's port says no words to strangers: its admin socket does, to its user."""
    told: list[dict[str, Any]] = health.get("warnings", [])
    if told and "words" not in told[0]:
        with trio.move_on_after(SOCKET_S):
            try:
                told = (await AdminClient(state_dir / ADMIN_SOCKET).status())["warnings"]
            except (Unreachable, AdminError):
                pass
    return told


async def _local_health(listen: Address, *, is_tls: bool) -> dict[str, Any] | None:
    """Ask whoever has the port for its health; None: something else answers. Raises Unreached."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = (
        False,
        ssl.CERT_NONE,
    )  # this machine, and nothing secret is said
    # By address: a machine without a hosts file does not know localhost.
    hosts = ["127.0.0.1", "::1"] if listen.host in ("", "0.0.0.0", "::") else [listen.host]
    try:
        answer = await _ask_first([HubAddress(host, listen.port, is_tls=is_tls) for host in hosts], context)
        health = json.loads(answer.body)
    except Unreached as exc:
        if exc.step in ("name", "tcp"):
            raise
        return None
    except ValueError:
        return None
    return health if isinstance(health, dict) else None


async def _ask_first(addresses: list[HubAddress], context: ssl.SSLContext) -> Answer:
    """Return the first answer. Raises Unreached, of the last address."""
    failure = Unreached("name", "no address")
    for address in addresses:
        try:
            async with open_asker(address, context) as asker:
                return await asker.ask("GET", "/healthz")
        except Unreached as exc:
            failure = exc
    raise failure


def _authority(state_dir: Path, key: DatabaseKey, *, has_tokens: bool) -> Finding:
    """Look at whom the hub could let in."""
    make = f"pitlink keys init --state-dir {state_dir}"
    only_bearers = warning("keys", "this hub has only bearer tokens, which work for this release only", make)
    if not (state_dir / FILE_NAME).exists():
        return only_bearers if has_tokens else bad("keys", f"there is no hub in {state_dir} yet", make)
    try:
        with open_authority(state_dir, migrations=AUTHORITY_MIGRATIONS, key=key) as file:
            rows, known = file.read(lambda conn: (keys.list_keys(conn), sites.list_sites(conn)))
    except StorageError as exc:
        return bad("keys", str(exc), exc.remedy)
    if not rows:
        return only_bearers if has_tokens else bad("keys", "this hub has no key to sign with", make)
    if not known and not has_tokens:
        return warning(
            "keys", "this hub has keys, but no site", f"pitlink site add NAME --state-dir {state_dir}"
        )
    return good("keys", f"{len(rows)} signing key(s), {len(known)} site(s)")
