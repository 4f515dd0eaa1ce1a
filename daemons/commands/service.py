"""`pitlink install-service`: the systemd files of a daemon, written where systemd looks for them."""

import shutil
import subprocess
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

__all__ = ["install_service"]


def install_service(
    daemon: Literal["pits", "cloud", "boiler", "nas", "backend"],
    /,
    *,
    instance: Annotated[str, Parameter(help="One of several sites on this machine: its name.")] = "",
    tls_cert: Annotated[Path | None, Parameter(help="cloud: certificate chain; it serves port 443.")] = None,
    tls_key: Annotated[Path | None, Parameter(help="cloud: the certificate's key.")] = None,
    root: Annotated[Path, Parameter(help="Write below this folder and start nothing.")] = Path("/"),
    replace: Annotated[bool, Parameter(help="Write over files that were changed by hand.")] = False,
) -> int:
    """Write the systemd unit of a daemon, its user and its folders, and say what comes next."""
    from daemons.ops.errors import ConfigError, Problem, RefusedToStart
    from daemons.ops.units import hidden_places, programs_home, unit_files, write_units
    from daemons.race.config import check_site_name

    if instance:
        try:
            check_site_name(instance)
        except ValueError as exc:
            raise ConfigError([Problem("--instance", str(exc))]) from exc
    if (tls_cert is None) != (tls_key is None):
        raise ConfigError([Problem("--tls-cert, --tls-key", "one is set without the other")])
    tls = None if tls_cert is None or tls_key is None else (tls_cert.absolute(), tls_key.absolute())
    program, home = programs_home()
    files = unit_files(daemon, instance=instance, tls=tls, program=program, home=home)
    is_here = root == Path("/")
    if is_here and (why := list(hidden_places(program))):
        raise RefusedToStart("\n".join(why))
    for path in write_units(files, root, replace=replace):
        print(f"written: {path}")
    if is_here:
        for command in (
            ["systemd-sysusers"],
            ["systemd-tmpfiles", "--create"],
            ["systemctl", "daemon-reload"],
        ):
            _run(command)
    print("\n".join(_next_steps(daemon, instance, str(program))))
    return 0


def _run(command: list[str]) -> None:
    """Run one of systemd's tools. Raises RefusedToStart with its words."""
    from daemons.ops.errors import RefusedToStart

    found = shutil.which(command[0])
    if found is None:
        raise RefusedToStart(f"there is no {command[0]} here: is this a machine with systemd?")
    done = subprocess.run([found, *command[1:]], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RefusedToStart(f"{' '.join(command)} failed: {done.stderr.strip() or done.returncode}")


def _next_steps(daemon: str, instance: str, program: str) -> list[str]:
    suffix = f"-{instance}" if instance else ""
    unit = f"pitlink-{daemon}@{instance}" if instance else f"pitlink-{daemon}"
    state, config = f"/var/lib/pitlink-{daemon}{suffix}", f"/etc/pitlink/{daemon}{suffix}.toml"
    as_user = f"runuser -u pitlink-{daemon} -- {program}"
    if daemon in ("cloud", "nas", "backend"):
        first = [f"{as_user} keys init --state-dir {state}", f"{as_user} site add NAME --state-dir {state}"]
        note = "site add prints the code that the site enrols with."
    elif daemon == "boiler":
        first = [
            f"echo 'house_file = \"/etc/pitlink/house.toml\"' >> {config}",
            f"{program} heat house > /etc/pitlink/house.toml",
            f"{as_user} enroll https://nas.example.org --state-dir {state}",
        ]
        note = (
            "house.toml is a sample: zones and pins are yours to write. Without a nas enroll is not needed."
        )
    else:
        first = [f"{as_user} enroll https://cloud.example.org --state-dir {state}"]
        note = "enroll asks for the code that the hub's operator has; without a hub it is not needed."
    steps = [
        f"touch {config}",
        *first,
        f"systemctl enable --now {unit}",
        f"{program} doctor {daemon} -c {config} --state-dir {state}",
    ]
    return [
        "Next:",
        *(f"  {step}" for step in steps),
        note,
        f"Options for {config}: {program} config show {daemon}",
    ]
