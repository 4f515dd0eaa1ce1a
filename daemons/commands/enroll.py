"""`pitlink enroll`: a site gets its key, and the hub the public half of it, against a code that is typed once."""

import sys
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Annotated, Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cyclopts import Parameter

from daemons.link.address import BadHubUrl, HubAddress
from daemons.ops.authority.enrolment import ENROL_PATH
from daemons.ops.authority.sitekey import (
    KEY_FILE,
    PENDING_FILE,
    SiteKey,
    load_site_key,
    prove_possession,
    save_site_key,
)
from daemons.ops.authority.sites import check_code_form, check_site_name
from daemons.ops.errors import ConfigError, Problem, RefusedToStart

__all__ = ["enrol_at", "enroll"]

_TIMEOUT_S = 20.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def enroll(
    hub: Annotated[str, Parameter(help="The hub, such as https://cloud.example.org.")],
    /,
    *,
    code: Annotated[
        str,
        Parameter(help="The code that the hub's operator was shown; best left out: it is asked for then."),
    ] = "",
    state_dir: Annotated[Path, Parameter(help="The state folder of this site's daemon.")] = Path(
        "pits-state"
    ),
    ca_file: Annotated[
        Path | None, Parameter(help="Certificates (PEM) to trust for a hub with a private CA.")
    ] = None,
    again: Annotated[
        bool, Parameter(negative="", help="Replace the key that this site has already.")
    ] = False,
    without_tls: Annotated[
        bool, Parameter(negative="", help="Send the code in the clear: only inside a VPN or a cable.")
    ] = False,
) -> int:
    """Make this site's key, and make it known to the hub with a code of `pitlink site add`. The key stays here."""
    try:
        address = HubAddress.parse(hub)
    except BadHubUrl as exc:
        raise ConfigError([Problem("HUB", str(exc))]) from exc
    if not address.is_tls and address.host not in _LOOPBACK and not without_tls:
        raise ConfigError(
            [
                Problem(
                    "HUB",
                    "without TLS anybody on the way could use the code first",
                    "https://, or --without-tls",
                )
            ]
        )
    known = load_site_key(state_dir / KEY_FILE)
    if known is not None and not again:
        raise RefusedToStart(
            f"this site has a key already: it is {known.site!r} at {known.hub}. --again replaces it"
        )
    typed = code or _ask()
    try:
        check_code_form(typed)
    except ValueError as exc:
        raise ConfigError([Problem("--code", str(exc))]) from exc
    key = enrol_at(address, typed, state_dir, ca_file)
    scheme = "wss" if address.is_tls else "ws"
    print(
        f"This is site {key.site!r} at {key.hub} now. Its key is in {state_dir / KEY_FILE} and nowhere else."
    )
    url = f"{scheme}://{address.host_header}"
    print(
        f"\nStart it with:\n  pitlink pits --site {key.site} --cloud-url {url} --state-dir {state_dir}"
        f"\na house with:\n  pitlink boiler --site {key.site} --nas-url {url} --state-dir {state_dir}"
        f"\na driver's PC with:\n  pitlink relay --site {key.site} --backend-url {url} --state-dir {state_dir}"
        "\nor put site, cloud_url (nas_url, backend_url) and state_dir into its configuration. One that runs takes a new key"
        " by itself."
    )
    return 0


def _ask() -> str:
    """Return the code that is typed, or comes through a pipe: in a command line others on this machine would see it."""
    try:
        typed = input("Code: " if sys.stdin.isatty() else "").strip()
    except EOFError:
        typed = ""
    if not typed:
        raise ConfigError(
            [Problem("code", "is missing", "the hub's operator gets one from: pitlink site add")]
        )
    return typed


def enrol_at(address: HubAddress, code: str, folder: Path, ca_file: Path | None = None) -> SiteKey:
    """Enrol at the hub and return the key, which is in the folder then. Blocks. Raises RefusedToStart, ConfigError.

    The key is on the disk before the hub hears of it. When the hub's answer is lost, the same command with the same
    code takes up the same key, and the hub says yes again.
    """
    pending = folder / PENDING_FILE
    key = load_site_key(pending)
    if key is None:
        key = SiteKey(Ed25519PrivateKey.generate())
        save_site_key(pending, key)
    told = _post(address, code, key, ca_file)
    key = SiteKey(key.private, told["site"], told["hub"])
    save_site_key(folder / KEY_FILE, key)
    pending.unlink(missing_ok=True)
    return key


def _post(address: HubAddress, code: str, key: SiteKey, ca_file: Path | None) -> dict[str, str]:
    where = f"{'https' if address.is_tls else 'http'}://{address.host_header}"
    body = {
        "code": code,
        "key": urlsafe_b64encode(key.public).decode("ascii"),
        "proof": prove_possession(key, code),
    }
    try:
        verify: Any = True if ca_file is None else _context(ca_file)
        with httpx.Client(verify=verify, trust_env=False, timeout=_TIMEOUT_S) as client:
            answer = client.post(f"{where}{ENROL_PATH}", json=body)
    except httpx.HTTPError as exc:
        raise RefusedToStart(
            f"{where} is not reached: {exc}. Nothing is lost: try again with the same code"
        ) from None
    return _told(where, answer)


def _told(where: str, answer: httpx.Response) -> dict[str, str]:
    try:
        told = answer.json()
        words = str(told.get("words", ""))
        site, hub = str(told.get("site", "")), str(told.get("hub", ""))
    except (ValueError, AttributeError):
        raise RefusedToStart(
            f"{where} answered HTTP {answer.status_code} and is no hub of this version; behind a captive portal?"
        ) from None
    if answer.status_code != 200:
        raise RefusedToStart(f"{where} does not let this site in: {words or f'HTTP {answer.status_code}'}")
    try:
        check_site_name(site)
    except ValueError:
        raise RefusedToStart(f"{where} gave this site no name: it is no hub of this version") from None
    return {"site": site, "hub": hub}


def _context(ca_file: Path) -> Any:
    import ssl

    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError([Problem("--ca-file", f"{ca_file} cannot be used: {exc}")]) from exc
