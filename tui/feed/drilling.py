"""Drills on this machine: what can be played, what was, and the one that was started from here, as a process of its own.

It has a site and a hub of its own, and so nothing to do with the daemons that are watched. It heals and ends when it is
told to, when this program ends, and when this program is killed: then nobody reads what it says.
"""

import json
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import trio
from attrs import define, field

from daemons.ops.client import AdminError
from daemons.ops.drillfolder import RECORDS
from tui.model.model import Model

__all__ = ["Drilling"]

LIST_S = 30.0
END_S = 1.5
"""So long its end is waited for, twice, when this program ends; it goes on healing by itself."""

LINES_MAX = 200
LINE_BYTES_MAX = 256 * 1024


@define(eq=False)
class Drilling:
    """`program`: what `pitlink` is called here; `folder`: with drills of one's own, and the records of those that were
    played from here, in its folder "reports". `run` it; `act` waits for as long as a drill takes."""

    program: Sequence[str]
    folder: Path
    model: Model
    now: Callable[[], float] = trio.current_time
    _wanted: trio.Event = field(factory=trio.Event, init=False)
    _process: trio.Process | None = field(default=None, init=False)
    _lines: list[str] = field(factory=list, init=False)

    def look(self) -> None:
        """Have it looked what can be played."""
        self._wanted.set()

    async def run(self) -> None:
        """List what can be played whenever that is wanted, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            into = str(self.folder / RECORDS)
            self.model.drills_listed({**await self._list(), "into": into}, self.now())

    async def act(self, action: str, params: Mapping[str, Any]) -> Any:
        """Play the drill `which` ("drill"), or end the one that runs ("end"). Raises AdminError."""
        if action == "end":
            return self._end()
        if action != "drill":
            raise AdminError(404, "unknown", f"{action!r} is nothing that can be done on this machine")
        if self._process is not None:
            raise AdminError(409, "busy", "a drill that was started here still runs")
        return await self._play(str(params["which"]))

    @property
    def is_on(self) -> bool:
        """Does a drill run that was started here?"""
        return self._process is not None

    def _end(self) -> str:
        if self._process is None:
            raise AdminError(409, "none", "no drill runs that was started here")
        self._process.send_signal(signal.SIGTERM)
        return "it heals, and ends"

    async def _list(self) -> Mapping[str, Any]:
        command = [*self.program, "chaos", "drills", "--json", "--folder", str(self.folder)]
        words = f"the drills of this machine were not listed in {LIST_S:g} s"
        with trio.move_on_after(LIST_S):
            try:
                ended = await trio.run_process(
                    command, capture_stdout=True, capture_stderr=True, check=False, start_new_session=True
                )
                found = json.loads(ended.stdout) if ended.returncode == 0 else None
                if isinstance(found, dict):
                    return found
                words = ended.stderr.decode(errors="replace").strip().splitlines()[-1:][0]
            except (OSError, ValueError, IndexError) as exc:
                words = f"the drills of this machine cannot be listed: {exc}"
        return {"words": words}

    async def _play(self, which: str) -> Mapping[str, Any]:
        records = self.folder / RECORDS
        command = [*self.program, "chaos", "drill", which, "--json", "--report", str(records)]
        self._lines = []
        try:
            process = self._process = await trio.lowlevel.open_process(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # a terminal that goes does not end it in the middle of its heal
            )
        except OSError as exc:
            raise AdminError(500, "failed", f"it cannot be started: {exc}") from exc
        try:
            found: dict[str, Any] = {}
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._follow, process, found)
                nursery.start_soon(self._listen, process)
                await process.wait()
        finally:
            with trio.move_on_after(3 * END_S, shield=True):
                await _leave(process)
            self._process = None
            self.look()
        verdict, why = str(found.get("verdict", "")), str(found.get("why", ""))
        if not verdict:
            last = next((line for line in reversed(self._lines) if line.strip()), "it said nothing")
            return {"status": "FAILED", "words": f"it was not played: {last}"}
        words = f"{verdict}{': ' if why else ''}{why}"
        return {"status": "DONE" if verdict == "PASS" else "FAILED", "words": words}

    async def _follow(self, process: trio.Process, found: dict[str, Any]) -> None:
        """Take how it stands, a line of JSON each time; `found` is the last."""
        assert process.stdout is not None
        async for line in _lines(process.stdout):
            try:
                standing = json.loads(line)
            except ValueError:
                continue
            if isinstance(standing, dict):
                found.clear()
                found.update(standing)
                self.model.drilled({**standing, "pid": process.pid}, self.now())

    async def _listen(self, process: trio.Process) -> None:
        assert process.stderr is not None
        async for line in _lines(process.stderr):
            self._lines = [*self._lines, line][-LINES_MAX:]
            self.model.drill_said(self._lines)


async def _leave(process: trio.Process) -> None:
    """Tell a drill that still runs to heal and end, and wait a little for that."""
    for _ in range(2):  # told once more, it does not wait until all is as before
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            with trio.move_on_after(END_S):
                await process.wait()
    if process.returncode is None:
        trio.lowlevel.spawn_system_task(process.wait)
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        await trio.aclose_forcefully(stream)


async def _lines(stream: trio.abc.ReceiveStream) -> AsyncIterator[str]:
    """Yield lines; one that is too long is cut into several."""
    rest = b""
    async for chunk in stream:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
        if len(rest) > LINE_BYTES_MAX:
            yield rest.decode(errors="replace")
            rest = b""
    if rest:
        yield rest.decode(errors="replace")
