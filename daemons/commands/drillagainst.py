"""What a drill is done on, from a file that names running daemons:

    site = "north"                       # as the hub knows it

    [pits]
    at = "/var/lib/pitlink"              # its state folder or admin socket
    page = "http://pits.lan:8090"        # optional: for probes of pages

    [cloud]
    at = "https://cloud.example.org"     # or its state folder
    token_file = "operator.token"        # with https: of somebody who may operate all sites
    ca_file = "ca.pem"                   # optional

    [relay]                              # pitlink chaos proxy --api …, which the site dials
    api = "/run/chaos.sock"              # or http://127.0.0.1:8474
    token_file = "relay.token"           # on loopback
    uplink = "relay"                     # its name of the proxy to the hub
    origin = "origin"                    # optional: of the proxy to FPVTrackside

Paths are relative to the file.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chaos.carrier import Carrier
from chaos.drills.daemoncarrier import DaemonCarrier
from chaos.drills.ground import Ground
from chaos.drills.joined import JoinedCarriers
from chaos.drills.relaycarrier import RelayCarrier
from daemons.commands.place import client_at
from daemons.ops.ask import Place
from daemons.ops.client import AdminClient
from daemons.ops.errors import ConfigError, Problem
from daemons.ops.secretfile import read_secret

__all__ = ["read_ground"]

_KEYS: Mapping[str, tuple[str, ...]] = {
    "pits": ("at", "token_file", "ca_file", "page"),
    "cloud": ("at", "token_file", "ca_file", "page"),
    "relay": ("api", "token_file", "uplink", "origin"),
}


def read_ground(path: Path, environ: Mapping[str, str]) -> Ground:
    """Return the ground that a file describes. Raises ConfigError with every problem, RefusedToStart."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError([Problem(str(path), f"cannot be read: {exc}")]) from exc
    problems = _problems(found, str(path))
    if problems:
        raise ConfigError(problems)
    site, folder = found["site"], path.parent
    pits, cloud = _client(found["pits"], folder), _client(found["cloud"], folder)
    relay = _relay(found["relay"], site, folder, environ)
    carrier: Carrier = JoinedCarriers([relay, DaemonCarrier({"site": pits, "hub": cloud}, site)])
    pages = {
        side: found[table]["page"]
        for side, table in (("site", "pits"), ("hub", "cloud"))
        if "page" in found[table]
    }
    return Ground(
        words=f"{site} and {found['cloud']['at']} ({path.name})",
        site_name=site,
        site=pits,
        hub=cloud,
        carrier=carrier,
        pages=pages,
    )


def _problems(found: Mapping[str, Any], where: str) -> list[Problem]:
    problems = [
        Problem(f"{where}: {key}", "there is no such key") for key in found if key not in ("site", *_KEYS)
    ]
    if not isinstance(found.get("site"), str) or not found["site"]:
        problems.append(Problem(f"{where}: site", "must be the site's name at the hub"))
    for table, keys in _KEYS.items():
        rows = found.get(table)
        if not isinstance(rows, dict):
            problems.append(Problem(f"{where}: [{table}]", "is missing"))
            continue
        for key, value in rows.items():
            if key not in keys:
                problems.append(Problem(f"{where}: {table}.{key}", "there is no such key"))
            elif not isinstance(value, str) or not value:
                problems.append(Problem(f"{where}: {table}.{key}", "must be a text"))
        needed = ("api", "uplink") if table == "relay" else ("at",)
        problems += [Problem(f"{where}: {table}.{key}", "is missing") for key in needed if key not in rows]
    return problems


def _client(table: Mapping[str, str], folder: Path) -> AdminClient:
    at = table["at"]
    is_url = at.startswith(("http://", "https://"))
    token, ca = (folder / table[key] if key in table else None for key in ("token_file", "ca_file"))
    return client_at(at if is_url else str(folder / at), token, ca)


def _relay(table: Mapping[str, str], site: str, folder: Path, environ: Mapping[str, str]) -> RelayCarrier:
    api = table["api"]
    at = api if api.startswith(("http://", "https://")) else folder / api
    token = read_secret(folder / table["token_file"], environ) if "token_file" in table else ""
    proxies = {"uplink": table["uplink"], f"uplink:{site}": table["uplink"]}
    if "origin" in table:
        proxies["origin"] = table["origin"]
    return RelayCarrier(Place(at), proxies, token)
