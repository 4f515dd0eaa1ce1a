"""A fault ends by itself when whoever set it, or the terminal that he sat at, is killed with SIGKILL."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.chaos.proxy.processes import dial, echo_server, relay_process, round_trip

LEASE_S = 1.5
RENEWED_S = LEASE_S + 1.0
CONTROLLER = [sys.executable, "-m", "tests.chaos.proxy.controller"]
TERMINAL = [
    sys.executable,
    "-c",
    "import pty, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); pty.spawn(sys.argv[1:])",
]


def is_silent(sock: socket.socket, seconds: float) -> bool:
    """Whether what is sent does not come back for so long. What comes later is left to be read."""
    sock.settimeout(seconds)
    try:
        return not sock.recv(1)
    except TimeoutError:
        return True


@pytest.mark.process
@pytest.mark.parametrize("kill", ["controller", "terminal"])
def test_a_controller_that_is_killed_takes_its_fault_along(tmp_path: Path, kill: str) -> None:
    api = tmp_path / "chaos.sock"
    with echo_server() as port:
        to = ("--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{port}", "--api", str(api))
        with relay_process(*to, "--lease", "60") as (_, lines):
            listen = lines.get(timeout=30).split()[1]
            lines.get(timeout=30)  # the API is served
            with dial(listen) as sock:
                round_trip(sock)
                command = [*CONTROLLER, str(api), str(LEASE_S)]
                with subprocess.Popen(TERMINAL + command if kill == "terminal" else command) as controller:
                    try:
                        until = time.monotonic() + 30
                        while True:  # until the fault is there
                            sock.sendall(b"x")
                            if is_silent(sock, 0.1):
                                break
                            assert time.monotonic() < until
                        assert is_silent(sock, RENEWED_S), "it was not renewed"
                    finally:
                        controller.send_signal(signal.SIGKILL)
                    killed_at = time.monotonic()
                sock.settimeout(30)
                assert sock.recv(1) == b"x"
                healed_s = time.monotonic() - killed_at
                print(f"healed {healed_s:.2f} s after SIGKILL of the {kill}, lease {LEASE_S:g} s")
                assert healed_s <= LEASE_S + 0.5
                round_trip(sock)
