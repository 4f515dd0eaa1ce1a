"""`pitlink user`: the people who sign in at a hub with a password."""

import getpass
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import apsw
from cyclopts import App, Parameter

from daemons.commands.hubfile import DEFAULT_STATE, HubState, entry, hub_authority, moment
from daemons.commands.token import check_sites
from daemons.ops.authority import audit, users
from daemons.ops.authority.identity import Role
from daemons.ops.authority.sessions import live_sessions
from daemons.ops.authority.tokens import NameTaken
from daemons.ops.errors import ConfigError, Problem

__all__ = ["app"]

app = App(name="user", help="The people who sign in at a hub.")


Name = Annotated[str, Parameter(help="a–z, 0–9 and ._@-.")]
PasswordFile = Annotated[
    Path | None,
    Parameter(
        allow_leading_hyphen=True,
        help="A file with the password, '-' for standard input; else it is asked for.",
    ),
]


@app.command
def add(
    name: Name,
    /,
    *,
    role: Annotated[
        Literal["viewer", "operator", "admin"],
        Parameter(help="viewer reads, operator commands, admin may all."),
    ] = "viewer",
    site: Annotated[list[str] | None, Parameter(help='A site they are let near; "*" for all.')] = None,
    password_file: PasswordFile = None,
    state_dir: HubState = DEFAULT_STATE,
) -> int:
    """Let a person sign in."""
    sites = check_sites(site)
    try:
        users.check_user_name(name)
    except ValueError as exc:
        raise ConfigError([Problem("NAME", str(exc))]) from exc
    hashed = _hash(name, password_file)

    def work(conn: apsw.Connection) -> None:
        users.add_user(conn, name, hashed, Role(role), sites, time.time())
        audit.append(conn, entry("user.add", name, after={"role": role, "sites": list(sites)}))

    with hub_authority(state_dir) as file:
        try:
            file.write_now(work)
        except NameTaken:
            problem = Problem("NAME", f"there is a user {name!r} already", "pitlink user list")
            raise ConfigError([problem]) from None
    print(f"{name} may sign in as {role} of {', '.join(sites)}.")
    return 0


@app.command(name="list")
def list_all(*, state_dir: HubState = DEFAULT_STATE) -> int:
    """List the people: names, roles, sites, sessions; never a password."""
    with hub_authority(state_dir) as file:
        now = time.time()
        found = file.read(
            lambda conn: [(user, len(live_sessions(conn, user.name, now))) for user in users.list_users(conn)]
        )
    for user, sessions in found:
        state = f"{sessions} sessions" if user.disabled_at is None else f"disabled {moment(user.disabled_at)}"
        print(f"{user.role:9} {','.join(user.sites):20} {user.name:24} {state}")
    if not found:
        print("There are none. Add one: pitlink user add NAME --role operator --site '*'")
    return 0


@app.command
def disable(name: Name, /, *, state_dir: HubState = DEFAULT_STATE) -> int:
    """Let a person in no more, and end their sessions; a hub that runs does so within a second."""

    def work(conn: apsw.Connection) -> int | None:
        ended = users.disable_user(conn, name, time.time())
        if ended is not None:
            audit.append(conn, entry("user.disable", name, after={"sessions_ended": ended}))
        return ended

    with hub_authority(state_dir) as file:
        ended = _known(name, file.write_now(work))
    print(f"{name} is let in no more; {ended} sessions ended.")
    return 0


@app.command
def enable(name: Name, /, *, state_dir: HubState = DEFAULT_STATE) -> int:
    """Let a person who was disabled sign in again."""

    def work(conn: apsw.Connection) -> int | None:
        if not users.enable_user(conn, name):
            return None
        audit.append(conn, entry("user.enable", name))
        return 0

    with hub_authority(state_dir) as file:
        _known(name, file.write_now(work))
    print(f"{name} may sign in again.")
    return 0


@app.command
def password(
    name: Name, /, *, password_file: PasswordFile = None, state_dir: HubState = DEFAULT_STATE
) -> int:
    """Give a person another password, and end their sessions."""
    hashed = _hash(name, password_file)

    def work(conn: apsw.Connection) -> int | None:
        ended = users.set_password(conn, name, hashed, time.time())
        if ended is not None:
            audit.append(conn, entry("user.password", name, after={"sessions_ended": ended}))
        return ended

    with hub_authority(state_dir) as file:
        ended = _known(name, file.write_now(work))
    print(f"{name} has another password; {ended} sessions ended.")
    return 0


@app.command(name="set")
def set_rights(
    name: Name,
    /,
    *,
    role: Annotated[
        Literal["viewer", "operator", "admin"] | None, Parameter(help="Their role from now on.")
    ] = None,
    site: Annotated[
        list[str] | None, Parameter(help='A site they are let near from now on, and no other; "*" for all.')
    ] = None,
    state_dir: HubState = DEFAULT_STATE,
) -> int:
    """Give a person another role or other sites, at once; their sessions go on."""
    if role is None and site is None:
        raise ConfigError([Problem("--role, --site", "say what is to change")])
    sites = None if site is None else check_sites(site)

    def work(conn: apsw.Connection) -> users.User | None:
        user = users.find_user(conn, name)
        if user is None:
            return None
        users.set_rights(conn, name, user.role if role is None else Role(role), sites or user.sites)
        changed = users.find_user(conn, name)
        assert changed is not None
        audit.append(conn, entry("user.set", name, before=_rights(user), after=_rights(changed)))
        return changed

    with hub_authority(state_dir) as file:
        user = file.write_now(work)
    if user is None:
        raise _nobody(name)
    print(f"{name} is {user.role} of {', '.join(user.sites)}.")
    return 0


@app.command
def remove(name: Name, /, *, state_dir: HubState = DEFAULT_STATE) -> int:
    """Forget a person, and end their sessions; the name is free again. What they did stays in the audit."""

    def work(conn: apsw.Connection) -> int | None:
        user = users.find_user(conn, name)
        ended = users.remove_user(conn, name, time.time())
        if user is not None:
            audit.append(
                conn, entry("user.remove", name, before=_rights(user), after={"sessions_ended": ended})
            )
        return ended

    with hub_authority(state_dir) as file:
        ended = _known(name, file.write_now(work))
    print(f"{name} is removed; {ended} sessions ended.")
    return 0


def _rights(user: users.User) -> dict[str, object]:
    return {"role": user.role.value, "sites": list(user.sites)}


def _nobody(name: str) -> ConfigError:
    return ConfigError([Problem("NAME", f"there is no user {name!r}", "pitlink user list")])


def _known(name: str, result: int | None) -> int:
    if result is None:
        raise _nobody(name)
    return result


def _hash(name: str, file: Path | None) -> str:
    """Ask for a password and return its hash. Raises ConfigError when it is a bad one, or two different ones."""
    try:
        if file is None:
            text = getpass.getpass(f"Password of {name}: ")
            if getpass.getpass("Again: ") != text:
                raise ConfigError([Problem("password", "the two are not the same")])
        else:
            given = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
            text = given.rstrip("\r\n")
        users.check_password(text, name)
    except (EOFError, OSError, UnicodeDecodeError) as exc:
        raise ConfigError(
            [Problem("password", f"cannot be read: {exc}", "--password-file names a file")]
        ) from exc
    except ValueError as exc:
        raise ConfigError([Problem("password", str(exc))]) from exc
    return users.Passwords().hash(text)
