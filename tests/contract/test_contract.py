"""The contract of a daemon: how it starts, what it shows, what can be asked of it, how it ends, and what it never says."""

import json
import re
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from daemons.ops.client import ADMIN_SOCKET
from tests.contract.kinds import KINDS, SECRETS, Kind
from tests.contract.running import STOP_S, Place, Running, lines_of, until

pytestmark = pytest.mark.process

ACTIONS = {
    "limits.list",
    "limits.set",
    "log.level",
    "backup.take",
    "audit.accept",
    "cache.statistics",
    "drain",
}
FIGURES = (
    "process_resident_memory_bytes",
    "process_open_fds",
    "pitlink_health_warnings",
    "pitlink_audit_rows",
    "pitlink_http_connections",
    "pitlink_loop_held_seconds",
)
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJlLW9mLWFubmE"
BEARER = "pl_somebodys-own-token-0123456789abcdef"


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def place(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(kind, tmp_path_factory.mktemp(kind.name))


@pytest.fixture(scope="module")
def daemon(place: Place) -> Iterator[Running]:
    """One that runs for all tests that leave it as it was."""
    with place.started() as running:
        yield running


# --- what it shows -----------------------------------------------------------------------------------------------------


def test_it_says_who_it_is_and_how_it_is(kind: Kind, daemon: Running) -> None:
    answer = daemon.front.get("/healthz")
    told = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert told["daemon"] == kind.name
    assert told["status"] in ("ok", "degraded")
    for warning in told["warnings"]:
        assert warning["severity"] in ("notice", "degraded")
        assert ("words" in warning) == kind.has_words


def test_it_says_whether_it_is_ready(kind: Kind, daemon: Running) -> None:
    answer = daemon.front.get("/readyz")
    assert answer.status_code == (200 if answer.json()["ready"] else 503)
    assert ("words" in answer.json()) == kind.has_words


def test_it_has_the_figures_that_all_have(daemon: Running) -> None:
    answer = daemon.front.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert daemon.admin.get("/admin/metrics").status_code == 200
    for name in FIGURES:
        assert re.search(rf"^{name}\S* \d", answer.text, re.MULTILINE), name


def test_its_status_is_data(kind: Kind, daemon: Running) -> None:
    told = daemon.admin.get("/admin/status").json()
    assert told["daemon"] == kind.name
    assert isinstance(told["ready"], bool)
    assert re.fullmatch(r"\d+:[0-9a-f]{64}", told["audit"]["head"])
    for warning in told["warnings"]:
        assert set(warning) == {"name", "severity", "words", "since"}


def test_its_log_is_lines_of_json_with_the_same_keys(daemon: Running) -> None:
    daemon.front.get("/healthz")
    for line in lines_of(daemon.log):
        assert {"event", "level", "at", "logger"} <= set(line)
    shown = [json.loads(line) for line in daemon.admin.get("/admin/log?count=50").text.splitlines()]
    assert shown and all({"number", "level", "line"} == set(line) for line in shown)


# --- what can be asked of it -------------------------------------------------------------------------------------------


def test_its_admin_socket_is_for_its_user_alone(kind: Kind, place: Place, daemon: Running) -> None:
    assert stat.S_IMODE((place.state / ADMIN_SOCKET).stat().st_mode) == 0o600
    assert stat.S_IMODE((place.state / "authority.db").stat().st_mode) == 0o600
    assert daemon.front.get("/admin/status").status_code == kind.anonymous_admin


def test_it_has_the_actions_that_all_have(daemon: Running) -> None:
    actions = {action["name"]: action for action in daemon.admin.get("/admin/actions").json()}
    assert set(actions) >= ACTIONS
    for action in actions.values():
        assert action["help"] and action["role"] in ("operator", "admin")


def test_every_action_leaves_a_row_also_one_that_is_refused(daemon: Running) -> None:
    count = len(daemon.rows())
    daemon.act("log.level", level="debug")
    for params in ({"level": "loud"}, {"level": ["\ud800"]}, {"leve1": "info"}, {}):
        answer = daemon.admin.post("/admin/actions/log.level", content=json.dumps(params))
        assert (answer.status_code, answer.json()["code"]) == (400, "refused")
    assert daemon.admin.post("/admin/actions/nothing.such").status_code == 404
    outcomes = [row["outcome"] for row in daemon.rows()[count:]]
    assert outcomes == ["done"] + ["refused"] * 4
    assert daemon.admin.get("/admin/audit/verify").json()["faults"] == []


def test_its_limits_hold_at_once(daemon: Running) -> None:
    before = daemon.act("limits.list")
    try:
        for name in ("client_requests_per_s", "client_requests_burst"):
            daemon.act("limits.set", name=name, value=1)
        answers = [daemon.front.get("/healthz") for _ in range(5)]
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert daemon.admin.get("/admin/status").status_code == 200  # never limited
    finally:
        for name in ("client_requests_per_s", "client_requests_burst"):
            daemon.act("limits.set", name=name)
    assert daemon.act("limits.list") == before
    assert daemon.front.get("/healthz").status_code == 200


def test_it_makes_backups_that_are_good(place: Place, daemon: Running) -> None:
    path = daemon.act("backup.take")["path"]
    told = place.cli("backup", "verify", path)
    assert told.returncode == 0, told.stderr
    for file in Path(path).iterdir():
        assert b"SQLite format" not in file.read_bytes()[:16], "it was given a key"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"A: " + b"x" * 40_000 + b"\r\n\r\n", b"431"),
        (b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n", b"413"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"400",
        ),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"400"),
        (b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00", b""),
    ],
    ids=["long head", "long body", "two lengths", "two hosts", "NUL", "TLS"],
)
def test_it_bears_hostile_requests(daemon: Running, request_: bytes, status: bytes) -> None:
    url = httpx.URL(daemon.front.base_url)
    with socket.create_connection((url.host, url.port or 80), timeout=15) as client:
        client.sendall(request_)
        client.shutdown(socket.SHUT_WR)
        try:
            answer = client.recv(65536)
        except ConnectionResetError:
            answer = b""
    assert answer.startswith(b"HTTP/1.1 " + status) or (answer, status) == (b"", b"")
    assert daemon.front.get("/healthz").status_code == 200


def test_it_never_says_a_secret(place: Place, daemon: Running) -> None:
    for token in (JWT, BEARER, *SECRETS.values()):
        headers = {"Authorization": f"Bearer {token}", "Cookie": f"session={token}"}
        for path in ("/", "/healthz", "/admin/status", "/api/sites/field/commands", f"/events?token={token}"):
            with daemon.front.stream("GET", path, headers=headers):
                pass
    said = {
        "log": daemon.log.read_text(),
        "admin log": daemon.admin.get("/admin/log?count=4000").text,
        "status": daemon.admin.get("/admin/status").text,
        "audit": daemon.admin.get("/admin/audit?last=500").text,
        "metrics": daemon.front.get("/metrics").text,
        "health": daemon.front.get("/healthz").text + daemon.front.get("/readyz").text,
        "config": place.cli("config", "show", place.kind.name, "-c", str(place.config)).stdout,
    }
    assert len(said["log"]) > 1000 and "state_dir" in said["config"]
    for secret in (JWT, BEARER, *SECRETS.values()):
        for where, text in said.items():
            assert secret not in text, where


def test_a_second_one_on_its_folder_is_refused_in_words(place: Place, daemon: Running) -> None:
    told = place.cli(place.kind.name, "--config", str(place.config))
    assert told.returncode == 3, told.stderr
    assert str(place.state) in told.stderr and "Traceback" not in told.stderr
    assert daemon.admin.get("/admin/status").status_code == 200


# --- how it starts and ends --------------------------------------------------------------------------------------------


def test_a_wrong_configuration_is_said_in_words(place: Place, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(place.config.read_text() + "patience = 3\n")
    told = place.cli(place.kind.name, "--config", str(wrong))
    assert told.returncode == 2
    assert "patience" in told.stderr and "Traceback" not in told.stderr
    assert SECRETS["token"] not in told.stderr


def test_it_tells_systemd_and_ends_in_order_while_clients_hold_on(kind: Kind, tmp_path: Path) -> None:
    place = Place(kind, tmp_path)
    with place.started() as daemon:
        until(lambda: "WATCHDOG=1" in daemon.notified(), 10)
        assert any(state.startswith("STATUS=") for state in daemon.notified())
        daemon.act("limits.set", name="client_requests_per_s", value=77)
        url = httpx.URL(daemon.front.base_url)
        with (
            daemon.front.stream("GET", "/events"),
            daemon.admin.stream("GET", "/admin/log?follow=1"),
            socket.create_connection((url.host, url.port or 80)) as half,
        ):
            half.sendall(b"GET / HTTP/1.1\r\n")
            code, took_s = daemon.stop()
        assert code == 0
        assert took_s < STOP_S
        assert "STOPPING=1" in daemon.notified()
        assert not (place.state / ADMIN_SOCKET).exists()
        assert not [line for line in lines_of(daemon.log) if line["level"] == "error"]
    with place.started() as daemon:
        assert daemon.act("limits.list")["client_requests_per_s"] == 77.0  # kept
        assert daemon.stop(signal.SIGINT)[0] == 0


def test_killed_it_comes_up_again_with_all_that_was_noted(kind: Kind, tmp_path: Path) -> None:
    place = Place(kind, tmp_path)
    with place.started() as daemon:
        daemon.act("log.level", level="info")
        rows = daemon.rows()
        assert daemon.stop(signal.SIGKILL)[0] == -signal.SIGKILL
    with place.started() as daemon:
        assert daemon.rows() == rows
        assert daemon.admin.get("/admin/audit/verify").json()["faults"] == []
        assert daemon.front.get("/healthz").status_code == 200
