"""The peers of the command benchmark: a command and its answer, each durable at both ends, by other means.

Every one does what ours does: a commit (SQLite, WAL, FULL) at the near end before it goes out, one at the far end before
the answer, one at the near end when that is there. `pace_s`: how long the near end rests between two. All return
milliseconds of each, the first 20 left out.
"""

import contextlib
import http.client
import http.server
import multiprocessing
import os
import queue
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Event as ProcessEvent
from pathlib import Path
from typing import Any

import apsw

from bench.peers import Missing, free_port

__all__ = ["FULL_LOG", "LEFT_OUT", "http_post", "mosquitto", "sync_alone", "three_commits"]

LEFT_OUT = 20
_START_S = 30.0


def _fill(conn: apsw.Connection) -> None:
    conn.execute("CREATE TABLE filling (value BLOB)")
    conn.executemany("INSERT INTO filling VALUES (?)", [(bytes(8000),)] * 2100)


def _empty(conn: apsw.Connection) -> None:
    conn.execute("DROP TABLE filling")


FULL_LOG = (_fill, _empty)
"""Two transactions, after which the log has the length that it keeps, and is written from its beginning again."""


def _open(file: Path) -> apsw.Connection:
    conn = apsw.Connection(str(file))
    conn.pragma("page_size", 8192)
    conn.pragma("journal_mode", "wal")
    conn.pragma("synchronous", "full")
    conn.execute("CREATE TABLE IF NOT EXISTS c (id INTEGER PRIMARY KEY, body TEXT, status TEXT)")
    conn.pragma("wal_autocheckpoint", 2000)
    for work in FULL_LOG:
        with conn:
            work(conn)
    return conn


def _timed(count: int, pace_s: float, once: Callable[[int], None]) -> list[float]:
    took = []
    for number in range(count + LEFT_OUT):
        if pace_s:
            time.sleep(pace_s)
        began = time.perf_counter()
        once(number)
        took.append((time.perf_counter() - began) * 1000)
    return took[LEFT_OUT:]


def _command(conn: apsw.Connection, number: int, ask: Callable[[str], str]) -> None:
    conn.execute("INSERT INTO c (body, status) VALUES (?, NULL)", (f"living {number}",))
    status = ask(f"living {number}")
    conn.execute("UPDATE c SET status = ? WHERE id = last_insert_rowid()", (status,))


# --- the floor: this disk alone ----------------------------------------------------------------------------------------


def sync_alone(folder: Path, count: int, pace_s: float) -> list[float]:
    """Write 8 KiB at the end of a file, and wait until the disk has it."""
    with open(folder / "alone", "wb", buffering=0) as file:

        def once(number: int) -> None:
            file.write(bytes(8192))
            os.fdatasync(file.fileno())

        return _timed(count, pace_s, once)


def three_commits(folder: Path, count: int, pace_s: float) -> list[float]:
    """Commit three times, with nobody to tell."""
    near, far = _open(folder / "floor-near.db"), _open(folder / "floor-far.db")

    def ask(body: str) -> str:
        far.execute("INSERT INTO c (body, status) VALUES (?, 'DONE')", (body,))
        return "DONE"

    return _timed(count, pace_s, lambda number: _command(near, number, ask))


# --- HTTP --------------------------------------------------------------------------------------------------------------


def _http_server(file: Path, port: int) -> None:
    conn = _open(file)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            conn.execute("INSERT INTO c (body, status) VALUES (?, 'DONE')", (body,))
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"DONE")

        def setup(self) -> None:
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def log_message(self, *args: Any) -> None:
            pass

    with socketserver.TCPServer(("127.0.0.1", port), Handler) as server:
        server.serve_forever()


@contextlib.contextmanager
def _process(target: Callable[..., None], *args: Any) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=target, args=args, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(10)


def http_post(folder: Path, count: int, pace_s: float) -> list[float]:
    """POST on a connection that is kept. A lost answer leaves the caller without knowing."""
    port, conn = free_port(), _open(folder / "http-near.db")
    with _process(_http_server, folder / "http-far.db", port):
        client = http.client.HTTPConnection("127.0.0.1", port)
        _until_there(client.connect)

        def ask(body: str) -> str:
            client.request("POST", "/", body)
            return client.getresponse().read().decode()

        return _timed(count, pace_s, lambda number: _command(conn, number, ask))


def _until_there(connect: Callable[[], object]) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            connect()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


# --- MQTT --------------------------------------------------------------------------------------------------------------


def _client(name: str, port: int, topic: str, qos: int, on_message: Callable[..., None]) -> Any:
    """Return a paho client that has subscribed; its socket sends at once, as ours does."""
    import paho.mqtt.client as mqtt

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
    subscribed = threading.Event()
    client.on_message = on_message
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_socket_open = lambda c, _, sock: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe(topic, qos)
    if not subscribed.wait(_START_S):
        raise RuntimeError("the broker did not answer")
    return client


def _mqtt_house(file: Path, port: int, qos: int, ready: ProcessEvent) -> None:
    conn = _open(file)

    def on_message(client: Any, _: object, message: Any) -> None:
        conn.execute("INSERT INTO c (body, status) VALUES (?, 'DONE')", (message.payload.decode(),))
        client.publish("result", b"DONE", qos)

    client = _client("house", port, "command", qos, on_message)
    ready.set()
    threading.Event().wait()
    client.loop_stop()


@contextlib.contextmanager
def _broker(folder: Path) -> Iterator[int]:
    server = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if server is None:
        raise Missing("mosquitto is not installed: apt-get install mosquitto")
    port = free_port()
    with tempfile.TemporaryDirectory(dir=folder) as own:
        config = Path(own, "mosquitto.conf")
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
            f"persistence true\npersistence_location {own}/\nuser root\n"
        )
        process = subprocess.Popen([server, "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            _until_there(lambda: socket.create_connection(("127.0.0.1", port), 1).close())
            yield port
        finally:
            process.terminate()
            process.wait(10)


def mosquitto(folder: Path, count: int, pace_s: float, qos: int) -> list[float]:
    """Command and answer over a broker, which keeps what waits in memory (and writes it down every half hour): a power
    cut there loses what it had taken. Raises Missing."""
    conn = _open(folder / f"mqtt-near-{qos}.db")
    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    ready = multiprocessing.get_context("spawn").Event()
    file = folder / f"mqtt-far-{qos}.db"
    with _broker(folder) as port, _process(_mqtt_house, file, port, qos, ready):
        if not ready.wait(_START_S):
            raise RuntimeError("the house did not start")
        client = _client("nas", port, "result", qos, lambda _, __, message: answers.put(message.payload))

        def ask(body: str) -> str:
            client.publish("command", body, qos)
            return answers.get(timeout=_START_S).decode()

        try:
            return _timed(count, pace_s, lambda number: _command(conn, number, ask))
        finally:
            client.loop_stop()
