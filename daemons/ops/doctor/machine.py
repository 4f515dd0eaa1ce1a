"""What can be wrong with the machine itself: its disk, who may read what, its ports, its clock."""

import ctypes
import errno
import os
import pwd
import shutil
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from daemons.ops.doctor.finding import Finding, bad, good, skipped, warning
from daemons.ops.options import Address

__all__ = ["disk", "machine_clock", "port_is_free", "private_file", "state_folder"]

FREE_BAD = 50 * 1024 * 1024
FREE_WARNING = 500 * 1024 * 1024
FSYNC_WARNING_S = 0.25
"""A commit waits for the disk this long at least; a worn SD card takes more."""


def disk(folder: Path) -> Iterator[Finding]:
    """Look at the disk below a state folder: room, inodes, and whether it keeps what is written, how fast."""
    place = _existing(folder)
    usage = shutil.disk_usage(place)
    free = f"{usage.free / 1e6:,.0f} MB are free below {place}"
    if usage.free < FREE_BAD:
        yield bad("disk", free, "free some space: with a full disk nothing can be acknowledged")
    elif usage.free < FREE_WARNING:
        yield warning("disk", free, "free some space before it is full")
    else:
        yield good("disk", free)
    inodes = os.statvfs(place)
    if inodes.f_files and inodes.f_favail < 1000:
        yield bad(
            "disk", f"only {inodes.f_favail} files can still be made below {place}", "delete small files"
        )
    yield _write_test(place)


def _write_test(place: Path) -> Finding:
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".doctor-") as file:
            began = time.monotonic()
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
            took = time.monotonic() - began
    except OSError as exc:
        remedy = {
            errno.EROFS: "mount it writable; a card that has failed turns itself read-only: replace it",
            errno.ENOSPC: "free some space",
            errno.EDQUOT: "free some space, or have the quota raised",
            errno.EACCES: f"run the doctor as the daemon's user; else: chown it to that user: {place}",
        }.get(exc.errno or 0, "look at the system's log: is the disk failing?")
        return bad("disk writes", f"{place} takes no writes: {exc.strerror}", remedy)
    words = f"a durable write to {place} took {took * 1000:.1f} ms"
    if took > FSYNC_WARNING_S:
        return warning(
            "disk writes", words, "use a better card or disk: every acknowledged message waits for it"
        )
    return good("disk writes", words)


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def state_folder(folder: Path, *, user: str | None = None) -> Finding:
    """Look at whose the state folder is, and who else may look into it. `user`: whom the daemon runs as."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return warning("state folder", f"{folder} is not there yet", "the daemon makes it at its first start")
    except PermissionError:
        return skipped(
            "state folder", f"{folder} is closed to {_name(os.geteuid())}: ask as root or the daemon's user"
        )
    owner = _name(status.st_uid)
    if user is not None and owner != user:
        return bad(
            "state folder",
            f"{folder} belongs to {owner}, the daemon runs as {user}",
            f"chown -R {user}: {folder}",
        )
    try:
        foreign = [path for path in sorted(folder.rglob("*")) if path.lstat().st_uid != status.st_uid]
    except PermissionError:
        return skipped(
            "state folder", f"{folder} is closed to {_name(os.geteuid())}: ask as root or the daemon's user"
        )
    if foreign:
        words = f"{foreign[0]} belongs to {_name(foreign[0].lstat().st_uid)}, its folder to {owner}"
        return bad(
            "state folder",
            words,
            f"chown -R {owner}: {folder}   (commands are run as that user: runuser -u {owner} -- …)",
        )
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return warning(
            "state folder", f"others on this machine can look into {folder}", f"chmod 700 {folder}"
        )
    return good("state folder", f"{folder} is {owner}'s alone")


def private_file(check: str, path: Path, *, owners: Iterable[str] = ()) -> Finding:
    """Look at a file that holds a secret: it is there, readable, and not by everybody."""
    try:
        status = path.stat()
        with path.open("rb"):
            pass
    except FileNotFoundError:
        return bad(check, f"{path} is not there", "make it, or correct the configuration")
    except PermissionError:
        return skipped(check, f"{path} is closed to {_name(os.geteuid())}: ask as root or the daemon's user")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return bad(check, f"others on this machine can read {path}", f"chmod 600 {path}")
    owner = _name(status.st_uid)
    if owners and owner not in owners:
        return bad(check, f"{path} belongs to {owner}", f"chown {next(iter(owners))}: {path}")
    return good(check, f"{path} is {owner}'s alone")


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def port_is_free(listen: Address) -> tuple[bool, str]:
    """Return whether the daemon could listen there, and in words why not."""
    host = listen.host or "::"
    try:
        found = socket.getaddrinfo(
            listen.host or None, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror:
        return False, f"{host} is no address of this machine"
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                if sys.platform != "win32":
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
        except OSError as exc:
            if exc.errno == errno.EAFNOSUPPORT:
                continue
            if exc.errno == errno.EADDRINUSE:
                return False, f"port {listen.port} is taken by another program"
            if exc.errno == errno.EACCES:
                return False, f"port {listen.port} may only be used by root"
            if exc.errno == errno.EADDRNOTAVAIL:
                if listen.host:
                    return False, f"{host} is no address of this machine"
                continue
            return False, f"{exc.strerror}"
    return True, f"port {listen.port} is free"


_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronized
_TIMEX_BYTES = 512  # more than any kernel's struct timex


def machine_clock() -> Finding:
    """Ask the kernel whether somebody keeps this machine's clock right."""
    if not sys.platform.startswith("linux"):
        return skipped("clock service", "only Linux tells whether its clock is kept right")
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return skipped("clock service", "the kernel does not tell whether the clock is kept right")
    if state < 0:
        return skipped("clock service", "the kernel does not tell whether the clock is kept right")
    if state == _TIME_ERROR:
        return warning(
            "clock service",
            "nobody keeps this machine's clock right (or not since it started)",
            "timedatectl set-ntp true; without internet, set it by hand: ages and times on the pages hang on it",
        )
    return good("clock service", "the clock is kept right")
