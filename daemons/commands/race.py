"""`pitlink race`: the versions of a race that pits and cloud keep, and the chain that proves them."""

import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from cyclopts import App, Parameter

from daemons.commands.place import CaFile, printable
from daemons.ops.errors import ConfigError, Problem
from daemons.race.memorychain import Verdict, clean_head, verify

__all__ = ["app"]

app = App(name="race", help="Versions of a race that are kept, and whether their history is whole.")

BYTES_MAX = 64 * 1024 * 1024
_TIMEOUT_S = 20.0
_UNREAD = 2
_DIGITS_MIN = 6

RaceUrl = Annotated[
    str, Parameter(help="The race at pits or cloud: http://HOST/api/v1/sites/SITE/races/RACE.")
]


class Unreadable(Exception):
    """What was named cannot be read; in words."""


@app.command(name="verify")
def verify_history(
    history: Annotated[str, Parameter(help="A file of …/history, or the race's address.")],
    /,
    *,
    against: Annotated[
        str, Parameter(help="A head that was noted earlier, or its first 12 digits at least.")
    ] = "",
    file: Annotated[
        Path | None, Parameter(help="A Race.json or Result.json: say which version it is.")
    ] = None,
    ca_file: CaFile = None,
) -> int:
    """Read a race's history and say whether anything in it was changed, left out or moved.

    Ends with 0 when all that was asked for holds, 1 when not, 2 when it cannot be read.
    """
    try:
        noted = clean_head(against) if against else ""
    except ValueError as exc:
        raise ConfigError([Problem("--against", str(exc))]) from exc
    try:
        lines = _history(history, ca_file).splitlines()
        body = None if file is None else _read(file)
    except Unreadable as exc:
        return _say_unread(exc)
    verdict = verify(lines, noted)
    said = [
        *_words(verdict, noted),
        *([] if body is None or file is None else _which(file, body, lines, verdict)),
    ]
    for good, words in said:
        print(printable(words if good else f"WRONG: {words}"))
    return int(not all(good for good, _ in said))


@app.command
def versions(race: RaceUrl, /, *, ca_file: CaFile = None) -> int:
    """List the versions of a race's files: when each was seen first, and what it is called."""
    try:
        after, total = 0, 1
        while after < total:
            told = _json(_ask(f"{_race_of(race)}/versions?after={after}", ca_file))
            total = told["head"]["number"]
            for version in told["versions"]:
                gone = "" if version["kept"] else "  not kept any more"
                words = f"{version['number']:5} {version['at']} {version['file']:11} {version['size']:8} B "
                print(printable(f"{words} {version['sha256']}{gone}"))
            after = told["versions"][-1]["number"]
        print(printable(f"head  {told['head']['hash']}"))
    except Unreadable as exc:
        return _say_unread(exc)
    except (KeyError, TypeError, IndexError, ValueError):
        return _say_unread(Unreadable(f"{race} does not tell versions: is it a race of pits or cloud?"))
    return 0


@app.command
def get(
    race: RaceUrl,
    sha256: Annotated[
        str, Parameter(help="Which version, as versions shows it; its first digits are enough.")
    ],
    /,
    *,
    into: Annotated[Path | None, Parameter(help="A new file; without it to standard output.")] = None,
    ca_file: CaFile = None,
) -> int:
    """Fetch a version of a file as FPVTrackside served it, checked against its name."""
    from protocol.canonical import digest_of

    wanted = sha256.strip().lower()
    try:
        lines = _ask(f"{_race_of(race)}/history", ca_file).splitlines()
        known = {_json(line).get("sha256", "") for line in lines}
        found = [name for name in known if name.startswith(wanted)]
        if len(wanted) < _DIGITS_MIN or len(found) != 1:
            raise Unreadable(
                f"{len(found) if len(wanted) >= _DIGITS_MIN else 'too many'} versions begin with {wanted!r}"
            )
        body = _ask(f"{_race_of(race)}/versions/{found[0]}", ca_file)
        if digest_of(body).hex() != found[0]:
            raise Unreadable("what came is not the version that was asked for: its SHA-256 is another")
        if into is None:
            sys.stdout.buffer.write(body)
        else:
            with into.open("xb") as file:
                file.write(body)
    except Unreadable as exc:
        return _say_unread(exc)
    except OSError as exc:
        return _say_unread(Unreadable(f"{into} cannot be written: {exc.strerror}"))
    return 0


def _words(verdict: Verdict, noted: str) -> list[tuple[bool, str]]:
    """Say what came of it, as (is it good, words)."""
    said: list[tuple[bool, str]] = []
    last = verdict.last
    if last is None:
        return [(False, verdict.broken or "the history is empty")]
    if verdict.broken:
        said.append((False, f"{verdict.broken}. It holds up to version {last.number}, of {last.at}."))
    else:
        count = f"{verdict.entries} version{'s' if verdict.entries != 1 else ''}"
        said.append((True, f"Verified: {count}, up to {last.at}. Nothing was changed, left out or moved."))
    if noted and verdict.noted is not None:
        words = f"Your head is version {verdict.noted.number}, of {verdict.noted.at}: everything up to there is as it was"
        said.append((True, f"{words} when you noted it."))
    elif noted:
        said.append(
            (False, "your head is not in this history: it was made anew, or cut before what you noted.")
        )
    if not verdict.broken:
        said.append((True, f"Its head is now {last.hash}"))
    return said


def _which(file: Path, body: bytes, lines: list[bytes], verdict: Verdict) -> list[tuple[bool, str]]:
    """Say which of the versions that hold a file is."""
    from protocol.canonical import digest_of

    digest = digest_of(body).hex()
    for line in lines[: len(lines) if not verdict.broken else verdict.entries]:
        entry = _json(line) if line.strip() else {}
        if entry.get("sha256") == digest:
            name = str(entry["path"]).rpartition("/")[2]
            return [(True, f"{file} is version {entry['number']}: {name}, seen first at {entry['at']}.")]
    return [(False, f"{file} is no version of this race.")]


def _history(place: str, ca_file: Path | None) -> bytes:
    if place.startswith(("http://", "https://")):
        return _ask(f"{_race_of(place)}/history", ca_file)
    return _read(Path(place))


def _race_of(url: str) -> str:
    """Return the address of a race from one of what is below it. Raises Unreadable."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/").split("/")
    if parts.scheme not in ("http", "https") or "races" not in path[:-1]:
        raise Unreadable(f"{url} is no race: http://HOST/api/v1/sites/SITE/races/RACE")
    return f"{parts.scheme}://{parts.netloc}{'/'.join(path[: path.index('races') + 2])}"


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            body = file.read(BYTES_MAX + 1)
    except OSError as exc:
        raise Unreadable(f"{path} cannot be read: {exc.strerror}") from exc
    if len(body) > BYTES_MAX:
        raise Unreadable(f"{path} has more than {BYTES_MAX} bytes")
    return body


def _ask(url: str, ca_file: Path | None) -> bytes:
    """Return what a daemon answers, bounded in bytes and time. Raises Unreadable."""
    import httpx

    verify_by: Any = True if ca_file is None else _context(ca_file)
    try:
        with (
            httpx.Client(verify=verify_by, trust_env=False, timeout=_TIMEOUT_S) as client,
            client.stream("GET", url) as answer,
        ):
            body = b""
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > BYTES_MAX:
                    raise Unreadable(f"{url} answers with more than {BYTES_MAX} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise Unreadable(f"{url} is not reached: {exc}") from None
    if answer.status_code != httpx.codes.OK:
        raise Unreadable(f"{url} answers {answer.status_code}: {_refusal(body)}")
    return body


def _refusal(body: bytes) -> str:
    try:
        return str(_json(body).get("words", ""))[:200]
    except (Unreadable, AttributeError):
        return "and is no pits or cloud of this version"


def _json(body: bytes) -> Any:
    import json

    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("the answer is not JSON") from None


def _context(ca_file: Path) -> Any:
    import ssl

    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError([Problem("--ca-file", f"{ca_file} cannot be used: {exc}")]) from exc


def _say_unread(exc: Unreadable) -> int:
    print(f"pitlink: {printable(str(exc))}", file=sys.stderr)
    return _UNREAD
