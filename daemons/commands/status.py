"""`pitlink status` and `pitlink logs`: how a daemon stands, and what it says."""

import json
import sys
import time
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from daemons.commands.heatwords import house_lines
from daemons.commands.place import At, CaFile, TokenFile, ask_daemon, client_at, printable

__all__ = ["logs", "status"]


def status(
    *,
    at: At = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="All of it, as JSON.")] = False,
) -> int:
    """Say how a daemon stands. Ends with 1 while something is failing."""
    client = client_at(at, token_file, ca_file)
    told = ask_daemon(client.status)
    if as_json:
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for line in _lines(told, time.time()):
            print(printable(line))
    return int(any(warning["severity"] == "failing" for warning in told["warnings"]))


def _lines(told: dict[str, Any], now: float) -> list[str]:
    ready = "ready" if told.get("ready") else "not ready"
    if told.get("words") and not told.get("ready"):
        ready += f" ({told['words']})"
    lines = [f"{told.get('daemon', 'daemon')} {told.get('site') or told.get('hub') or ''}: {ready}"]
    if "light" in told:
        lines.append(f"light    {told['light']}: {told['sentence']}")
    if "sites" not in told:
        link = told.get("link")
        lines.append("link     none" if link is None else f"link     {link['status']}: {link['words']}")
    for house in told.get("heating", ()):
        lines.extend(house_lines(house))
    if "origin" in told:
        lines.append(f"origin   {told['origin']['state']}: {told['origin']['words']}")
        lines.append(f"answers  {'paused' if told.get('paused') else 'running'}")
        off = [rule["pattern"] for rule in told.get("allowlist", []) if not rule["enabled"]]
        if off:
            lines.append(f"switched off: {', '.join(off)}")
    for name, site in told.get("sites", {}).items():
        lines.append(f"{name:20} {_site(site, now)}")
    for name, channel in told.get("channels", {}).items():
        lines.append(f"outbox   {name}: {channel['unacknowledged']} not acknowledged")
    audit = told["audit"]
    lines.append(f"audit    {audit['count']} rows")
    lines += [
        f"{warning['severity'].upper():9}{warning['name']}: {warning['words']} (for {_age(now - warning['since'])})"
        for warning in told["warnings"]
    ] or ["no warnings"]
    return lines


def _site(site: dict[str, Any], now: float) -> str:
    if not site["connected"]:
        seen = site["last_seen_at"]
        return "never seen" if seen is None else f"gone for {_age(now - seen)}"
    round_trip = site["round_trip_s"]
    words = "connected" if round_trip is None else f"connected, {round_trip * 1000:.0f} ms"
    as_of = site.get("as_of")
    return words if as_of is None else f"{words}, shown as of {_age(now - as_of)} ago"


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def logs(
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="", help="Go on.")] = False,
    count: Annotated[int, Parameter(name=["--count", "-n"], help="How many of the newest lines.")] = 100,
    level: Annotated[
        Literal["debug", "info", "warning", "error"], Parameter(help="The least severe lines to show.")
    ] = "debug",
    trace: Annotated[
        str, Parameter(help="Only the lines of this wish, as Pitlink-Trace in an answer names it.")
    ] = "",
    at: At = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Each line as JSON.")] = False,
) -> int:
    """Show what a daemon last said, and with -f what it goes on to say."""
    client = client_at(at, token_file, ca_file)

    async def show() -> None:
        async with client.log(count=max(0, count), level=level, follow=follow, trace=trace) as lines:
            async for line in lines:
                print(json.dumps(line, ensure_ascii=False) if as_json else _log_line(line))
                sys.stdout.flush()

    ask_daemon(show)
    return 0


def _log_line(line: dict[str, Any]) -> str:
    if "dropped" in line:
        return f"... {line['dropped']} lines were dropped ..."
    said = dict(line["line"])
    at, event = said.pop("at", ""), said.pop("event", "")
    failure = said.pop("exception", None)
    for key in ("level", "logger"):
        said.pop(key, None)
    rest = " ".join(f"{key}={value}" for key, value in said.items())
    shown = printable(f"{at} {line['level']:8}{event} {rest}".rstrip())
    if failure:
        shown += "".join(f"\n    {printable(part)}" for part in str(failure).splitlines())
    return shown
