"""`pitlink keys`: what a hub signs the tokens of people and API clients with."""

import os
import time
from typing import Annotated

import apsw
from cyclopts import App, Parameter

from daemons.commands.hubfile import DEFAULT_STATE, HubState, entry, hub_authority, moment
from daemons.ops.authority import audit, keys
from daemons.ops.authority.lockout import LockOut, lock_out
from daemons.ops.errors import RefusedToStart

__all__ = ["app"]

app = App(name="keys", help="The keys that a hub signs tokens with.")


@app.command
def init(*, state_dir: HubState = DEFAULT_STATE) -> int:
    """Make a new hub's first key and its name."""
    with hub_authority(state_dir, make=True) as file:

        def work(conn: apsw.Connection) -> tuple[keys.KeyRow | None, str]:
            made = keys.init_keys(conn, time.time(), os.urandom)
            name = keys.hub_id(conn) or ""
            if made is not None:
                audit.append(conn, entry("keys.init", name, after={"kid": made.kid}))
            return made, name

        made, name = file.write_now(work)
    if made is None:
        raise RefusedToStart(f"{name} has a key already; another one: pitlink keys rotate")
    print(f"{name} signs with {made.kid}.")
    return 0


@app.command
def rotate(
    *,
    at_once: Annotated[
        bool,
        Parameter(
            negative="",
            help="End now all tokens and sessions: a key, or a copy of authority.db, may be in wrong hands.",
        ),
    ] = False,
    state_dir: HubState = DEFAULT_STATE,
) -> int:
    """Sign with another key from now on. Old keys verify until what they signed has expired."""
    with hub_authority(state_dir) as file:

        def work(conn: apsw.Connection) -> LockOut:
            if at_once:
                done = lock_out(conn, time.time(), os.urandom)
            else:
                done = LockOut(*keys.rotate_keys(conn, time.time(), os.urandom), 0, [])
            known = {"signs": done.new.kid, "at_once": at_once}
            if at_once:
                known |= {"sessions_ended": done.sessions, "tokens_revoked": [row.id for row in done.tokens]}
            before = {"verify": [key.kid for key in done.old]}
            audit.append(conn, entry("keys.rotate", done.new.kid, before=before, after=known))
            return done

        try:
            done = file.write_now(work)
        except keys.NoKeys:
            raise RefusedToStart(
                f"this hub has no keys yet: pitlink keys init --state-dir {state_dir}"
            ) from None
    print(f"The hub signs with {done.new.kid}.")
    for key in done.old:
        if at_once or key.signed_until <= time.time():
            print(f"{key.kid} verifies no more.")
        else:
            print(f"{key.kid} verifies until {moment(key.signed_until)}.")
    if at_once:
        print(f"{done.sessions} sessions ended: everybody signs in again.")
        for row in done.tokens:
            print(f"Revoked: {row.name} ({row.id}); another: pitlink token issue {row.name!r}")
        print(
            "Who has a copy of authority.db has the hashes of the passwords too: give people others (pitlink user password)."
        )
    return 0


@app.command(name="list")
def list_keys(*, state_dir: HubState = DEFAULT_STATE) -> int:
    """List the keys: which signs, and until when the others verify. Never the keys themselves."""
    with hub_authority(state_dir) as file:
        name, rows = file.read(lambda conn: (keys.hub_id(conn), keys.list_keys(conn)))
    print(f"Hub: {name or 'without a name yet'}")
    for key in rows:
        if key.retired_at is None:
            state = "signs"
        elif key.verifies(time.time()):
            state = f"verifies until {moment(key.signed_until)}"
        else:
            state = "over"
        print(f"{key.kid}  made {moment(key.made_at)}  {state}")
    return 0
