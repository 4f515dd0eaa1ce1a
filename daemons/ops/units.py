"""The systemd files of a daemon: filled in with where the program is, and written to a machine or below another root.

The files of `systemd/` are the truth: they are good as they stand for a program in /opt/pitlink, and what is written
differs from them only in that path, in an instance's name and in where the certificate lies.
"""

import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from attrs import frozen

from daemons.ops.errors import ConfigError, Problem, RefusedToStart

__all__ = ["Daemon", "UnitFile", "hidden_places", "programs_home", "unit_files", "write_units"]

Daemon = Literal["pits", "cloud", "boiler", "nas", "backend"]

_HOME = "/opt/pitlink"
_PROGRAM = f"{_HOME}/.venv/bin/pitlink"
_PYTHON = f"{_HOME}/.venv/bin/python"
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""What ProtectHome and PrivateTmp take from a daemon's sight."""


@frozen
class UnitFile:
    """A file to be written: its path below the root, and its text."""

    path: Path
    text: str


def _folder() -> Path:
    """Return the folder of the units: of the checkout, or of the installed package. Raises RefusedToStart."""
    for folder in (Path(__file__).parents[2] / "systemd", Path(sys.prefix, "share", "pitlink", "systemd")):
        if folder.is_dir():
            return folder
    raise RefusedToStart("the systemd files did not come with this program: take them from a checkout")


def unit_files(
    daemon: Daemon,
    *,
    instance: str = "",
    tls: tuple[Path, Path] | None = None,
    program: Path = Path(_PROGRAM),
    home: Path = Path(_HOME),
) -> list[UnitFile]:
    """Return the files of one daemon. `tls`: certificate chain and key, for a hub without a reverse proxy.

    `program` is the command, `home` the folder that holds `docs`. Raises ConfigError for what has no instances, or no TLS.
    """
    if instance and daemon != "pits":
        raise ConfigError([Problem("--instance", "only pits may run several times on one machine")])
    if tls and daemon != "cloud":
        raise ConfigError([Problem("--tls-cert", "only cloud serves TLS")])
    folder = _folder()

    def filled(name: str) -> str:
        text = (folder / name).read_text(encoding="utf-8").replace(_PROGRAM, str(program))
        text = text.replace(_PYTHON, str(program.with_name("python")))
        if not (home / "docs").is_dir():  # an installed package has none
            return re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)
        return text.replace(f"file://{_HOME}/", f"file://{home}/")

    name = f"pitlink-{daemon}{'@' if instance else ''}.service"
    units = Path("etc/systemd/system")
    files = [
        UnitFile(units / name, filled(name)),
        UnitFile(Path("etc/sysusers.d/pitlink.conf"), filled("pitlink.sysusers")),
        UnitFile(Path("etc/tmpfiles.d/pitlink.conf"), filled("pitlink.tmpfiles")),
    ]
    if instance:  # its state folder is wanted before the first start as well
        line = f"d /var/lib/pitlink-pits-{instance} 0700 pitlink-pits pitlink-pits -\n"
        files.append(UnitFile(Path(f"etc/tmpfiles.d/pitlink-pits-{instance}.conf"), line))
    if tls is not None:
        text = filled("pitlink-cloud-tls.conf")
        for placeholder, path in zip(("fullchain.pem", "privkey.pem"), tls, strict=True):
            text = text.replace(f"/etc/pitlink/{placeholder}", str(path))
        files.append(UnitFile(units / f"{name}.d" / "tls.conf", text))
    return files


def write_units(files: list[UnitFile], root: Path, *, replace: bool) -> list[Path]:
    """Write what is not there yet or differs; return what was written. Files are whole or not there at all.

    Raises RefusedToStart when a file was changed by hand (unless `replace`), or cannot be written; then none was.
    """
    changed = [file for file in files if _read(root / file.path) != file.text]
    by_hand = [str(root / file.path) for file in changed if (root / file.path).exists()]
    if by_hand and not replace:
        raise RefusedToStart(
            f"{', '.join(by_hand)}: there is another one already. Changes of your own belong into a drop-in "
            "(systemctl edit); --replace writes over it and keeps the old one beside it as .old"
        )
    try:
        for file in changed:
            path = root / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                shutil.copy2(path, path.with_name(path.name + ".old"))
            part = path.with_name(f".{path.name}.part")
            part.write_text(file.text, encoding="utf-8")
            part.chmod(0o644)
            os.replace(part, path)
    except OSError as exc:
        raise RefusedToStart(f"{exc.filename} cannot be written: {exc.strerror}; are you root?") from exc
    return [root / file.path for file in changed]


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise RefusedToStart(f"{path} cannot be read: {exc}") from exc


def programs_home() -> tuple[Path, Path]:
    """Return the installed command and the folder it belongs to."""
    program = Path(sys.prefix, "bin", "pitlink")
    return program, Path(__file__).parents[2]


def hidden_places(program: Path) -> Iterator[str]:
    """Yield in words why a hardened unit could not run `program`: it would not see it, or may not read it."""
    for path in dict.fromkeys((program, Path(os.path.realpath(sys.executable)))):
        if any(path.is_relative_to(hidden) for hidden in _HIDDEN):
            yield f"{path} is in a place that a service does not see: install pitlink in {_HOME}"
            continue
        for folder in reversed(path.parents):
            try:
                mode = folder.stat().st_mode
            except OSError:
                yield f"{path} is not there"
                break
            if not mode & stat.S_IXOTH:
                yield f"{folder} is closed to the service's user: chmod o+x {folder}"
                break
