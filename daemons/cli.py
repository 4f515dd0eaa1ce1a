"""The command line: the one place where daemons, chaos and tools meet. What a command needs is imported when it runs."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from attrs import frozen
from cyclopts import App, Group, Parameter

from daemons.commands.daemonconfig import Daemon, config_class
from daemons.commands.ending import end_with
from daemons.commands.start import start

__all__ = ["main"]

_daemons = Group("Daemons", sort_key=1)
_authority = Group("Who may do what", sort_key=2)
_operating = Group("Operating", sort_key=3)
_tools = Group("Tools", sort_key=4)

app = App(
    name="pitlink",
    help="Keeps a place with a bad connection joined to the people who depend on it.",
    version="0.1.0",
    help_format="plaintext",
)
config_app = App(name="config", help="Check a configuration, or show what holds.", group=_tools)
app.command(config_app)
_COMMANDS = [
    ("keys", _authority, "keys:app", "The keys that a hub signs tokens with."),
    ("token", _authority, "token:app", "The tokens that a hub's API lets in."),
    ("user", _authority, "user:app", "The people who sign in at a hub."),
    ("site", _authority, "site:app", "The sites that a hub lets in."),
    ("status", _operating, "status:status", "Say how a daemon stands."),
    ("logs", _operating, "status:logs", "Show what a daemon says; -f goes on."),
    ("ctl", _operating, "ctl:ctl", "Have a daemon do something."),
    ("race", _operating, "race:app", "Versions of a race that are kept, and whether their history is whole."),
    ("heat", _operating, "heat:app", "A house as it stands, and what it is to do."),
    ("laps", _operating, "laps:laps", "Sessions and laps that a backend has kept."),
    ("replay", _operating, "laps:replay", "Play a session that a backend has kept."),
    ("export", _operating, "laps:export", "A lap or a session as a file."),
    ("audit", _operating, "audit:app", "Who did what, and whether that is whole."),
    ("tui", _operating, "tui:tui", "Show daemons on this terminal, and have them do things."),
    ("enroll", _authority, "enroll:enroll", "Make this site's key, and have the hub let it in."),
    ("backup", _tools, "backup:app", "Copies of a daemon's state, and how one is put back."),
    ("storage", _tools, "backup:storage_app", "What encrypts a daemon's databases."),
    ("doctor", _tools, "doctor:doctor", "What is wrong with a site or hub, and what to do."),
    ("chaos", _tools, "chaos:app", "A bad network on demand, to see what holds."),
    ("install-service", _tools, "service:install_service", "Write the systemd unit of a daemon."),
]
for _name, _group, _place, _help in _COMMANDS:
    app.command(f"daemons.commands.{_place}", name=_name, group=_group, help=_help)

Config = Annotated[
    Path | None, Parameter(name=["--config", "-c"], help="A TOML file; see: pitlink config show.")
]
Listen = Annotated[str | None, Parameter(help="Address to serve on, such as 127.0.0.1:8090 or :8090.")]
StateDir = Annotated[Path | None, Parameter(help="Folder of the daemon's database.")]
LogLevelName = Annotated[str | None, Parameter(help="debug, info, warning or error.")]


@Parameter(name="*")
@frozen(kw_only=True)
class FetchFlags:
    """Bounds of fetches, the same for both daemons."""

    max_in_flight: Annotated[int | None, Parameter(help="Fetches under way at once; past it BUSY.")] = None
    max_body_bytes: Annotated[int | None, Parameter(help="The longest body; past it TOO_LARGE.")] = None
    fetch_timeout_s: Annotated[float | None, Parameter(help="Seconds a fetch may take; past it TIMEOUT.")] = (
        None
    )
    allow: Annotated[
        list[str] | None, Parameter(help="What may be fetched: 'GET,HEAD /events/**'. May be repeated.")
    ] = None

    def options(self) -> dict[str, Any]:
        """Return them as the configuration names them."""
        return {
            "fetch.max_in_flight": self.max_in_flight,
            "fetch.max_body_bytes": self.max_body_bytes,
            "fetch.timeout_s": self.fetch_timeout_s,
            "fetch.allow": self.allow,
        }


_NO_FETCH_FLAGS = FetchFlags()


@app.command(group=_daemons)
def pits(
    *,
    config: Config = None,
    site: Annotated[str | None, Parameter(help="The name of this site, as its token says.")] = None,
    origin_url: Annotated[str | None, Parameter(help="FPVTrackside's web server.")] = None,
    cloud_url: Annotated[str | None, Parameter(help="The hub, such as wss://cloud.example.org.")] = None,
    token_file: Annotated[Path | None, Parameter(help="A file with the site's token.")] = None,
    state_dir: StateDir = None,
    listen: Listen = None,
    share_private: Annotated[bool | None, Parameter(help="Let pilots' real names cross the link.")] = None,
    fetch: FetchFlags = _NO_FETCH_FLAGS,
    log_level: LogLevelName = None,
) -> int:
    """The site at the field, beside FPVTrackside. Works alone; with --cloud-url it keeps a link to the hub."""
    from daemons.ops.options import Secret
    from daemons.ops.secretfile import read_secret

    flags = {
        "site": site,
        "origin_url": origin_url,
        "cloud_url": cloud_url,
        "token": None if token_file is None else Secret(read_secret(token_file, os.environ), token_file),
        "state_dir": state_dir,
        "listen": listen,
        "share_private": share_private,
        "log_level": log_level,
        **fetch.options(),
    }
    return start("pits", config, flags)


@app.command(group=_daemons)
def cloud(
    *,
    config: Config = None,
    listen: Listen = None,
    state_dir: StateDir = None,
    tls_cert: Annotated[Path | None, Parameter(help="Certificate chain (PEM).")] = None,
    tls_key: Annotated[Path | None, Parameter(help="Its key (PEM).")] = None,
    fetch: FetchFlags = _NO_FETCH_FLAGS,
    log_level: LogLevelName = None,
) -> int:
    """The hub: shows spectators the races of its sites. Begins with: pitlink keys init, pitlink site add."""
    flags = {
        "listen": listen,
        "state_dir": state_dir,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "log_level": log_level,
        **fetch.options(),
    }
    return start("cloud", config, flags)


@app.command(group=_daemons)
def boiler(
    *,
    config: Config = None,
    site: Annotated[str | None, Parameter(help="The name of this house, as its nas knows it.")] = None,
    house_file: Annotated[
        Path | None, Parameter(help="Zones and wires; begins with: pitlink heat house.")
    ] = None,
    nas_url: Annotated[str | None, Parameter(help="The nas, such as wss://nas.example.org.")] = None,
    state_dir: StateDir = None,
    listen: Listen = None,
    log_level: LogLevelName = None,
) -> int:
    """Heats a house by itself, from its own file of zones and wires; with --nas-url it keeps a link to the nas."""
    flags = {
        "site": site,
        "house_file": house_file,
        "nas_url": nas_url,
        "state_dir": state_dir,
        "listen": listen,
        "log_level": log_level,
    }
    return start("boiler", config, flags)


@app.command(group=_daemons)
def nas(
    *,
    config: Config = None,
    listen: Listen = None,
    state_dir: StateDir = None,
    tls_cert: Annotated[Path | None, Parameter(help="Certificate chain (PEM).")] = None,
    tls_key: Annotated[Path | None, Parameter(help="Its key (PEM).")] = None,
    log_level: LogLevelName = None,
) -> int:
    """The hub of houses: shows each, and has commands wait for it. Begins with: pitlink keys init, pitlink site add."""
    flags = {
        "listen": listen,
        "state_dir": state_dir,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "log_level": log_level,
    }
    return start("nas", config, flags)


@app.command(group=_daemons)
def relay(
    *,
    config: Config = None,
    site: Annotated[str | None, Parameter(help="The name of this driver, as the backend knows it.")] = None,
    backend_url: Annotated[str | None, Parameter(help="The backend, such as wss://team.example.org.")] = None,
    from_: Annotated[
        Path | None,
        Parameter(name="--from", help="An .ibt file, or a folder of them, in place of the simulator."),
    ] = None,
    memory: Annotated[
        Path | None, Parameter(help="The memory of the simulator's stand-in, for trying.")
    ] = None,
    speed: Annotated[
        float | None, Parameter(help="How fast a file is played; 0: as fast as it goes.")
    ] = None,
    state_dir: StateDir = None,
    listen: Listen = None,
    log_level: LogLevelName = None,
) -> int:
    """The driver's PC, beside iRacing: keeps every tick; with --backend-url the team sees them live and for good."""
    flags = {
        "site": site,
        "backend_url": backend_url,
        "from_file": from_,
        "memory_file": memory,
        "speed": speed,
        "state_dir": state_dir,
        "listen": listen,
        "log_level": log_level,
    }
    return start("relay", config, flags)


@app.command(group=_daemons)
def backend(
    *,
    config: Config = None,
    listen: Listen = None,
    state_dir: StateDir = None,
    tls_cert: Annotated[Path | None, Parameter(help="Certificate chain (PEM).")] = None,
    tls_key: Annotated[Path | None, Parameter(help="Its key (PEM).")] = None,
    log_level: LogLevelName = None,
) -> int:
    """The team's hub for telemetry. Begins with: pitlink keys init, pitlink site add."""
    flags = {
        "listen": listen,
        "state_dir": state_dir,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "log_level": log_level,
    }
    return start("backend", config, flags)


@app.command(group=_tools)
def demo(
    what: Annotated[
        Literal["race", "house", "laps"],
        Parameter(help="A race day for spectators, a house that is heated, or laps of a car."),
    ] = "race",
    /,
    *,
    seconds: Annotated[float, Parameter(help="End after so long; 0: until Ctrl-C.")] = 0.0,
    speed: Annotated[
        float | None,
        Parameter(help="How fast the race day or a file of laps plays (1), or the house's time goes (60)."),
    ] = None,
    seed: Annotated[int, Parameter(help="Another seed is another day.")] = 1,
    event: Annotated[Path | None, Parameter(help="race: play a recorded event directory instead.")] = None,
    from_: Annotated[
        Path | None, Parameter(name="--from", help="laps: play an .ibt file of the simulator instead.")
    ] = None,
    bad_uplink: Annotated[
        str, Parameter(help="A profile for the uplink: pitlink demo --bad-uplink list.")
    ] = "clean",
    port: Annotated[int, Parameter(help="Port of the hub's page; 0: a free one.")] = 0,
    verbose: Annotated[bool, Parameter(help="Show the daemons' logs.")] = False,
) -> int:
    """A site and its hub on this machine, with what the site is for played: a race day, a house to heat, or a car's laps."""
    from chaos.profiles import PROFILES

    if bad_uplink not in PROFILES:
        print("\n".join(f"{profile.name:16} {profile.source}" for profile in PROFILES.values()))
        return 0 if bad_uplink == "list" else 2
    if what == "house":
        from daemons.demohouse import HouseDemoOptions
        from daemons.demohouse import main as run_house

        house = HouseDemoOptions(seconds, 60.0 if speed is None else speed, seed, bad_uplink, port)
        return run_house(house, verbose=verbose)
    if what == "laps":
        from daemons.demolaps import LapsDemoOptions
        from daemons.demolaps import main as run_laps

        laps = LapsDemoOptions(seconds, 1.0 if speed is None else speed, seed, from_, bad_uplink, port)
        return run_laps(laps, verbose=verbose)
    from daemons.demo import DemoOptions
    from daemons.demo import main as run

    race = DemoOptions(seconds, 1.0 if speed is None else speed, seed, event, bad_uplink, port)
    return run(race, verbose=verbose)


@config_app.command
def check(daemon: Daemon, /, *, config: Config = None) -> int:
    """Say whether a daemon would start with this file and the environment; every problem at once."""
    from daemons.ops.config import load_config

    load_config(config_class(daemon), config)
    print("The configuration is good.")
    return 0


@config_app.command
def show(daemon: Daemon, /, *, config: Config = None) -> int:
    """Show every option as it holds, with what it is for. Secrets are masked."""
    from daemons.ops.config import describe, load_config

    for line in describe(load_config(config_class(daemon), config)):
        print(line)
    return 0


def main() -> None:
    """Run the command line and exit, as `end_with` says."""
    end_with(lambda: app(exit_on_error=False, result_action="return_value"))


if __name__ == "__main__":
    main()
