"""`pitlink heat`: a house as it stands, and what it is to do, at its boiler or at the nas."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from attrs import frozen
from cyclopts import App, Parameter

from daemons.commands.heatwords import (
    DAYS,
    celsius,
    house_lines,
    on_off,
    read_entries,
    read_target,
    read_until,
    read_zone,
)
from daemons.commands.place import At, CaFile, TokenFile, ask_daemon, client_at, printable
from daemons.ops.errors import BadArguments, Problem, RefusedToStart

if TYPE_CHECKING:  # what asks is imported when something is asked
    from daemons.ops.client import AdminClient

__all__ = ["app"]

app = App(name="heat", help="A house as it stands, and what it is to do.")

UNDECIDED = 4
"""Exit code of a command that nobody has decided yet: it waits for the house, or the house has not answered."""

Zone = Annotated[str, Parameter(help="A zone's id, as pitlink heat show says it; all: every room.")]


@Parameter(name="*")
@frozen(kw_only=True)
class Where:
    """Which daemon is asked, and for which house."""

    house: Annotated[str, Parameter(help="Which house, at a nas that has several.")] = ""
    at: At = None
    token_file: TokenFile = None
    ca_file: CaFile = None

    def client(self) -> "AdminClient":
        """Return the client of the daemon. Raises RefusedToStart and BadArguments."""
        return client_at(self.at, self.token_file, self.ca_file)


@Parameter(name="*")
@frozen(kw_only=True)
class Patience:
    """How long a command is good for, and how long its result is waited for."""

    lifetime: Annotated[
        float | None,
        Parameter(help="Seconds the command may wait for the house; 30 for a switch, else an hour."),
    ] = None
    wait: Annotated[float, Parameter(help="Seconds to wait for the house's word.")] = 10.0


_HERE, _PATIENT = Where(), Patience()


@app.command
def show(
    *,
    where: Where = _HERE,
) -> int:
    """Show every zone: what it is, what it wants, whether it is heated and why, and how old that is."""
    told = ask_daemon(where.client().status)
    for one in _chosen(_houses(told), where.house):
        for line in house_lines(one):
            print(printable(line))
    return 0


@app.command(name="set")
def set_(
    zone: Zone,
    value: Annotated[str, Parameter(help="21.5 (°C), 70F, or on and off for hot water.")],
    /,
    *until: Annotated[str, Parameter(help="until 22:00, until 2026-12-24 18:00, for 3h, for good.")],
    where: Where = _HERE,
    patience: Patience = _PATIENT,
) -> int:
    """Have a zone at another target, until its week says something else or as said: pitlink heat set living 21.5 until 22:00.

    Ends with 0 when the house has done it, 1 when it refused or it came too late, 4 while that is not decided.
    """
    params = {"zone": read_zone(zone), **read_target(value), **read_until(until)}
    return _do("heat.override", params, where, patience)


@app.command
def resume(
    zone: Zone,
    /,
    *,
    where: Where = _HERE,
    patience: Patience = _PATIENT,
) -> int:
    """Take an override back: the zone's week holds again."""
    return _do("heat.resume", {"zone": read_zone(zone)}, where, patience)


@app.command
def mode(
    zone: Zone,
    to: Annotated[
        Literal["auto", "manual", "thermostat"],
        Parameter(help="By its week, by hand, or its wall thermostat."),
    ],
    value: Annotated[str, Parameter(help="For manual: 21.5, 70F, on or off.")] = "",
    /,
    *,
    where: Where = _HERE,
    patience: Patience = _PATIENT,
) -> int:
    """Put a zone into another mode."""
    params = {"zone": read_zone(zone), "mode": to, **(read_target(value) if value else {})}
    return _do("heat.mode", params, where, patience)


@app.command
def week(
    zone: Zone,
    /,
    *entries: Annotated[
        str, Parameter(help='Such as "mon-fri 06:00 20.5" "sat-sun 08:00 20" "daily 22:00 17".')
    ],
    clear: Annotated[
        bool, Parameter(help="Give it an empty week: 18 °C, as long as it says nothing.")
    ] = False,
    where: Where = _HERE,
    patience: Patience = _PATIENT,
) -> int:
    """Show a zone's week, or give it another one."""
    if entries or clear:
        params = {"zone": read_zone(zone), "entries": [] if clear else list(read_entries(entries))}
        return _do("heat.week", params, where, patience)
    client = where.client()

    async def ask() -> Any:
        return await client.act("heat.settings", **await _site_of(client, where))

    found = ask_daemon(ask).get("zones", {}).get(zone, {}).get("week", [])
    for entry in found:
        wanted = (
            celsius(entry.get("celsius")) if entry.get("celsius") is not None else on_off(entry.get("is_on"))
        )
        print(f"{DAYS[entry['day']]} {entry['minute'] // 60:02}:{entry['minute'] % 60:02} {wanted}")
    if not found:
        print(printable(f"{zone} has no week"))
    return 0


@app.command
def preset(
    name: Annotated[str, Parameter(help="A preset's name; \"none\": the zones' own weeks.")],
    /,
    *until: Annotated[str, Parameter(help="until 2027-01-06, for 3d; without it until changed.")],
    where: Where = _HERE,
    patience: Patience = _PATIENT,
) -> int:
    """Have a preset hold."""
    when = read_until(until)
    when.pop("end", None)
    params = {"name": "" if name == "none" else name, **when}
    return _do("heat.use_preset", params, where, patience)


@app.command
def switch(
    to: Annotated[
        Literal["on", "off"], Parameter(help="off: nothing but frost duty, hot water and exercise.")
    ],
    /,
    *,
    where: Where = _HERE,
    patience: Patience = _PATIENT,
) -> int:
    """Switch heating on, or off for the summer."""
    return _do("heat.switch", {"is_on": to == "on"}, where, patience)


@app.command
def unlock(
    what: Annotated[str, Parameter(help="boiler, or a zone's id.")],
    /,
    *,
    where: Where = _HERE,
    patience: Patience = _PATIENT,
) -> int:
    """Reset a lock-out, after somebody has looked why."""
    return _do("heat.unlock", {"what": what}, where, patience)


@app.command
def commands(
    *,
    where: Where = _HERE,
) -> int:
    """List the commands to a house, the newest first, with every attempt to deliver them."""
    client = where.client()

    async def ask() -> Any:
        return await client.act("heat.commands", **await _site_of(client, where))

    for command in ask_daemon(ask):
        tries = len(command.get("attempts") or ())
        words = command.get("words") or ""
        do = {key: value for key, value in command["action"].items() if key != "do" and value is not None}
        said = " ".join(f"{key}={_short(value)}" for key, value in do.items())
        print(
            printable(
                f"{command['id']} {command['status']:8} {tries} tried  {command['action']['do']} {said}  {words}".rstrip()
            )
        )
    return 0


def _short(value: object) -> str:
    """Return a value of a command; of the entries of a week how many they are."""
    return f"{len(value)}" if isinstance(value, list | dict) else f"{value}"


@app.command
def withdraw(
    id_: Annotated[str, Parameter(help="As pitlink heat commands shows it.")],
    /,
    *,
    where: Where = _HERE,
) -> int:
    """Have a house not run a command that it has not run yet."""
    return _ask("heat.withdraw", {"id": id_}, where)


@app.command(name="house")
def house_(
    file: Annotated[
        Path | None, Parameter(help="A house file to check; without it a sample is printed.")
    ] = None,
    /,
) -> int:
    """Print a house file to begin with, all of it explained; or say what is wrong with one."""
    from daemons.heating.housefile import read_house, sample_house

    if file is None:
        print(sample_house(), end="")
        return 0
    plant, _ = read_house(file)
    print(printable(f"{plant.house}: {len(plant.zones)} zones. The house file is good."))
    return 0


# --- asking --------------------------------------------------------------------------------------------------------


def _do(action: str, params: Mapping[str, Any], where: Where, patience: Patience) -> int:
    more = {} if patience.lifetime is None else {"lifetime_s": patience.lifetime}
    return _ask(action, {**params, **more, "wait_s": patience.wait}, where)


def _ask(action: str, params: Mapping[str, Any], where: Where) -> int:
    client = where.client()

    async def ask() -> Any:
        return await client.act(action, **await _site_of(client, where), **params)

    command = ask_daemon(ask)
    status, words = command["status"], command.get("words") or ""
    print(printable(f"{status}: {words}" if words else _meaning(status, command)))
    return {"DONE": 0, "FAILED": 1, "EXPIRED": 1}.get(status, UNDECIDED)


async def _site_of(client: "AdminClient", where: Where) -> dict[str, str]:
    """Return the parameter that names the house, for a daemon that wants one. Raises RefusedToStart, BadArguments."""
    houses = _chosen(_houses(await client.status()), where.house)
    known = {row["name"]: row for row in await client.actions()}
    if not any(param["name"] == "site" for param in known["heat.settings"]["params"]):
        return {}
    if len(houses) > 1:
        which = ", ".join(str(one["site"]) for one in houses)
        raise BadArguments([Problem("--house", "this nas has several houses", f"choose one: {which}")])
    return {"site": houses[0]["site"]}


def _meaning(status: str, command: Mapping[str, Any]) -> str:
    match status:
        case "QUEUED":
            until = time.strftime("%H:%M on %d %b", time.localtime(command["expires_at"]))
            return f"QUEUED: it waits for the house until {until} by this machine's clock ({command['id']})"
        case "SENT":
            return f"SENT: the house has it and has not said yet what came of it ({command['id']})"
        case "UNKNOWN":
            return f"UNKNOWN: the house did not answer; withdraw it, or wait ({command['id']})"
        case _:
            return status


def _houses(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    told = status.get("heating")
    found = [told] if isinstance(told, dict) else list(told or ())
    if not found:
        raise RefusedToStart("this daemon heats nothing: name a boiler or a nas with --at")
    return found


def _chosen(houses: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Return the houses that are meant: the one of that name, or without one all. Raises BadArguments."""
    known = [str(one.get("site") or one["house"]) for one in houses]
    if name and name not in known:
        raise BadArguments(
            [Problem("--house", f"there is no house {name!r}", f"here are {', '.join(known)}")]
        )
    return [one for one in houses if not name or name in (one.get("site"), one["house"])]
