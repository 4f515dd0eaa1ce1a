"""The live path of the unmodified pyirsdk, on a machine that is not Windows: three stand-ins for what it asks of it.

It asks a web server on port 32034 whether the simulator runs, opens the event `Local\\IRSDKDataValidEvent` and waits on it,
and maps `Local\\IRSDKMemMapFileName`. Here the server is `SimStatus`, the event is the header's count of ticks in the
memory's file, which is looked at, and the map is that file.

    with SimStatus() as status, live_path(memory.path, status.url):
        irsdk.IRSDK().startup()
"""

import mmap
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from .memory import MEMORY_BYTES

__all__ = ["EVENT_NAME", "MAP_NAME", "Kernel32", "MemoryMap", "SimStatus", "live_path"]

EVENT_NAME: Final = "Local\\IRSDKDataValidEvent"
MAP_NAME: Final = "Local\\IRSDKMemMapFileName"
WAIT_OBJECT_0, WAIT_TIMEOUT, WAIT_FAILED = 0, 0x102, 0xFFFFFFFF

_HANDLE: Final = 0x4D0
_COUNTS: Final = struct.Struct("<i12xi12xi")
_COUNTS_AT: Final = 48
_LOOK_S: Final = 0.001


class SimStatus:
    """Answers `GET /get_sim_status?object=simStatus` as the simulator's own service does, on loopback, in a thread.

    `port` 0 takes a free one; the simulator has 32034. `running` is what is answered; with `hangs` a request is accepted and
    never answered, which is what `startup()` has no timeout for. Use it as a context manager."""

    def __init__(self, port: int = 0, *, running: bool = True) -> None:
        self.running, self.hangs = running, False
        self.asked = 0
        self._held: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="sim status", daemon=True)

    @property
    def url(self) -> str:
        """What pyirsdk's `SIM_STATUS_URL` is set to."""
        return f"http://127.0.0.1:{self.port}/get_sim_status?object=simStatus"

    def __enter__(self) -> "SimStatus":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.let_go()

    def let_go(self) -> None:
        """Close what hangs."""
        while self._held:
            self._held.pop().close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.asked += 1
            if self.hangs:
                self._held.append(peer)
                continue
            with peer:
                peer.settimeout(2.0)
                try:
                    self._answer(peer)
                except OSError:
                    pass

    def _answer(self, peer: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request and len(request) < 16_384:
            more = peer.recv(4096)
            if not more:
                return
            request += more
        body = b"running:%d" % self.running
        head = (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            % len(body)
        )
        peer.sendall(head + body)


class Kernel32:
    """The three calls that are made: the event is there while the file is, and is set by each tick that is written."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._seen = -1
        self._map: mmap.mmap | None = None

    def OpenEventW(self, access: int, inherit: bool, name: str) -> int:  # noqa: N802
        """Return a handle, or 0 where there is no such event."""
        if name != EVENT_NAME or not self._path.exists():
            return 0
        if self._map is None:
            self._map = _mapped(self._path)
        return _HANDLE

    def WaitForSingleObject(self, handle: int, milliseconds: int) -> int:  # noqa: N802
        """Wait for the next tick (the event resets itself); return how it ended, as Windows does."""
        if handle != _HANDLE or self._map is None:
            return WAIT_FAILED
        until = time.monotonic() + milliseconds / 1000
        while True:
            newest = max(_COUNTS.unpack_from(self._map, _COUNTS_AT))
            if newest != self._seen:
                self._seen = newest
                return WAIT_OBJECT_0
            if time.monotonic() >= until:
                return WAIT_TIMEOUT
            time.sleep(_LOOK_S)

    def CloseHandle(self, handle: int) -> int:  # noqa: N802
        """Say that it went well."""
        return int(handle == _HANDLE)

    def close(self) -> None:
        """Let go of the file."""
        if self._map is not None:
            self._map.close()
            self._map = None


class MemoryMap:
    """The module `mmap`, whose maps by name are the file's. Anything else is mapped as always."""

    ACCESS_READ = mmap.ACCESS_READ

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def mmap(self, fileno: int, length: int, tagname: Any = None, **options: Any) -> mmap.mmap:
        """Return a map; raise OSError where the simulator has made none."""
        if tagname != MAP_NAME:
            return mmap.mmap(fileno, length, **options)
        if length != MEMORY_BYTES:
            raise OSError(f"the simulator's memory has {MEMORY_BYTES} bytes, not {length}")
        return _mapped(self._path)


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), MEMORY_BYTES, access=mmap.ACCESS_READ)


@contextmanager
def live_path(path: str | os.PathLike[str], url: str | None = None) -> Iterator[Kernel32]:
    """Have pyirsdk's live path find the simulator whose memory is the file at `path`. `url`: of a `SimStatus`; without one
    the library asks on its own port. What is replaced are names of the module `irsdk`; its code is as it was."""
    import irsdk  # an extra: not everybody who imports the doubles has it

    kernel = Kernel32(path)
    before = irsdk.ctypes, irsdk.mmap, irsdk.SIM_STATUS_URL
    irsdk.ctypes = SimpleNamespace(windll=SimpleNamespace(kernel32=kernel))
    irsdk.mmap = MemoryMap(path)
    if url is not None:
        irsdk.SIM_STATUS_URL = url
    try:
        yield kernel
    finally:
        irsdk.ctypes, irsdk.mmap, irsdk.SIM_STATUS_URL = before
        kernel.close()
