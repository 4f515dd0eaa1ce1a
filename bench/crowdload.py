"""The phones of `bench.crowd`: each connects, loads the page with all its files, asks the API and stays on the stream.

One process, one loop over epoll without a framework, so that a thousand viewers cost little beside what they measure,
and the time of an arrival is the time at which it is read. Prints one line of JSON when all phones that come at once have
their page, one when the others are there too, and, when its input ends, what came by the streams and when (by
CLOCK_MONOTONIC, which all processes share).

    python -m bench.crowdload 127.0.0.1 8080 --phones 350 --within 2 --stay 1000
"""

import argparse
import gzip
import json
import re
import selectors
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from typing import Any

from protocol.zstd import ZstdDecompressor

_FILE = re.compile(rb'"(/static/[^"\s]+|/manifest[^"\s]*)"')
_EVENT = re.compile(rb"(?:id: (\w+)\n)?event: (\w+)\ndata: ([^\n]*)\n\n")
_HEADERS = "Host: pitlink\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nUser-Agent: phone\r\n\r\n"
PHONES_AN_ADDRESS = 350
"""A field of phones shares one address."""

QUIET_S = 0.3
"""When nothing came for so long behind the end of the input, everything is there."""

OTHERS_S = 15.0
"""In this time those come who were not among the first."""


class Connection:
    """One connection of a phone: requests one after another, or the stream."""

    def __init__(self, load: "Load", phone: "Phone") -> None:
        self._load = load
        self._phone = phone
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock.bind((f"127.0.0.{2 + phone.number // PHONES_AN_ADDRESS}", 0))
        self._out = b""
        self._in = bytearray()
        self._wants_stream: Callable[[bytes], None] | None = None
        self._on_stream: Callable[[bytes], None] | None = None
        load.connections += 1
        if self._sock.connect_ex((load.host, load.port)) not in (0, 115):  # EINPROGRESS
            raise SystemExit("cannot connect")
        load.selector.register(self._sock, selectors.EVENT_WRITE | selectors.EVENT_READ, self)

    def get(self, path: str, on_stream: Callable[[bytes], None] | None = None) -> None:
        """Ask; the answer goes to the phone, or piece by piece to `on_stream` behind its head."""
        self._wants_stream = on_stream
        self._out += f"GET {path} HTTP/1.1\r\n{_HEADERS}".encode()
        self._load.selector.modify(self._sock, selectors.EVENT_WRITE | selectors.EVENT_READ, self)

    def on_event(self, mask: int) -> None:
        """Write what there is to write, read what there is to read."""
        try:
            if mask & selectors.EVENT_WRITE:
                if self._out:
                    self._out = self._out[self._sock.send(self._out) :]
                if not self._out:
                    self._load.selector.modify(self._sock, selectors.EVENT_READ, self)
            if mask & selectors.EVENT_READ:
                data = self._sock.recv(262144)
                if not data:
                    raise ConnectionError("closed")
                self._take(data)
        except BlockingIOError:
            return
        except OSError as exc:
            self._load.failed(f"{type(exc).__name__} {exc}")
            self.close()

    def _take(self, data: bytes) -> None:
        if self._on_stream is not None:
            self._on_stream(data)
            return
        self._in += data
        end = self._in.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._in[:end]).decode("latin-1")
        status, lines = int(head[9:12]), head.split("\r\n")[1:]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if self._wants_stream is not None and status == 200:
            self._on_stream, rest = self._wants_stream, bytes(self._in[end + 4 :])
            self._load.statuses[status] += 1
            if rest:
                self._on_stream(rest)
            return
        length = int(headers.get("content-length", 0))
        if len(self._in) < end + 4 + length:
            return
        body = bytes(self._in[end + 4 : end + 4 + length])
        del self._in[: end + 4 + length]
        self._load.statuses[status] += 1
        self._load.body_bytes += len(body)
        self._phone.answered(headers, body)

    def close(self) -> None:
        """Close; twice is once."""
        if self._sock.fileno() >= 0:
            self._load.selector.unregister(self._sock)
            self._sock.close()


class Phone:
    """One visitor."""

    def __init__(self, load: "Load", number: int, at: float) -> None:
        self.number = number
        self.at = at
        self.took_s: float | None = None
        self.stream_bytes = 0
        self._load = load
        self._rest = b""
        self._steps: Generator[None, tuple[dict[str, str], bytes], None] | None = None

    def start(self) -> None:
        """Connect and begin."""
        self.at = time.monotonic()
        self._steps = self._visit()
        next(self._steps)

    def answered(self, headers: dict[str, str], body: bytes) -> None:
        """Go on behind an answer."""
        assert self._steps is not None
        try:
            self._steps.send((headers, body))
        except StopIteration:
            pass

    def _visit(self) -> Generator[None, tuple[dict[str, str], bytes], None]:
        page, load = Connection(self._load, self), self._load
        page.get("/")
        headers, body = yield
        for path in load.files_of(headers, body):
            page.get(path)
            yield
        name = ""
        for path in load.apis:
            page.get(path)
            headers, _ = yield
            name = headers.get("etag", "").strip('"') or name
        stream = Connection(load, self)
        stream.get(f"{load.stream}?after={name}", self._on_stream)
        yield  # what the page's own connection brings now, nobody asked for

    def _on_stream(self, data: bytes) -> None:
        now = time.monotonic()
        self.stream_bytes += len(data)
        data = self._rest + data
        end = 0
        for found in _EVENT.finditer(data):
            end = found.end()
            id_, kind, told = found.groups()
            if self.took_s is None and kind in (b"age", b"tree", b"patch"):
                self.took_s = now - self.at
                self._load.is_there(self)
            if kind in (b"patch", b"tree"):
                self._load.arrived(id_, kind, told, now)
        self._rest = data[end:]


class Load:
    """All of them."""

    def __init__(self, host: str, port: int, apis: list[str], stream: str) -> None:
        self.host, self.port, self.apis, self.stream = host, port, apis, stream
        self.selector = selectors.DefaultSelector()
        self.statuses: Counter[int] = Counter()
        self.failures: Counter[str] = Counter()
        self.connections = self.body_bytes = self.there = 0
        self.arrivals: dict[str, list[float]] = {}
        self.patches: dict[str, Any] = {}
        self.snapshots = 0
        self.has_input = True
        self._files: dict[str, list[str]] = {}

    def files_of(self, headers: dict[str, str], body: bytes) -> list[str]:
        """Return the files that the page names."""
        found = self._files.get(headers.get("etag", ""))
        if found is None:
            coding = headers.get("content-encoding", "")
            if coding == "gzip":
                body = gzip.decompress(body)
            elif coding == "zstd":
                body = ZstdDecompressor().decompress(body)
            found = sorted({path.decode() for path in _FILE.findall(body)})
            self._files[headers.get("etag", "")] = found
        return found

    def failed(self, why: str) -> None:
        """Count a connection that ended."""
        self.failures[why] += 1

    def is_there(self, phone: Phone) -> None:
        """Count a phone whose page is complete."""
        self.there += 1

    def arrived(self, id_: bytes, kind: bytes, told: bytes, now: float) -> None:
        """Note one change at one viewer."""
        if kind == b"tree":
            self.snapshots += 1
        name = id_.decode()
        if name not in self.arrivals:
            self.arrivals[name] = []
            self.patches[name] = json.loads(told) if kind == b"patch" else None
        self.arrivals[name].append(now)

    def turn(self, timeout_s: float) -> bool:
        """One turn of the loop; False when the input has ended, and behind its end when nothing came any more."""
        ready = self.selector.select(timeout_s)
        for key, mask in ready:
            if key.data is None:
                return bool(sys.stdin.buffer.readline())
            key.data.on_event(mask)
        return bool(ready) or self.has_input

    def open(self, phones: list[Phone], within_s: float) -> bool:
        """Have the phones come evenly within so many seconds, and wait until they are all there."""
        began, waiting, goal = time.monotonic(), list(phones), self.there + len(phones)
        for place, phone in enumerate(waiting):
            phone.at = began + within_s * place / len(waiting)
        give_up_at = began + within_s + 60
        while self.there < goal and time.monotonic() < give_up_at:
            while waiting and waiting[0].at <= time.monotonic():
                waiting.pop(0).start()
            if not self.turn(max(0.0, waiting[0].at - time.monotonic()) if waiting else 0.1):
                return False
        return True


def main() -> None:
    """Be the phones."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("host")
    options.add_argument("port", type=int)
    options.add_argument("--phones", type=int, default=350)
    options.add_argument("--within", type=float, default=2.0, metavar="SECONDS")
    options.add_argument("--stay", type=int, default=1000)
    options.add_argument("--others-within", type=float, default=OTHERS_S, metavar="SECONDS")
    options.add_argument("--api", action="append", default=[], help="a path that each asks for")
    options.add_argument("--stream", default="/events")
    given = options.parse_args()
    load = Load(given.host, given.port, given.api, given.stream)
    load.selector.register(sys.stdin, selectors.EVENT_READ, None)
    first = [Phone(load, number, 0.0) for number in range(given.phones)]
    others = [Phone(load, number, 0.0) for number in range(given.phones, max(given.stay, given.phones))]

    def say(**more: Any) -> None:
        counts = {"statuses": load.statuses, "failures": load.failures, "connections": load.connections}
        print(json.dumps({**counts, "there": load.there, **more}), flush=True)

    is_on = load.open(first, given.within)
    say(took_s=[phone.took_s for phone in first], body_bytes=load.body_bytes)
    if is_on and others:
        is_on = load.open(others, given.others_within)
    say()
    before = sum(phone.stream_bytes for phone in (*first, *others))
    while is_on:
        is_on = load.turn(0.5)
    load.has_input = False
    load.selector.unregister(sys.stdin)
    while load.turn(QUIET_S):
        pass
    say(
        arrivals=load.arrivals,
        patches=load.patches,
        snapshots=load.snapshots,
        stream_bytes=sum(phone.stream_bytes for phone in (*first, *others)) - before,
    )


if __name__ == "__main__":
    main()
