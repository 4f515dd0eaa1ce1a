"""`pitlink site`: which sites a hub lets in, and how old they may be."""

import os
import time
from typing import Annotated

import apsw
from cyclopts import App, Parameter

from daemons.commands.hubfile import DEFAULT_STATE, HubState, entry, failing_into, hub_authority, moment
from daemons.ops.authority import audit, keys, sites
from daemons.ops.errors import ConfigError, Problem, RefusedToStart

__all__ = ["app"]

app = App(name="site", help="The sites that a hub lets in.")

_HOUR_S = 3600.0


@app.command
def add(
    name: Annotated[str, Parameter(help="a–z, 0–9 and '-'.")],
    /,
    *,
    hours: Annotated[float, Parameter(help="How long the code is good.")] = sites.CODE_LIFETIME_S / _HOUR_S,
    certificate: Annotated[
        bool, Parameter(negative="", help="A client certificate that names the site proves it, no key.")
    ] = False,
    fingerprint: Annotated[
        str | None, Parameter(help="Only the client certificate of this SHA-256 proves it.")
    ] = None,
    state_dir: HubState = DEFAULT_STATE,
) -> int:
    """Let a site in: prints the code with which it enrols, once. Again for a site: the code for another key."""
    pinned = _fingerprint(fingerprint)
    with hub_authority(state_dir, make=True) as file:

        def work(conn: apsw.Connection) -> str | None:
            now = time.time()
            before = sites.find_site(conn, name)
            keys.make_hub_id(conn, os.urandom)
            code = None
            if certificate or pinned is not None:
                row = sites.pin_certificate(conn, name, pinned, now)
            else:
                row = sites.add_site(conn, name, now)
                code = sites.make_code(conn, name, now, os.urandom, hours * _HOUR_S)
            audit.append(
                conn,
                entry(
                    "site.add",
                    name,
                    before=None if before is None else before.words,
                    after={"proof": row.words, "code_until": None if code is None else now + hours * _HOUR_S},
                ),
            )
            return code

        try:
            code = file.write_now(work)
        except ValueError as exc:
            raise ConfigError([Problem("NAME", str(exc))]) from exc
    if code is None:
        print(f"Site {name} is let in with its client certificate.")
        return 0
    print(code)
    print(
        f"\nAt the site, within {hours:g} h:  pitlink enroll HUB\n"
        "where HUB is this hub's address, such as https://cloud.example.org; it asks for the code."
    )
    return 0


def _fingerprint(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        made = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        made = b""
    if len(made) != 32:
        raise ConfigError(
            [
                Problem(
                    "--fingerprint",
                    "is no SHA-256: 64 hexadecimal digits",
                    "openssl x509 -noout -fingerprint -sha256 -in FILE",
                )
            ]
        )
    return made


@app.command(name="list")
def list_sites(*, state_dir: HubState = DEFAULT_STATE) -> int:
    """List the sites: how each proves itself, since when, how old it may be. Old bearer tokens are said too."""
    from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable

    bearers = {token.site for token in TokenTable(state_dir / TOKENS_FILE).load() if token.role is Role.SITE}
    with hub_authority(state_dir, make=bool(bearers)) as file:
        rows = file.read(sites.list_sites)
        minimum = file.read(lambda conn: sites.minimum_of(conn, ""))
        waiting = {
            row.name for row in rows if file.read(lambda conn, row=row: sites.is_code_open(conn, row.name, time.time()))  # type: ignore[misc]
        }  # fmt: skip
    known = {row.name for row in rows}
    for row in rows:
        state = row.words
        if row.name in waiting:
            state += ", a code is open"
        if row.name in bearers and not row.is_revoked:
            state += ", bearer token"
        since = row.revoked_at or row.enrolled_at or row.added_at
        least = f"  at least {row.min_version}" if row.min_version else ""
        print(f"{row.name:20} {moment(since)}  {state}{least}")
    for name in sorted(bearers - known):
        print(f"{name:20} {'-':20}  bearer token: let it enrol with pitlink site add {name}")
    if minimum:
        print(f"All sites: at least {minimum}")
    if not rows and not bearers:
        print(f"There are none in {state_dir}. Let one in: pitlink site add NAME")
    return 0


@app.command
def revoke(name: str, /, *, state_dir: HubState = DEFAULT_STATE) -> int:
    """Put a site out: its key, certificate and tokens are good no more, its link is closed within a second."""
    from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable

    table = TokenTable(state_dir / TOKENS_FILE)
    old = [token.name for token in table.load() if token.role is Role.SITE and token.site == name]
    with hub_authority(state_dir, make=bool(old)) as file:

        def work(conn: apsw.Connection) -> bool:
            before = sites.find_site(conn, name)
            if before is None and not old:
                return False
            sites.revoke_site(conn, name, time.time())
            told = "bearer token" if before is None else before.words
            after = {"proof": "revoked", "old_tokens_removed": old}
            audit.append(conn, entry("site.revoke", name, before=told, after=after))
            return True

        if not file.write_now(work):
            raise RefusedToStart(f"there is no site {name!r}: pitlink site list shows those that there are")
        with failing_into(file, "site.revoke", name):  # good no more by now; gone, so that nobody wonders
            table.remove_site(name)
    print(f"Site {name} is out. To let it in again: pitlink site add {name}")
    return 0


@app.command(name="min-version")
def min_version(
    version: Annotated[str, Parameter(help='Such as 0.2.0; "any" for all.')],
    /,
    *,
    site: Annotated[str | None, Parameter(help="For this site only, whatever holds for all.")] = None,
    state_dir: HubState = DEFAULT_STATE,
) -> int:
    """Refuse sites that run something older, from their next connection on."""
    wanted = "" if version == "any" else version
    with hub_authority(state_dir, make=True) as file:

        def work(conn: apsw.Connection) -> None:
            before = sites.set_minimum(conn, site, wanted)
            audit.append(conn, entry("site.min_version", site or "*", before=before, after=wanted))

        try:
            file.write_now(work)
        except ValueError as exc:
            raise ConfigError([Problem("VERSION", str(exc))]) from exc
        except KeyError:
            raise RefusedToStart(
                f"there is no site {site!r}: pitlink site list shows those that there are"
            ) from None
    whom = f"Site {site}" if site else "All sites without a word of their own"
    print(f"{whom}: {f'at least {wanted}' if wanted else 'any version'}.")
    return 0
