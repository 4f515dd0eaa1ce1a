"""The functions of lgpio, done by a latch: a process at a Unix socket that stands for a Pi's pins, and outlives us.

What stands above (gpiozero's lgpio pins, ours, the relays) is the same as on a Pi. Like lgpio it tells of edges in a
thread of its own. Standard library only: the relays-off helper imports it, and has to be quick.
"""

import json
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["LatchLgpio"]

_ANSWER_S = 2.0

_UP, _DOWN, _NONE = 32, 64, 128
_PULLS = {0: "", _UP: "up", _DOWN: "down", _NONE: "none"}
_FLAGS = {pull: flag for flag, pull in _PULLS.items()}
_OUT = 2

Answer = dict[str, Any]
Told = Callable[[int, int, int, int], None]


class error(Exception):  # noqa: N801  (lgpio's own name)
    """lgpio's error: what the latch refused, or that it does not answer."""


class _Connection:
    """One connection: one thing asked at a time, edges handed to their callbacks by a thread."""

    def __init__(self, path: str) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._sock.connect(path)
        except OSError as exc:
            self._sock.close()
            raise error(f"no latch at {path}: {exc}") from exc
        self._asking = threading.Lock()
        self._answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self.told: dict[int, Told] = {}
        threading.Thread(target=self._listen, name="latch edges", daemon=True).start()

    def ask(self, op: str, **fields: object) -> Answer:
        """Return the answer. Raises error."""
        with self._asking:
            try:
                self._sock.sendall(json.dumps({"op": op, **fields}).encode() + b"\n")
                answer = self._answers.get(timeout=_ANSWER_S)
            except OSError as exc:
                raise error(f"the latch has gone: {exc}") from exc
            except queue.Empty:
                self.close()  # a late answer would be taken for that of the next question
                raise error(f"the latch has not answered for {_ANSWER_S:.0f} s") from None
        if answer is None:
            raise error("the latch has gone")
        if "error" in answer:
            raise error("GPIO busy" if answer["error"] == "busy" else answer.get("words", answer["error"]))
        return answer

    def close(self) -> None:
        """Let everything go."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)  # wakes the thread, which closes it
        except OSError:
            pass

    def _listen(self) -> None:
        with self._sock, self._sock.makefile("rb") as lines:
            while True:
                try:
                    line = lines.readline()
                except OSError:
                    line = b""
                if not line.endswith(b"\n"):
                    break
                told = json.loads(line)
                if "edge" not in told:
                    self._answers.put(told)
                elif (callback := self.told.get(told["edge"])) is not None:
                    callback(0, told["edge"], told["level"], told["ns"])
        self._answers.put(None)


class _Callback:
    def __init__(self, told: dict[int, Told], pin: int) -> None:
        self._told, self._pin = told, pin

    def cancel(self) -> None:
        self._told.pop(self._pin, None)


class LatchLgpio:
    """In the place of the module lgpio, for `gpiochip_open("/path/of/a/socket")`. Handles are small numbers, as there."""

    error = error
    RISING_EDGE, FALLING_EDGE, BOTH_EDGES = 1, 2, 3
    SET_PULL_UP, SET_PULL_DOWN, SET_PULL_NONE = _UP, _DOWN, _NONE

    def __init__(self) -> None:
        self._open: dict[int, _Connection] = {}
        self._spi: dict[int, tuple[_Connection, int]] = {}
        self._path = ""
        self._next = 0

    def gpiochip_open(self, path: str) -> int:
        self._path = path
        self._next += 1
        self._open[self._next] = _Connection(path)
        return self._next

    def gpiochip_close(self, handle: int) -> None:
        self._open.pop(handle).close()

    def gpio_claim_output(self, handle: int, pin: int, level: int = 0, flags: int = 0) -> None:
        self._open[handle].ask(
            "claim_output", pin=pin, level=int(level), pull=_PULLS[flags & (_UP | _DOWN | _NONE)]
        )

    def gpio_claim_input(self, handle: int, pin: int, flags: int = 0) -> None:
        self._open[handle].ask("claim_input", pin=pin, pull=_PULLS[flags & (_UP | _DOWN | _NONE)])

    def gpio_claim_alert(self, handle: int, pin: int, edges: int, flags: int = 0) -> None:
        self._open[handle].ask("claim_alert", pin=pin, pull=_PULLS[flags & (_UP | _DOWN | _NONE)])

    def gpio_free(self, handle: int, pin: int) -> None:
        self._open[handle].ask("free", pin=pin)

    def gpio_write(self, handle: int, pin: int, level: int) -> None:
        self._open[handle].ask("write", pin=pin, level=int(level))

    def gpio_read(self, handle: int, pin: int) -> int:
        return int(self._open[handle].ask("read", pin=pin)["level"])

    def gpio_get_mode(self, handle: int, pin: int) -> int:
        mode = self._open[handle].ask("mode", pin=pin)
        return (_OUT if mode["output"] else 0) | _FLAGS[mode["pull"]]

    def gpio_set_debounce_micros(self, handle: int, pin: int, micros: int) -> None:
        """The latch's contacts do not bounce."""

    def callback(self, handle: int, pin: int, edges: int, told: Told) -> _Callback:
        self._open[handle].told[pin] = told
        return _Callback(self._open[handle].told, pin)

    def spi_open(self, port: int, device: int, baud: int, flags: int = 0) -> int:
        """A connection of its own: a bus that hangs does not hold the relays."""
        self._next += 1
        self._spi[self._next] = (_Connection(self._path), device)
        return self._next

    def spi_close(self, handle: int) -> None:
        self._spi.pop(handle)[0].close()

    def spi_xfer(self, handle: int, data: list[int]) -> tuple[int, bytes]:
        connection, device = self._spi[handle]
        got = bytes.fromhex(connection.ask("spi", device=device, sent=bytes(data).hex())["got"])
        return len(got), got
