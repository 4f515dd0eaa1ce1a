"""`pitlink chaos` as a process: what it lists, refuses and relays; a fault outlives its owner by its lease at most."""

import json
import socket
import subprocess
import sys
import time

import pytest

from tests.chaos.proxy.processes import dial, echo_server, relay_process, round_trip

pytestmark = pytest.mark.process


def run(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "daemons.cli", "chaos", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_profiles_are_listed_with_their_sources() -> None:
    told = run("profiles").stdout
    assert "lte-driving      mahimahi's AT&T LTE driving trace" in told
    assert "wrong-clock" in told
    toxics = json.loads(run("profiles", "--json").stdout)["3g"]["toxics"]
    assert {"latency", "bandwidth"} == {toxic["type"] for toxic in toxics}
    assert toxics[0]["attributes"]["latency"] == 100


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("proxy",), 2, "belong together"),
        (("proxy", "--listen", "127.0.0.1:0"), 2, "belong together"),
        (("proxy", "--listen", "x", "--to", "127.0.0.1:1"), 2, "is no host:port"),
        (("proxy", "--api", "0.0.0.0:8474"), 2, "on 127.0.0.1"),
        (("proxy", "--listen", ":0", "--to", "127.0.0.1:1", "--profile", "wet-string"), 2, "is no profile"),
        (("proxy", "--api", "127.0.0.1:0", "--api-token-file", "/nowhere"), 2, "cannot be read"),
        (("proxy", "--listen", ":0", "--to", "127.0.0.1:1", "--lease", "nan"), 2, "--lease: must be 0 to"),
        (("proxy", "--api", "/"), 3, "is no socket"),
        (("proxy", "--api", "pyproject.toml"), 3, "is no socket"),
        (("proxy", "--api", "8474"), 2, "is no host:port"),
    ],
)
def test_what_cannot_be_is_refused_in_words(args: tuple[str, ...], code: int, words: str) -> None:
    told = run(*args)
    assert told.returncode == code
    assert words in told.stderr


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = run("proxy", "--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--to", "127.0.0.1:1")
    assert told.returncode == 3
    assert "cannot listen" in told.stderr


def test_a_profile_is_played_from_the_start() -> None:
    with echo_server() as port:
        args = ("--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{port}", "--profile", "geo-sat", "--seed", "7")
        with relay_process(*args) as (_, lines):
            told = lines.get(timeout=30)
            assert told.endswith("as geo-sat, seed 7")
            with dial(told.split()[1]) as sock:
                assert round_trip(sock) > 0.58


SET_AND_STAY = """
import json, sys, time, urllib.request
url, token = sys.argv[1:]
def ask(path, body):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Authorization": "Bearer " + token})
    urllib.request.urlopen(request).read()
ask("/proxies/relay/toxics", {"type": "silence", "stream": "both", "lease_ms": 1000})
print("set", flush=True)
while True:
    time.sleep(0.2)
    ask("/renew", {})
"""


def test_when_the_controller_is_killed_its_faults_end_with_their_lease() -> None:
    with echo_server() as port:
        args = ("--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{port}", "--api", "127.0.0.1:0")
        with relay_process(*args) as (_, lines):
            listen = lines.get(timeout=30).split()[1]
            user, _, place = lines.get(timeout=30).removeprefix("API: http://").partition("@")
            command = [sys.executable, "-c", SET_AND_STAY, f"http://{place}", user.partition(":")[2]]
            with (
                dial(listen) as sock,
                subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as controller,
            ):
                try:
                    assert controller.stdout is not None
                    assert controller.stdout.readline() == "set\n"
                    sock.settimeout(1.5)  # longer than the lease: it is renewed
                    sock.sendall(b"x")
                    with pytest.raises(TimeoutError):
                        sock.recv(1)
                finally:
                    controller.kill()
                killed = time.monotonic()
                sock.settimeout(10)
                assert sock.recv(1) == b"x"
                assert time.monotonic() - killed < 2
