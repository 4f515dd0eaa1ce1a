"""`pitlink chaos`: faults for real connections."""

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import trio
from cyclopts import App, Parameter

from daemons.ops.errors import ConfigError, Problem, RefusedToStart

if TYPE_CHECKING:
    from chaos.proxy.board import Board

app = App(name="chaos", help="A bad network on demand, to see what holds.")
app.command(
    "daemons.commands.chaos_drill:drill", name="drill", help="Play faults on daemons, and judge what held."
)

app.command(
    "daemons.commands.chaos_heal:heal",
    name="heal",
    help="End what drills left behind, and see that it has ended.",
)
app.command(
    "daemons.commands.chaos_drills:drills",
    name="drills",
    help="List the drills that come along, and what they prove.",
)
app.command(
    "daemons.commands.chaos_sim:sim",
    name="sim",
    help="Simulate hours of it: many seeds, and what fails made small.",
)
app.command(
    "daemons.commands.chaos_replay:replay",
    name="replay",
    help="Play a drill again in simulation, and compare.",
)

LOOPBACK = ("127.0.0.1", "::1", "localhost")
TOKEN_LEAST = 16


@app.command
def profiles(
    *, as_json: Annotated[bool, Parameter(name="--json", help="With all figures, as JSON.")] = False
) -> int:
    """List the uplinks that can be played, and where their figures are from."""
    from chaos.faults import show_fault
    from chaos.profiles import NOT_CARRIED, PROFILES

    if as_json:
        shown = {
            profile.name: {
                "source": profile.source,
                "toxics": [
                    {
                        "name": placed.name,
                        "type": placed.fault.type,
                        "stream": placed.stream,
                        "attributes": show_fault(placed.fault),
                    }
                    for placed in profile.placed()
                ],
            }
            for profile in PROFILES.values()
        }
        print(json.dumps(shown, indent=2))
        return 0
    for profile in PROFILES.values():
        print(f"{profile.name:16} {profile.source}")
    for name, why in NOT_CARRIED.items():
        print(f"{name:16} (not by a relay: {why})")
    return 0


@app.command
def proxy(
    *,
    listen: Annotated[str | None, Parameter(help="Where clients dial, such as 127.0.0.1:9443.")] = None,
    to: Annotated[str | None, Parameter(help="The server behind it: host:port.")] = None,
    profile: Annotated[
        str, Parameter(help="The uplink to play from the start; see: pitlink chaos profiles.")
    ] = "clean",
    name: Annotated[str, Parameter(help="What the API calls this proxy.")] = "relay",
    api: Annotated[
        str | None,
        Parameter(help="Serve an API as Toxiproxy's: a Unix socket's path, or 127.0.0.1:8474, with a token."),
    ] = None,
    api_token_file: Annotated[
        Path | None, Parameter(help="The token of an API on loopback; without it one is made and shown.")
    ] = None,
    lease: Annotated[
        float, Parameter(help="Seconds after which a fault set over the API ends, unless renewed; 0: never.")
    ] = 600.0,
    seed: Annotated[
        int | None, Parameter(help="The same seed makes the same draws; without it a fresh one, shown.")
    ] = None,
) -> int:
    """Relay TCP connections with faults: TLS passes unseen. Ends with Ctrl-C, and all faults with it."""
    from chaos.profiles import PROFILES
    from chaos.proxy.board import LEASE_MAX_S
    from daemons.ops.lifecycle import run_daemon
    from daemons.ops.logs import LogLevel, configure_logs

    problems = []
    if (listen is None) != (to is None) or (listen is None and api is None):
        problems.append(Problem("--listen, --to", "belong together; without them there must be an --api"))
    if profile not in PROFILES:
        problems.append(
            Problem(profile, "is no profile that a relay can play", "see: pitlink chaos profiles")
        )
    if not 0 <= lease <= LEASE_MAX_S:
        problems.append(Problem("--lease", f"must be 0 to {LEASE_MAX_S:.0f}"))
    problems += _problems_of_addresses(listen, to, api)
    if problems:
        raise ConfigError(problems)
    token = _read_token(api_token_file) if api_token_file is not None else secrets.token_urlsafe(18)
    seed = secrets.randbelow(2**32) if seed is None else seed
    configure_logs(LogLevel.WARNING)

    async def run(stop: trio.Event) -> None:
        from chaos.proxy.board import BoardError, open_board

        async with open_board(seed=str(seed), lease_s=lease) as board, trio.open_nursery() as nursery:
            try:
                if listen is not None and to is not None:
                    relay = await board.create(name, listen, to)
                    for placed in PROFILES[profile].placed():
                        relay.place(placed)
                    print(f"Relay: {relay.listen} to {to}, as {profile}, seed {seed}")
            except BoardError as exc:
                raise RefusedToStart(str(exc)) from exc
            if api is not None:
                print(await _serve_api(board, nursery, api, token, is_shown=api_token_file is None))
            print("Ctrl-C ends it.", flush=True)
            await stop.wait()
            nursery.cancel_scope.cancel(reason="the relay ends")

    return run_daemon(run)


async def _serve_api(board: "Board", nursery: trio.Nursery, api: str, token: str, *, is_shown: bool) -> str:
    """Start the API; return a line that says where it is. Raises RefusedToStart."""
    from chaos.proxy.http import SocketInUse, serve_tcp_api, serve_unix_api

    try:
        if _is_path(api):
            await nursery.start(serve_unix_api, board, Path(api))
            return f"API: {api}"
        host, port = _split(api)
        bound = await nursery.start(serve_tcp_api, board, host, port, token)
    except (OSError, SocketInUse) as exc:
        raise RefusedToStart(f"the API cannot be served: {exc}") from exc
    shown = f"[{host}]" if ":" in host else host
    user = f"pitlink:{token}@" if is_shown else ""
    return f"API: http://{user}{shown}:{bound}"


def _problems_of_addresses(listen: str | None, to: str | None, api: str | None) -> list[Problem]:
    problems = []
    for flag, address in (("--listen", listen), ("--to", to), ("--api", api)):
        if address is None or (flag == "--api" and _is_path(address)):
            continue
        try:
            host, _ = _split(address)
        except ValueError as exc:
            problems.append(Problem(flag, str(exc)))
        else:
            if flag == "--api" and host not in LOOPBACK:
                problems.append(Problem(flag, "must be a Unix socket's path, or on 127.0.0.1"))
    return problems


def _split(address: str) -> tuple[str, int]:
    from chaos.proxy.proxy import split_address

    return split_address(address)


def _is_path(api: str) -> bool:
    return "/" in api or not (":" in api or api.isdecimal())


def _read_token(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError([Problem(str(path), f"cannot be read: {exc}")]) from exc
    if len(token) < TOKEN_LEAST:
        raise ConfigError([Problem(str(path), f"holds less than {TOKEN_LEAST} characters")])
    return token
