"""The relay as a process of its own, an echo server, and connections between them."""

import contextlib
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator


@contextlib.contextmanager
def echo_server() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(sock: socket.socket) -> None:
            with sock, contextlib.suppress(OSError):
                while data := sock.recv(65536):
                    sock.sendall(data)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    threading.Thread(target=serve, args=(sock,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def relay_process(*args: str) -> Iterator[tuple[subprocess.Popen[str], "queue.Queue[str]"]]:
    """Start `pitlink chaos proxy`; give it, and its lines as they come."""
    command = [sys.executable, "-m", "daemons.cli", "chaos", "proxy", *args]
    lines: queue.Queue[str] = queue.Queue()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        stdout = process.stdout
        reader = threading.Thread(target=lambda: [lines.put(line.rstrip()) for line in stdout])
        reader.start()
        try:
            yield process, lines
        finally:
            process.send_signal(signal.SIGTERM)
            reader.join(20)
    assert process.returncode == 0


def dial(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def round_trip(sock: socket.socket, data: bytes = b"hello") -> float:
    began = time.perf_counter()
    sock.sendall(data)
    left = len(data)
    while left:
        got = sock.recv(left)
        assert got
        left -= len(got)
    return time.perf_counter() - began
