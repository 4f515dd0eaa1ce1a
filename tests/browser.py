"""A real browser for tests: Debian's Chromium, headless, driven over its DevTools protocol."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket_url

_FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
]
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_MESSAGE_BYTES_MAX = 64 * 1024 * 1024


class Page:
    """A tab. `problems`: what went wrong in it: exceptions, console errors, refused contents."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.problems: list[str] = []
        self._socket = socket
        self._answers: dict[int, Any] = {}
        self._news = trio.Condition()
        self._last_id = 0

    async def read(self) -> None:
        """Take what the browser says, until it is closed."""
        while True:
            try:
                message = json.loads(await self._socket.get_message())
            except ConnectionClosed:
                return
            async with self._news:
                if "id" in message:
                    self._answers[message["id"]] = message
                elif message["method"] == "Runtime.exceptionThrown":
                    self.problems.append(json.dumps(message["params"]["exceptionDetails"]))
                elif message["method"] == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                    self.problems.append(message["params"]["entry"]["text"])
                self._news.notify_all()

    async def call(self, method: str, **params: Any) -> Any:
        self._last_id += 1
        id_ = self._last_id
        await self._socket.send_message(json.dumps({"id": id_, "method": method, "params": params}))
        async with self._news:
            while id_ not in self._answers:
                await self._news.wait()
        answer = self._answers.pop(id_)
        assert "error" not in answer, answer
        return answer["result"]

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression. AssertionError when it throws."""
        told = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def text(self) -> str:
        """Return what a person sees."""
        return str(await self.evaluate("document.body.innerText"))

    async def until(self, expression: str) -> None:
        """Wait until an expression is true; one that throws is not. The caller's scope is the deadline."""
        guarded = f"(() => {{ try {{ return Boolean({expression}); }} catch {{ return false; }} }})()"
        # The browser has no event for "an expression became true": it is asked again.
        while not await self.evaluate(guarded):
            await trio.sleep(0.02)

    async def screenshot(self, path: Path) -> None:
        told = await self.call("Page.captureScreenshot", format="png")
        await trio.Path(path).write_bytes(base64.b64decode(told["data"]))


@asynccontextmanager
async def open_page(profile: Path, *, width: int = 412, height: int = 860) -> AsyncIterator[Page]:
    """Open a tab the size of a phone; close the browser after. `profile`: an empty folder for it to live in.

    Skips the test where there is no Chromium.
    """
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium on this machine")
    command = [
        program,
        *_FLAGS,
        f"--user-data-dir={profile}",
        f"--window-size={width},{height}",
        "about:blank",
    ]
    async with trio.open_nursery() as nursery:
        process = await trio.lowlevel.open_process(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        try:
            address = await _devtools_address(process)
            nursery.start_soon(_drain, process)
            async with open_websocket_url(
                await _page_address(address), max_message_size=_MESSAGE_BYTES_MAX
            ) as socket:
                page = Page(socket)
                nursery.start_soon(page.read)
                for domain in ("Page", "Runtime", "Log"):
                    await page.call(f"{domain}.enable")
                yield page
        finally:
            nursery.cancel_scope.cancel()
            process.kill()
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
                await process.wait()
                assert process.stderr is not None
                await process.stderr.aclose()


async def _devtools_address(process: trio.Process) -> str:
    """Return host:port of the browser's DevTools, as it says when it is up."""
    assert process.stderr is not None
    said = b""
    with trio.fail_after(30):
        while True:
            if found := re.search(rb"DevTools listening on ws://([^/]+)/", said):
                return found[1].decode()
            chunk = await process.stderr.receive_some()
            assert chunk, said.decode(errors="replace")
            said += chunk


async def _page_address(address: str) -> str:
    """Return the WebSocket address of the first tab."""
    host, port = address.split(":")
    with trio.fail_after(10):
        while True:
            async with await trio.open_tcp_stream(host, int(port)) as stream:
                await stream.send_all(f"GET /json/list HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
                head, body = b"", b""
                while b"\r\n\r\n" not in head:
                    head += await stream.receive_some()
                head, _, body = head.partition(b"\r\n\r\n")
                length = int(re.findall(rb"(?i)content-length: *(\d+)", head)[0])
                while len(body) < length:
                    body += await stream.receive_some()
            for target in json.loads(body):
                if target["type"] == "page":
                    return str(target["webSocketDebuggerUrl"])
            await trio.sleep(0.05)


async def _drain(process: trio.Process) -> None:
    assert process.stderr is not None
    while await process.stderr.receive_some():
        pass
