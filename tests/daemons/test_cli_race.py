"""`pitlink race`: a pilot verifies a history, from a file or from pits that runs, and is told in words where it breaks."""

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from daemons.commands.race import get, verify_history, versions
from daemons.ops.errors import ConfigError
from daemons.race.memorychain import Entry, next_entry

BODIES = [b'[{"Laps": %d}]' % count for count in range(4)]
PATH = "/events/e/r/Race.json"


def history() -> list[Entry]:
    entries: list[Entry] = []
    for number, body in enumerate(BODIES):
        sha256 = hashlib.sha256(body).hexdigest()
        last = entries[-1] if entries else None
        entries.append(
            next_entry(last, at=f"2026-11-21T03:00:0{number}.000Z", path=PATH, sha256=sha256, size=len(body))
        )
    return entries


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"".join(entry.line() for entry in history()))
    return path


def test_a_whole_history_is_verified(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = history()[2].hash
    assert verify_history(str(file), against=f"{head[:4]} {head[4:8]} {head[8:12]}") == 0
    said = capsys.readouterr().out
    assert "Verified: 4 versions, up to 2026-11-21T03:00:03.000Z" in said
    assert "Your head is version 3, of 2026-11-21T03:00:02.000Z" in said
    assert f"Its head is now {history()[3].hash}" in said


def test_where_it_breaks_is_said(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = file.read_bytes().splitlines()
    changed = json.loads(lines[2]) | {"sha256": hashlib.sha256(BODIES[0]).hexdigest()}
    file.write_bytes(b"\n".join([*lines[:2], json.dumps(changed).encode(), lines[3]]))
    assert verify_history(str(file)) == 1
    assert "WRONG: entry 3 was changed" in (said := capsys.readouterr().out)
    assert "holds up to version 2" in said


def test_a_head_that_is_not_there_is_wrong(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_history(str(file), against="0" * 64) == 1
    assert "WRONG: your head is not in this history" in capsys.readouterr().out


def test_which_version_a_file_is(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "mine.json"
    mine.write_bytes(BODIES[1])
    assert verify_history(str(file), file=mine) == 0
    assert "is version 2: Race.json, seen first at 2026-11-21T03:00:01.000Z" in capsys.readouterr().out
    mine.write_bytes(b"[]")
    assert verify_history(str(file), file=mine) == 1
    assert "is no version of this race" in capsys.readouterr().out


def test_what_cannot_be_read_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_history(str(tmp_path / "none")) == 2
    assert verify_history("http://127.0.0.1/elsewhere") == 2
    assert "is no race" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="hexadecimal digits"):
        verify_history("x", against="my head")


def test_no_history_at_all_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").write_bytes(b"\n")
    assert verify_history(str(tmp_path / "empty")) == 1
    assert "WRONG: the history is empty" in capsys.readouterr().out


class _Daemon(BaseHTTPRequestHandler):
    """Answers as the routes of the memory do; `tests/daemons/race/test_memory.py` holds those."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        entries, base = history(), "/api/v1/sites/pits/races/r"
        by_digest = {
            f"{base}/versions/{entry.sha256}": body for entry, body in zip(entries, BODIES, strict=True)
        }
        if path == f"{base}/history":
            body = b"".join(entry.line() for entry in entries)
        elif path == f"{base}/versions":
            after = int(query.partition("=")[2])
            told = [
                {"number": entry.number, "at": entry.at, "file": "Race.json", "size": entry.size,
                 "sha256": entry.sha256, "kept": True}
                for entry in entries[after : after + 3]
            ]  # fmt: skip
            body = json.dumps({"head": {"number": 4, "hash": entries[-1].hash}, "versions": told}).encode()
        elif path in by_digest:
            body = by_digest[path]
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def race() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Daemon) as server:
        thread = Thread(target=partial(server.serve_forever, 0.02))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api/v1/sites/pits/races/r"
        server.shutdown()
        thread.join()


def test_from_pits_that_runs(race: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_history(race) == 0
    assert verify_history(f"{race}/history", against=history()[1].hash) == 0
    assert "Verified: 4 versions" in capsys.readouterr().out
    assert versions(race) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == ["1", "2", "3", "4", "head"]
    into = tmp_path / "Race.json"
    assert get(race, history()[2].sha256[:10], into=into) == 0
    assert into.read_bytes() == BODIES[2]
    assert get(race, history()[2].sha256, into=into) == 2
    assert "cannot be written: File exists" in capsys.readouterr().err
    assert get(race, "ffffffffff") == 2
    assert verify_history(race.replace("races/r", "races/x")) == 2
