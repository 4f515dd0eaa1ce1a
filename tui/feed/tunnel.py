"""A daemon's admin socket on another machine, by ssh: the socket there becomes one here, in a folder of our own.

ssh itself decides who may do that, as it does for a login there; the daemon sees the user of that login. It is never
asked for a password while a screen is shown: keys, an agent or a running master connection have to do.
"""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio
from attrs import define, field

from daemons.ops.client import ADMIN_SOCKET, AdminClient, Unreachable

__all__ = ["SshTunnel", "is_ssh_place"]

FIND_S = 20.0
UP_S = 15.0
LOOK_S = 0.02
END_S = 2.0
GRACE_S = 0.3
WORDS_MAX = 300
KEEPER = """exec 3<&0 4>&2 </dev/null 2>/dev/null
own=$1
shift
"$@" 2>&4 3<&- 4>&- & ssh=$!
(read -r _ <&3; kill "$ssh") & reader=$!
wait "$ssh"
code=$?
kill "$reader"
rm -rf -- "$own"
exit "$code"
"""
"""A shell that ends ssh and removes our folder when its standard input ends, which it does also when we are killed.
PR_SET_PDEATHSIG would not do: it looks at the thread that started ssh, and threads come and go."""

OPTIONS = (
    "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3",
    "-o", "ExitOnForwardFailure=yes", "-o", "Compression=yes", "-T",
)  # fmt: skip
FIND = (
    "for d in pits-state cloud-state /var/lib/pitlink*; do "
    f'if [ -S "$d/{ADMIN_SOCKET}" ]; then (cd "$d" && pwd); fi; done'
)
"""Asked of the shell there, so that nothing has to be on its path: the folders where daemons run, as they are found here."""


def is_ssh_place(text: str) -> bool:
    """Could this be a machine for ssh, "host", "user@host" or "host:/its/state/folder"? Never an option of ssh's."""
    host, _, folder = text.partition(":")
    return (
        bool(host)
        and not host.startswith("-")
        and "/" not in host
        and (not folder or (folder[0] == "/" and ":" not in folder))
    )


@define(eq=False)
class SshTunnel:
    """The daemon whose state folder is `folder` on `host`; without a folder the only one that runs there.

    `command`: ssh, with whatever options of its own. `speaks_for`, `only_looks`: see AdminClient.
    """

    host: str
    folder: str = ""
    command: tuple[str, ...] = ("ssh",)
    speaks_for: str = ""
    only_looks: bool = False
    _said: bytes = field(default=b"", init=False)  # by ssh, last
    _code: int | None = field(default=None, init=False)  # with which it ended by itself

    @property
    def place(self) -> str:
        return f"{self.host}:{self.folder}" if self.folder else self.host

    def words(self, exc: BaseException) -> str:
        """Say what ssh said, where it said anything: it knows better than who found a closed socket."""
        said = _last_line(self._said).removeprefix(f"{self.host}: ")
        if said.startswith("channel ") and "open failed" in said:
            said = "no daemon listens there, or it belongs to another user"
        if not said and self._code is not None:
            said = f"ssh ended with {self._code}"
        return f"{self.host}: {said or _without_path(str(exc))}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AdminClient]:
        """Run ssh for the length of the block. Raises Unreachable; when ssh ends later, asking does."""
        self._said, self._code = b"", None
        folder = self.folder or await self._find()
        with tempfile.TemporaryDirectory(prefix="pitlink-") as own:  # 0700
            socket = Path(own) / "a"
            forward = f"{socket}:{folder.rstrip('/')}/{ADMIN_SOCKET}"
            options = (*OPTIONS, "-o", "StreamLocalBindUnlink=yes", "-N", "-L", forward)
            keeper = ("sh", "-c", KEEPER, "pitlink-ssh", own)
            command = [*keeper, *self.command, *options, "--", self.host]
            async with trio.open_nursery() as nursery:
                process = await self._start(command)
                nursery.start_soon(self._listen, process)
                try:
                    await self._wait_up(process, socket)
                    there = AdminClient(socket, speaks_for=self.speaks_for, only_looks=self.only_looks)
                    async with there.kept() as client:
                        yield client
                except Exception:
                    with trio.move_on_after(GRACE_S):  # if it ended, it says why a moment later
                        self._code = await process.wait()
                    raise
                finally:
                    assert process.stdin is not None
                    with trio.move_on_after(END_S, shield=True) as ending:
                        await process.stdin.aclose()
                        await process.wait()
                    if ending.cancelled_caught:
                        process.kill()
                    nursery.cancel_scope.cancel(reason="the tunnel is over")

    async def _start(self, command: list[str]) -> trio.Process:
        if shutil.which(self.command[0]) is None:
            raise Unreachable(f"{self.command[0]} cannot be run here: No such file or directory")
        try:
            return await trio.lowlevel.open_process(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        except OSError as exc:
            raise Unreachable(f"{command[0]} cannot be run here: {exc.strerror or exc}") from exc

    async def _listen(self, process: trio.Process) -> None:
        """Keep what ssh says; it must never wait for us to read."""
        assert process.stderr is not None
        async for piece in process.stderr:
            self._said = (self._said + bytes(piece))[-WORDS_MAX:]

    async def _wait_up(self, process: trio.Process, socket: Path) -> None:
        with trio.move_on_after(UP_S):
            while not await trio.Path(socket).exists():  # ssh tells nobody
                if process.poll() is not None:
                    raise Unreachable(f"ssh ended with {process.returncode}")
                await trio.sleep(LOOK_S)
            return
        raise Unreachable(f"ssh was not there in {UP_S:g} s")

    async def _find(self) -> str:
        """Return the state folder of the only daemon there. Raises Unreachable."""
        command = [*self.command, *OPTIONS, "--", self.host, f"sh -c {shlex.quote(FIND)}"]
        run = partial(trio.run_process, command, capture_stdout=True, capture_stderr=True, check=False)
        with trio.move_on_after(FIND_S):
            try:
                done = await run(stdin=b"")
            except OSError as exc:
                raise Unreachable(f"{self.command[0]} cannot be run here: {exc.strerror or exc}") from exc
            if done.returncode:
                self._said = done.stderr[-WORDS_MAX:]
                raise Unreachable(f"ssh ended with {done.returncode}")
            found = done.stdout.decode(errors="replace").split("\n")[:-1]
            if len(found) == 1:
                return found[0]
            if not found:
                raise Unreachable("no daemon of this user's runs there in the usual places; name HOST:FOLDER")
            raise Unreachable(f"several daemons run there: name one, such as {self.host}:{found[0]}")
        raise Unreachable(f"no answer in {FIND_S:g} s")


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


def _without_path(words: str) -> str:
    """Leave out the path of our own socket, which means nothing to anybody."""
    head, separator, rest = words.partition(": ")
    return rest if separator and head.startswith("/") else words
