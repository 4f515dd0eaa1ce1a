"""`pitlink token`: what people's programs show a hub; and, one release more, the bearer tokens of before."""

import os
import sys
import time
from typing import Annotated, Literal

import apsw
from cyclopts import App, Parameter

from daemons.commands.hubfile import DEFAULT_STATE, HubState, entry, failing_into, hub_authority, moment
from daemons.ops import tokens as bearer
from daemons.ops.authority import audit
from daemons.ops.authority.file import FILE_NAME
from daemons.ops.authority.identity import ALL_SITES, Role
from daemons.ops.authority.keys import NoKeys
from daemons.ops.authority.tokens import NameTaken, TokenRow, issue_token, list_tokens, revoke_token
from daemons.ops.errors import ConfigError, Problem, RefusedToStart
from daemons.race.config import check_site_name

__all__ = ["app", "check_sites"]

app = App(name="token", help="The tokens that a hub's API lets in.")

DAYS_MAX = 366.0


@app.command
def issue(
    name: Annotated[str, Parameter(help="What the list and the audit call it, such as 'grafana'.")],
    /,
    *,
    role: Annotated[
        Literal["viewer", "operator", "admin"],
        Parameter(help="viewer reads, operator commands, admin may all."),
    ] = "viewer",
    site: Annotated[
        list[str] | None, Parameter(help='A site it is for; may be repeated; "*" for all.')
    ] = None,
    days: Annotated[float, Parameter(help="How long it is good; at most 366.")] = 30.0,
    state_dir: HubState = DEFAULT_STATE,
) -> int:
    """Issue a token to a program, and print it: the only time it is shown."""
    sites = check_sites(site)
    if not 0 < days <= DAYS_MAX:
        raise ConfigError(
            [Problem("--days", f"more than 0 and at most {DAYS_MAX:g}", "issue another in time")]
        )
    if not name or len(name) > 64 or not name.isprintable():
        raise ConfigError([Problem("NAME", "1 to 64 printable characters")])
    now = time.time()

    def work(conn: apsw.Connection) -> tuple[TokenRow, str]:
        by = entry("", "").who
        row, token = issue_token(
            conn,
            name=name,
            role=Role(role),
            sites=sites,
            now=now,
            expires_at=now + days * 86400,
            by=by,
            urandom=os.urandom,
        )
        audit.append(conn, entry("token.issue", name, after=_shown(row)))
        return row, token

    with hub_authority(state_dir) as file:
        try:
            row, token = file.write_now(work)
        except NoKeys:
            raise RefusedToStart(
                f"this hub has no keys yet: pitlink keys init --state-dir {state_dir}"
            ) from None
        except NameTaken:
            problem = Problem(
                "NAME", f"a good token is called {name!r}", f"pitlink token revoke {name!r}, or another name"
            )
            raise ConfigError([problem]) from None
    print(token)
    print(
        f"Token {row.id}: {role} of {', '.join(row.sites)}, until {moment(row.expires_at)}.", file=sys.stderr
    )
    return 0


@app.command(name="list")
def list_all(*, state_dir: HubState = DEFAULT_STATE) -> int:
    """List the tokens of a hub: names, roles, sites, until when; never the tokens."""
    now, rows = time.time(), []
    if (state_dir / FILE_NAME).exists():
        with hub_authority(state_dir) as file:
            rows = file.read(list_tokens)
    for row in rows:
        line = f"{row.role:9} {','.join(row.sites):20} {row.name:24} {row.id}  {row.state(now)}"
        print(f"{line}, until {moment(row.expires_at)}, issued by {row.issued_by}")
    old = bearer.TokenTable(state_dir / bearer.TOKENS_FILE).load()
    for token in old:
        print(
            f"{token.role:9} {token.site:20} {token.name:24} old bearer token: this release is the last to know it"
        )
    if not rows and not old:
        print(f"There are none in {state_dir}. Issue one: pitlink token issue NAME --role viewer --site '*'")
    return 0


@app.command
def revoke(
    name: Annotated[str, Parameter(help="The token's name or id.")], /, *, state_dir: HubState = DEFAULT_STATE
) -> int:
    """Take a token back. A hub that runs refuses it from then on, and ends what it holds open within a second."""
    now = time.time()
    old = bearer.TokenTable(state_dir / bearer.TOKENS_FILE)
    removed = [token for token in old.load() if token.name == name]

    def work(conn: apsw.Connection) -> list[TokenRow]:
        found = revoke_token(conn, name, now)
        for row in found:
            audit.append(conn, entry("token.revoke", row.name, before=_shown(row), after={"revoked_at": now}))
        for token in removed:
            before = {"role": token.role.value, "sites": [token.site], "kind": "bearer"}
            audit.append(conn, entry("token.revoke", name, before=before))
        return found

    with hub_authority(state_dir, make=bool(removed)) as file:
        found = file.write_now(work)
        with failing_into(file, "token.revoke", name):  # the row is there before anything is gone
            old.remove(name)
    if not found and not removed:
        raise ConfigError([Problem("NAME", f"no good token is called {name!r}", "see pitlink token list")])
    for row in found:
        print(f"Revoked: {row.name} ({row.id}).")
    for token in removed:
        print(f"Removed: the old bearer token {token.name!r}.")
    return 0


@app.command
def make(
    *,
    role: Annotated[Literal["site", "caller", "operator"], Parameter(help="What its holder may do.")],
    site: Annotated[str, Parameter(help='The site it is for; "*" for all (callers and operators).')],
    name: Annotated[str | None, Parameter(help="What the list calls it; by default role and site.")] = None,
    state_dir: HubState = DEFAULT_STATE,
) -> int:
    """Make a bearer token of the old kind, which the next release will not know: use issue, and site add."""
    if site != ALL_SITES:
        check_sites([site])
    table, called = bearer.TokenTable(state_dir / bearer.TOKENS_FILE), name or f"{role} {site}"
    made: list[str] = []

    def work(conn: apsw.Connection) -> None:
        known = {"role": role, "sites": [site], "kind": "bearer"}
        audit.append(conn, entry("token.make", called, after=known))
        made.append(table.add(called, bearer.Role(role), site))

    with hub_authority(state_dir, make=True) as file:
        try:
            file.write_now(work)
        except BaseException:
            if made:  # a token without a row, which nobody has been shown
                table.remove(called)
            raise
    better = "pitlink site add" if role == "site" else "pitlink token issue"
    print(f"pitlink: this release is the last to know such tokens; better: {better}", file=sys.stderr)
    print(made[0])
    return 0


def check_sites(names: list[str] | None) -> tuple[str, ...]:
    """Return the sites that were named on the command line. Raises ConfigError: none, or no site's name."""
    if not names:
        raise ConfigError([Problem("--site", "name the sites it is for", "--site '*' for all")])
    try:
        for name in names:
            if name != ALL_SITES:
                check_site_name(name)
    except ValueError as exc:
        raise ConfigError([Problem("--site", str(exc))]) from exc
    return tuple(names)


def _shown(row: TokenRow) -> dict[str, object]:
    return {"id": row.id, "role": row.role.value, "sites": list(row.sites), "expires_at": row.expires_at}
