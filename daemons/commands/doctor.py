"""`pitlink doctor`: what is wrong with a site or a hub, in plain words, and what to do about it."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from daemons.commands.daemonconfig import SITES, Daemon, config_class

__all__ = ["doctor"]

_DAEMONS = {"site": "pits", "hub": "cloud"}


def doctor(
    daemon: Literal["pits", "cloud", "boiler", "nas", "relay", "backend", "site", "hub"],
    /,
    *,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"], help="The daemon's TOML file.")] = None,
    state_dir: Annotated[
        Path | None, Parameter(help="The daemon's state folder, where the file does not say.")
    ] = None,
    url: Annotated[
        str,
        Parameter(help="cloud, nas, backend: its address from outside, such as https://cloud.example.org."),
    ] = "",
    quick: Annotated[
        bool, Parameter(negative="", help="Leave out what takes half a minute: uplink rate, idle timeout.")
    ] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="A JSON object a line.")] = False,
) -> int:
    """Look at everything a site (pits, boiler, relay) or a hub (cloud, nas, backend) needs, and say what is wrong and what to do.

    Run it on the daemon's machine, as root or as the daemon's user. Exit code 1: something is BAD.
    """
    from functools import partial

    import trio

    from daemons.link.address import BadHubUrl, HubAddress
    from daemons.ops.config import load_config
    from daemons.ops.doctor.finding import Finding, Verdict, as_data, lines, worst
    from daemons.ops.errors import ConfigError, Problem
    from daemons.ops.logs import LogLevel, configure_logs
    from daemons.ops.tokens import TOKENS_FILE, TokenTable

    configure_logs(LogLevel.ERROR)  # what the parts would log, the findings say
    findings: list[Finding] = []

    def tell(finding: Finding) -> None:
        findings.append(finding)
        print(json.dumps(as_data(finding)) if as_json else "\n".join(lines(finding)), flush=True)

    name: Daemon = _DAEMONS.get(daemon) or daemon  # type: ignore[assignment]
    loaded = load_config(config_class(name), config, flags={"state_dir": state_dir}, closed=False)
    user = _user(name, loaded.state_dir)
    if name in SITES:
        examine = partial(_examiner(name), loaded, tell, user=user, thorough=not quick)
    else:
        try:
            if url:
                HubAddress.parse(url)
        except BadHubUrl as exc:
            raise ConfigError([Problem("--url", str(exc))]) from exc
        tokens = TokenTable(loaded.state_dir / TOKENS_FILE).load()
        examine = partial(
            _examiner(name), loaded, tell, url=url, has_tokens=bool(tokens), user=user, thorough=not quick
        )
    trio.run(examine)
    verdict = worst(findings)
    if not as_json:
        print(
            {Verdict.BAD: "\nSomething is BAD.", Verdict.WARNING: "\nIt works; see the warnings."}.get(
                verdict, "\nAll is well."
            )
        )
    return 1 if verdict is Verdict.BAD else 0


def _examiner(name: Daemon) -> Any:
    if name in ("boiler", "nas"):
        from daemons.heating.doctor import examine_boiler, examine_nas

        return examine_boiler if name == "boiler" else examine_nas
    if name in ("relay", "backend"):
        from daemons.telemetry.doctor import examine_backend, examine_relay

        return examine_relay if name == "relay" else examine_backend
    from daemons.race.doctor import examine_cloud, examine_pits

    return examine_pits if name == "pits" else examine_cloud


def _user(name: str, state_dir: Path) -> str | None:
    """Return whom the service runs as, where this is the service's folder."""
    if sys.platform == "win32":
        return None
    import pwd

    user = f"pitlink-{name}"
    try:
        pwd.getpwnam(user)
    except KeyError:
        return None
    return user if state_dir.absolute().is_relative_to("/var/lib") else None
