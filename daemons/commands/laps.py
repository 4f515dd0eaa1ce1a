"""`pitlink laps`, `replay` and `export`: what a backend has kept of the team's cars, on the command line."""

import base64
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from daemons.commands.place import At, CaFile, TokenFile, ask_daemon, client_at, printable
from daemons.ops.errors import RefusedToStart
from tui.model.laptimes import lap_time

if TYPE_CHECKING:  # what asks is imported when something is asked
    from daemons.ops.client import AdminClient

__all__ = ["export", "laps", "replay"]

Session = Annotated[str, Parameter(help="A session's id, as pitlink laps says it.")]


def laps(
    what: Annotated[str, Parameter(help="A driver, or a session's id; without it all sessions.")] = "",
    /,
    *,
    last: Annotated[int, Parameter(help="So many sessions, the newest.")] = 20,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="As JSON.")] = False,
    at: At = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
) -> int:
    """List sessions that a backend has kept, or the laps of one: times, sectors, and why a lap does not count."""
    client = client_at(at, token_file, ca_file)

    async def ask() -> dict[str, Any]:
        from daemons.ops.client import AdminError

        found: dict[str, Any] = await client.act("telemetry.sessions", driver=what, limit=last)
        if found["sessions"] or not what:
            return found
        try:
            told: dict[str, Any] = await client.act("telemetry.laps", session=what)
        except AdminError as exc:
            if exc.status != 404:
                raise
            raise RefusedToStart(f"there is neither a session nor a driver {what!r} here") from exc
        return told

    told = ask_daemon(ask)
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        for line in _sessions(told["sessions"]) if "sessions" in told else _laps(told):
            print(printable(line))
    return 0


def _sessions(sessions: list[dict[str, Any]]) -> list[str]:
    if not sessions:
        return ["no session was kept yet"]
    lines = [f"{'session':34} {'began':16} {'laps':>4} {'best':>9}  what"]
    for one in sessions:
        began = datetime.fromtimestamp(one["started"] / 1000).strftime("%Y-%m-%d %H:%M")
        what = " · ".join(filter(None, [one["kind"], one["track"], one["car"], ", ".join(one["drivers"])]))
        lines.append(f"{one['id']:34} {began:16} {one['laps']:>4} {lap_time(one['best_s']):>9}  {what}")
    return lines


def _laps(told: dict[str, Any]) -> list[str]:
    sectors = max((len(lap["sectors"]) for lap in told["laps"]), default=0)
    heads = "".join(f" {f'S{number}':>8}" for number in range(1, sectors + 1))
    lines = [f"{'lap':>4} {'time':>9}{heads} {'fuel':>6}  driver"]
    for lap in told["laps"]:
        times = "".join(f" {lap_time(one):>8}" for one in lap["sectors"]).ljust(9 * sectors)
        fuel = "-" if lap["fuel_litres"] is None else f"{lap['fuel_litres']:.2f} l"
        why = f"  does not count: {', '.join(lap['invalid'])}" if lap["invalid"] else ""
        lines.append(
            f"{lap['number']:>4} {lap_time(lap['time_s']):>9}{times} {fuel:>6}  {lap['driver']}{why}"
        )
    return lines


def replay(
    session: Session,
    /,
    *,
    speed: Annotated[float, Parameter(help="How fast: 1 as it was driven, 1000 at most.")] = 1.0,
    from_s: Annotated[float, Parameter(name="--from", help="Begin so many seconds into it.")] = 0.0,
    driver: Annotated[str, Parameter(help="Only this driver's part.")] = "",
    channel: Annotated[
        list[str] | None, Parameter(help="A channel by the simulator's name, such as Speed. May be repeated.")
    ] = None,
    at: At = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
) -> int:
    """Play a session that was kept: a JSON object a line, with ticks and values of each channel, as fast as is asked for."""
    client = client_at(at, token_file, ca_file)

    async def ask() -> int:
        async with client.follow(
            "replay",
            session=session,
            speed=speed,
            from_s=from_s,
            driver=driver,
            channels=",".join(channel or ()),
        ) as lines:
            async for line in lines:
                if "error" in line:
                    raise RefusedToStart(printable(line["error"]))
                print(json.dumps(line, ensure_ascii=False), flush=True)
        return 0

    return ask_daemon(ask)


def export(
    lap_or_session: Annotated[
        str, Parameter(help="A session's id, or a lap's: SESSION's recording and number.")
    ],
    /,
    *,
    to: Annotated[
        Path,
        Parameter(name=["--to", "-o"], help="The file; its ending says the format: .csv, .parquet, .ibt."),
    ],
    at: At = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
) -> int:
    """Write a lap or a session as a file for other programs; .ibt is the simulator's own, byte by byte."""
    format_ = to.suffix.removeprefix(".").lower()
    client = client_at(at, token_file, ca_file)
    written = ask_daemon(lambda: _write(client, lap_or_session, format_, to))
    print(f"written: {to}, {written} bytes")
    return 0


async def _write(client: "AdminClient", of: str, format_: str, to: Path) -> int:
    """Fetch the file into one beside it, then put that in its place: a part of a file is never taken for one."""
    part, written, is_whole = to.with_name(f".{to.name}.part"), 0, False
    try:
        with part.open("wb") as file:
            async with client.follow("export", of=of, format=format_) as lines:
                async for line in lines:
                    if "error" in line:
                        raise RefusedToStart(printable(line["error"]))
                    is_whole = is_whole or bool(line.get("end"))
                    written += file.write(base64.b64decode(line.get("data", "")))
                    if sys.stderr.isatty():
                        print(f"\r{written / 1e6:.1f} MB", end="", file=sys.stderr, flush=True)
        if not is_whole:
            raise RefusedToStart(f"the backend ended in the middle: {to} was not written; try again")
        part.replace(to)
    except OSError as exc:
        raise RefusedToStart(f"{to} cannot be written: {exc.strerror}") from exc
    finally:
        part.unlink(missing_ok=True)
        if sys.stderr.isatty():
            print(file=sys.stderr)
    return written
