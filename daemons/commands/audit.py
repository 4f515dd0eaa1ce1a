"""`pitlink audit`: who did what, and whether the table that says so is as it was written."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from attrs import asdict
from cyclopts import App, Parameter

from daemons.commands.place import At, CaFile, TokenFile, ask_daemon, client_at, folder_at, printable
from daemons.ops.authority import heads
from daemons.ops.authority.audit import Head
from daemons.ops.authority.file import FILE_NAME, open_authority
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.client import ADMIN_SOCKET, Unreachable
from daemons.ops.errors import ConfigError, Problem, RefusedToStart
from daemons.ops.health import Health
from daemons.ops.storage import environment_key
from daemons.store.errors import StorageError

__all__ = ["app"]

app = App(name="audit", help="Who did what at a daemon, and whether the table that says so is whole.")

AsJson = Annotated[bool, Parameter(name="--json", negative="", help="As JSON.")]


@app.command
def show(
    *,
    last: Annotated[int, Parameter(name=["--last", "-n"], help="How many of the newest rows.")] = 50,
    after: Annotated[int, Parameter(help="Only rows past this number.")] = 0,
    at: At = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> int:
    """Show the newest rows, of a daemon that runs or does not."""
    folder = folder_at(at)
    if folder is not None and not _runs(folder):
        with _trail(folder) as trail:
            rows = [row.as_data() for row in trail.rows(after=max(0, after), last=max(0, last))]
    else:
        client = client_at(at, token_file, ca_file)
        rows = ask_daemon(lambda: client.audit(after=max(0, after), last=max(0, last)))
    for row in rows:
        print(json.dumps(row, ensure_ascii=True) if as_json else _line(row))
    return 0


@app.command
def verify(
    *,
    head: Annotated[
        str | None, Parameter(help="One noted earlier, count:hash, to hold against the table.")
    ] = None,
    at: At = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
) -> int:
    """Read every row and say whether one was changed, removed or moved; by heads kept elsewhere, whether the end was cut.

    Ends with 1 when something is wrong. The daemon need not run.
    """
    try:
        known = None if head is None else Head.parse(head)
    except ValueError as exc:
        raise ConfigError([Problem("--head", str(exc))]) from exc
    folder = folder_at(at)
    if folder is not None and not _runs(folder):
        with _trail(folder) as trail:
            faults, now = ask_daemon(lambda: trail.verify(known))
            found, kept = [asdict(fault) for fault in faults], sorted(trail.file.read(heads.kept_by))
            told = str(now)
        print("The daemon does not run: what its peers keep is taken as they last said it.")
        if not kept:
            print(
                "No peer has said that it keeps a head of this audit; only --head can show that its end was cut."
            )
    else:
        client = client_at(at, token_file, ca_file)
        answer = ask_daemon(lambda: client.verify_audit(head))
        found, told = answer["faults"], answer["head"]
    for fault in found:
        print(printable(f"WRONG at row {fault['number']}: {fault['words']}"))
    if not found:
        print("The audit is whole.")
    print(f"Its head is {told}")
    return int(bool(found))


@app.command(name="heads")
def show_heads(*, at: At = None) -> int:
    """Show the heads of other daemons' audits that are kept here: for `pitlink audit verify --head` there."""
    folder = folder_at(at)
    if folder is None:
        raise ConfigError(
            [Problem("--at", "heads are read on the daemon's machine", "name its state folder")]
        )
    with _trail(folder) as trail:
        rows = trail.file.read(heads.list_kept)
        own = trail.head()
    print(f"{'own':20} {own}")
    for row in rows:
        print(f"{row.peer:20} {row.head}{'  BROKEN: ' + printable(row.broken) if row.broken else ''}")
    return 0


def _runs(folder: Path) -> bool:
    """Does a daemon answer there? Raises RefusedToStart for one that may not be asked."""
    from daemons.ops.ask import Place

    async def knock() -> bool:
        try:
            stream = await Place(folder / ADMIN_SOCKET).connect()
        except Unreachable as exc:
            if isinstance(exc.__cause__, PermissionError):
                raise
            return False
        await stream.aclose()
        return True

    return ask_daemon(knock)


@contextmanager
def _trail(folder: Path) -> Iterator[AuditTrail]:
    if not (folder / FILE_NAME).exists():
        raise RefusedToStart(f"there is no audit in {folder}; name a daemon's state folder with --at")
    try:
        with open_authority(folder, migrations=AUTHORITY_MIGRATIONS, key=environment_key()) as file:
            yield AuditTrail(file, time.time, Health(time.time))
    except StorageError as exc:
        raise RefusedToStart(str(exc)) from exc


def _line(row: dict[str, Any]) -> str:
    try:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(row["at_utc_s"]))
    except (OverflowError, OSError, ValueError):  # of a row that somebody tampered with
        when = "???????????????????"
    said = " ".join(
        f"{name}={json.dumps(row[name], ensure_ascii=False)}"
        for name in ("before", "after")
        if row[name] is not None
    )
    target = f" {row['target']}" if row["target"] else ""
    return printable(
        f"{row['number']:6} {when} {row['who']}: {row['action']}{target} {row['outcome']} {said}".rstrip()
    )
