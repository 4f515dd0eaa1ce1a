"""The admin API on its Unix socket, asked by its client: the real ones."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from starlette.applications import Starlette
from starlette.requests import Request

from daemons.ops.admin.actions import Action, Param
from daemons.ops.admin.routes import admin_routes
from daemons.ops.authority.identity import ALL_SITES, Identity, Role, Unauthorised
from daemons.ops.client import ADMIN_SOCKET, AdminClient, AdminError, Unreachable
from daemons.ops.errors import RefusedToStart
from daemons.store.errors import StorageError, StorageFault
from daemons.web.adminsocket import open_admin_socket
from daemons.web.front import open_listeners, serve_http
from tests.daemons.ops.admin.office import Office, open_door, open_office, sources


async def test_everything_by_the_client(tmp_path: Path) -> None:
    async with open_door(tmp_path) as (office, daemon):
        status = await daemon.status()
        assert status["daemon"] == "office"
        assert status["warnings"][0]["severity"] == "notice"
        assert status["audit"]["count"] == 0
        assert "pitlink_level 1" in await daemon.metrics()
        assert [action["name"] for action in await daemon.actions()] == [
            "bug",
            "bug.late",
            "level.look",
            "level.set",
        ]
        assert await daemon.act("level.set", level=3) == {"level": 3}
        (row,) = await daemon.audit()
        assert (row["who"], row["before"], row["after"]) == (f"unix {_me()}", 1, 3)
        answer = await daemon.verify_audit()
        assert answer == {"faults": [], "head": str(office.trail.head())}
        assert (await daemon.verify_audit("7:" + "0" * 64))["faults"][0]["number"] == 7
        with pytest.raises(AdminError, match="a head is a count") as caught:
            await daemon.verify_audit("7")
        assert caught.value.status == 400
        with pytest.raises(AdminError, match="there is no action"):
            await daemon.act("nothing")


def _me() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


async def test_the_file_is_for_its_owner_and_goes_with_the_daemon(tmp_path: Path) -> None:
    path = tmp_path / ADMIN_SOCKET
    async with open_door(tmp_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(RefusedToStart, match="is in use"):
            open_admin_socket(path)
    assert not path.exists()


async def test_what_a_killed_daemon_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / ADMIN_SOCKET
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    async with open_door(tmp_path) as (_, daemon):
        await daemon.status()
    path.write_text("no socket")
    with pytest.raises(RefusedToStart, match="something else is there"):
        open_admin_socket(path)
    with pytest.raises(RefusedToStart, match="cannot be made"):
        open_admin_socket(tmp_path / "nowhere" / "x")


async def test_a_folder_with_a_long_name(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    async with open_door(folder) as (_, daemon):
        await daemon.status()
        assert (folder / ADMIN_SOCKET).is_socket()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_another_user_is_not_listened_to_even_past_the_file_mode(tmp_path: Path) -> None:
    """The mode is opened wide here; the kernel's word on who connects still holds."""
    async with open_door(tmp_path) as (_, daemon):
        path = tmp_path / ADMIN_SOCKET
        path.chmod(0o777)
        tmp_path.chmod(0o711)
        fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        program = (
            "import os, socket\n"
            f"os.fchdir({fd}); os.setgid(65534); os.setuid(65534)\n"
            "s = socket.socket(socket.AF_UNIX)\n"
            f"s.connect('{ADMIN_SOCKET}')\n"
            "try:\n"
            "    s.sendall(b'GET /admin/status HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\n"
            "    print(s.recv(100))\n"
            "except OSError: print(b'')\n"
        )
        run = await trio.run_process(
            [sys.executable, "-c", program], capture_stdout=True, pass_fds=[fd], stderr=subprocess.STDOUT
        )
        os.close(fd)
        assert run.stdout == b"b''\n"
        await daemon.status()


async def test_nobody_listens(tmp_path: Path) -> None:
    daemon = AdminClient(tmp_path / ADMIN_SOCKET)
    with pytest.raises(Unreachable, match="no daemon listens there"):
        await daemon.status()
    with pytest.raises(Unreachable):
        async with daemon.log():
            pass
    with pytest.raises(Unreachable, match="no daemon listens there"):
        await AdminClient(tmp_path / ("y" * 120) / "nowhere" / ADMIN_SOCKET).status()
    with pytest.raises(Unreachable):
        await AdminClient("http://127.0.0.1:1").status()


async def _serve_bytes(answer: bytes, port: trio.TaskStatus[int]) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        port.started(listener.socket.getsockname()[1])
        while True:
            stream = await listener.accept()
            await stream.receive_some(4096)
            await stream.send_all(answer)
            await stream.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}",
    ],
)
async def test_something_else_answers(answer: bytes) -> None:
    async with trio.open_nursery() as nursery:
        port = await nursery.start(lambda task_status: _serve_bytes(answer, task_status))
        with pytest.raises(Unreachable):
            await AdminClient(f"http://127.0.0.1:{port}").status()
        nursery.cancel_scope.cancel()


async def test_another_error_is_said_as_it_is() -> None:
    async with trio.open_nursery() as nursery:
        answer = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\noops"
        port = await nursery.start(lambda task_status: _serve_bytes(answer, task_status))
        with pytest.raises(AdminError, match="502"):
            await AdminClient(f"http://127.0.0.1:{port}").status()
        nursery.cancel_scope.cancel()


# --- the log -----------------------------------------------------------------------------------------------------


def say(office: Office, number: int, level: str = "info") -> None:
    office.ring.add(level, json.dumps({"event": f"e{number}"}))


async def read_log(daemon: AdminClient, **asked: Any) -> list[dict[str, Any]]:
    async with daemon.log(**asked) as lines:
        return [line async for line in lines]


async def test_the_newest_lines_and_those_of_a_level(tmp_path: Path) -> None:
    async with open_door(tmp_path) as (office, daemon):
        for number in range(1, 8):
            say(office, number, "warning" if number % 2 else "info")
        office.ring.add("error", "no JSON")
        lines = await read_log(daemon, count=3)
        assert [line["line"]["event"] for line in lines] == ["e6", "e7", "no JSON"]
        lines = await read_log(daemon, level="warning")
        assert [line["number"] for line in lines] == [1, 3, 5, 7, 8]
        assert [line["number"] for line in await read_log(daemon, after=6)] == [7, 8]
        with pytest.raises(AdminError, match="level is"):
            await read_log(daemon, level="loud")


async def test_the_lines_of_one_trace(tmp_path: Path) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    async with open_door(tmp_path) as (office, daemon):
        for number, carried in enumerate([trace, "0" * 32, trace, None], 1):
            office.ring.add("info", json.dumps({"event": f"e{number}", "trace": carried}))
        assert [line["number"] for line in await read_log(daemon, trace=trace)] == [1, 3]
        assert [line["number"] for line in await read_log(daemon, trace=trace, count=1)] == [3]
        assert [line["number"] for line in await read_log(daemon, trace=trace, after=1)] == [3]
        with pytest.raises(AdminError, match="a trace is 32 digits"):
            await read_log(daemon, trace="x")


async def test_a_log_is_followed_and_a_gap_is_counted(tmp_path: Path) -> None:
    async with open_door(tmp_path) as (office, daemon):
        say(office, 1)
        with trio.fail_after(10):
            async with daemon.log(follow=True) as lines:
                assert (await anext(lines))["line"]["event"] == "e1"
                say(office, 2)
                assert (await anext(lines))["line"]["event"] == "e2"
                for number in range(3, 103):  # twice what the ring holds, before anybody can look
                    say(office, number)
                assert await anext(lines) == {"dropped": 50}
                assert (await anext(lines))["number"] == 53


async def test_stopping_does_not_wait_for_who_follows(tmp_path: Path) -> None:
    ended = False
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        office, daemon = await stack.enter_async_context(open_door(tmp_path))
        say(office, 1)
        seen = trio.Event()

        async def follow() -> None:
            nonlocal ended
            async with daemon.log(follow=True) as lines:
                async for _ in lines:
                    seen.set()
            ended = True

        with trio.fail_after(10):
            nursery.start_soon(follow)
            await seen.wait()
            await office.fronts[0].drain()
            while not ended:
                await trio.sleep(0.01)


# --- on a hub's port ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def hub_port(folder: Path) -> AsyncIterator[tuple[Office, str, dict[str, Identity], trio.Event]]:
    """Serve the routes by HTTP; tokens are names of identities here. The event revokes everybody."""
    people = {
        "admin": Identity("user", "ann", Role.ADMIN, (ALL_SITES,)),
        "operator": Identity("user", "bob", Role.OPERATOR, (ALL_SITES,)),
        "narrow": Identity("user", "kim", Role.OPERATOR, ("field",)),
        "viewer": Identity("user", "eve", Role.VIEWER, (ALL_SITES,)),
    }
    revoked = trio.Event()

    @asynccontextmanager
    async def held(request: Request) -> AsyncIterator[Identity]:
        _, _, token = request.headers.get("authorization", "").partition(" ")
        if token not in people:
            raise Unauthorised("send a token", "missing")
        async with trio.open_nursery() as nursery:

            async def end() -> None:
                await revoked.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(end)
            yield people[token]
            nursery.cancel_scope.cancel()

    async with open_office(folder) as office, trio.open_nursery() as nursery:
        app = Starlette(routes=admin_routes(office.desk, sources(office), held))
        front = await nursery.start(serve_http, await open_listeners("127.0.0.1", 0), app)
        yield office, f"http://127.0.0.1:{front.ports[0]}", people, revoked
        await front.drain()


async def test_who_may_what_on_a_hubs_port(tmp_path: Path) -> None:
    async with hub_port(tmp_path) as (office, url, _, _):
        expected = {"": 401, "nobody": 401, "viewer": 403, "narrow": 403, "operator": 200, "admin": 200}
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            for token, status in expected.items():
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                for path in ("status", "metrics", "log", "audit", "audit/verify"):
                    answer = await http.get(f"/admin/{path}", headers=headers)
                    assert answer.status_code == status, (token, path)
                    assert ("www-authenticate" in answer.headers) == (status == 401)
                posted = await http.post("/admin/actions/level.set", headers=headers, json={"level": 2})
                assert posted.status_code == (status if status == 401 else 200 if token == "admin" else 403)
            assert office.level == 2
            outcomes = [(row.entry.who, row.entry.outcome) for row in office.rows()]
            assert outcomes == [
                ("user eve", "refused"),
                ("user kim", "refused"),
                ("user bob", "refused"),
                ("user ann", "done"),
            ]
            headers = {"Authorization": "Bearer operator"}
            for body in (b"[]", b"{", b"[" * 100_000, b'"x"', b"\xff"):
                answer = await http.post("/admin/actions/level.set", headers=headers, content=body)
                assert answer.status_code == 400, body
            assert (await http.post("/admin/status", headers=headers)).status_code == 405
            assert (await http.get("/admin/actions/level.set", headers=headers)).status_code == 405
            answer = await http.get("/admin/actions", headers={"Authorization": "Bearer viewer"})
            assert answer.json() == []


async def test_what_can_be_tried_again_says_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hub_port(tmp_path) as (office, url, _, _):
        office.desk.registry.add(
            Action(
                "busy", office.busy, "Be busy.", params=(Param("status", "whole"), Param("after_s", "number", required=False)),
            )
        )  # fmt: skip
        headers = {"Authorization": "Bearer operator"}
        async with httpx.AsyncClient(base_url=url, trust_env=False, headers=headers) as http:
            for status, given, told in (
                (503, None, "5"),
                (429, 7.2, "8"),
                (429, 0.01, "1"),
                (409, None, None),
            ):
                answer = await http.post("/admin/actions/busy", json={"status": status, "after_s": given})
                assert (answer.status_code, answer.headers.get("retry-after")) == (status, told)
                assert answer.json()["code"] == ("refused" if status == 409 else "BUSY")

            def broken(self: object, work: object) -> None:
                raise StorageError(StorageFault.FAILED, tmp_path, "broken")

            monkeypatch.setattr(type(office.trail.file), "read", broken)
            for path in ("status", "audit"):
                answer = await http.get(f"/admin/{path}")
                assert (answer.status_code, answer.json()["code"]) == (503, "BUSY")
                assert answer.headers["retry-after"] == "5"


async def test_the_client_comes_by_address_and_token_too(tmp_path: Path) -> None:
    async with hub_port(tmp_path) as (_, url, _, _):
        daemon = AdminClient(url, "operator")
        assert "operator" not in repr(daemon)
        assert (await daemon.status())["daemon"] == "office"
        with pytest.raises(AdminError) as caught:
            await daemon.act("level.set", level=2)
        assert (caught.value.status, caught.value.code) == (403, "role")


async def test_revoked_in_the_middle_of_a_log(tmp_path: Path) -> None:
    async with hub_port(tmp_path) as (office, url, _, revoked):
        say(office, 1)
        with trio.fail_after(5):
            seen = []
            async with AdminClient(url, "operator").log(follow=True) as lines:
                async for line in lines:
                    seen.append(line)
                    revoked.set()
            assert len(seen) == 1
