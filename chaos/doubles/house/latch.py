"""The pins of a Pi as a process of its own, which outlives whoever drives them: `python -m chaos.doubles.house.latch SOCKET`.

It listens at a Unix socket; each line there is a JSON object, each is answered by one, in order. Whoever claims lines
keeps them as long as its connection is open: closed, in whatever way, is what the end of a process is to the kernel.

Who drives (all with "pin"; answered {"ok": true, ...} or {"error": "busy" | "not ours" | words}):
    {"op": "claim_output", "pin": 17, "level": 0, "pull": "down"}      {"op": "claim_input", "pin": 5, "pull": "up"}
    {"op": "claim_alert", "pin": 5, "pull": "up"}: an input whose edges are told: {"edge": 5, "level": 0, "ns": ...}
    {"op": "write", "pin": 17, "level": 1}     {"op": "read", "pin": 5} → "level"     {"op": "mode", "pin": 5} → "output", "pull"
    {"op": "free", "pin": 17}                  {"op": "spi", "device": 0, "sent": "018000"} → "got", as an MCP3008 answers
What the house does:
    {"op": "outside", "pin": 5, "level": 0}: a contact closes to ground (null: opens)
    {"op": "adc", "channel": 0, "device": 0, "raw": 512}: what the MCP3008 measures (null: there is no chip)
    {"op": "relay", "pin": 17, "active_low": false}: a relay hangs there; from now on it is known whether it is energised
    {"op": "relays"} → "relays": {"17": {"energised": true, "energised_s": 1.5, "times": 1, "off_at": null}}
    {"op": "levels"} → "levels": {"17": 1, ...} (null: floats)
What a test wants:
    {"op": "calls", "since": 0} → "calls": [[at, who, what, pin, level, pull]], "next": n
    {"op": "force", "pin": 17, "level": 0}: whoever owns it, as `pinctrl` does
    {"op": "name", "name": "daemon"}: who this connection is, in the calls
    {"op": "deaf", "seconds": 5}: nothing is answered for so long: a bus that hangs
"""

import argparse
import json
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .lines import PULLS, Busy, Call, Lines, NotOurs

__all__ = ["Latch", "main"]

_LINE_MAX = 64 * 1024
_OUT_MAX = 4 * 1024 * 1024

Message = dict[str, Any]


class _Client:
    """One connection: what came, what is still to go, who it is."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock, self.name = sock, f"client {number}"
        self.came, self.out = bytearray(), bytearray()

    def __str__(self) -> str:
        return self.name


class Latch:
    """Lines behind a socket. One thread, nothing waits for a client."""

    def __init__(self, path: str, *, strict: bool = False) -> None:
        self.lines = Lines(strict=strict, on_edge=self._edge)
        self.adc: dict[tuple[int, int], int] = {}
        self._path = path
        self._clients = 0
        self._deaf_until = 0.0
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen(64)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, None)

    def serve(self, stopped: Callable[[], bool]) -> None:
        """Answer until `stopped`, asked ten times a second."""
        while not stopped():
            for key, events in self._selector.select(0.1):
                if key.data is None:
                    self._accept()
                elif events & selectors.EVENT_READ:
                    self._read(key.data)
                else:
                    self._flush(key.data)

    def close(self) -> None:
        """Let everybody go, and the socket's file."""
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
        Path(self._path).unlink(missing_ok=True)

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        sock.setblocking(False)
        self._clients += 1
        self._selector.register(sock, selectors.EVENT_READ, _Client(sock, self._clients))

    def _read(self, client: _Client) -> None:
        try:
            data = client.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        client.came += data
        while (end := client.came.find(b"\n")) >= 0:
            line = bytes(client.came[:end])
            del client.came[: end + 1]
            self._send(client, self.answer(client, line))
        if not data or len(client.came) > _LINE_MAX or len(client.out) > _OUT_MAX:
            self._gone(client)

    def _gone(self, client: _Client) -> None:
        self._selector.unregister(client.sock)
        client.sock.close()
        self.lines.gone(client, time.monotonic())

    def _send(self, client: _Client, message: Message) -> None:
        client.out += json.dumps(message).encode() + b"\n"
        self._flush(client)

    def _flush(self, client: _Client) -> None:
        if (wait := self._deaf_until - time.monotonic()) > 0:
            time.sleep(wait)
        try:
            del client.out[: client.sock.send(client.out)]
        except BlockingIOError:
            pass
        except OSError:
            client.out.clear()  # reading says that it is gone
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.out else 0)
        self._selector.modify(client.sock, events, client)

    def _edge(self, owner: object, pin: int, level: int) -> None:
        assert isinstance(owner, _Client)
        self._send(owner, {"edge": pin, "level": level, "ns": time.monotonic_ns()})

    def answer(self, client: _Client, line: bytes) -> Message:
        """Do what a line says; return what is answered."""
        try:
            asked = json.loads(line)
            told = self._do(client, asked["op"], asked) or {}
        except Busy:
            return {"error": "busy"}
        except NotOurs as exc:
            return {"error": "not ours", "words": str(exc)}
        except (ValueError, KeyError, TypeError) as exc:
            return {"error": f"{type(exc).__name__}: {exc}"}
        return {"ok": True, **told}

    def _do(self, client: _Client, op: str, asked: Message) -> Message | None:
        now, lines = time.monotonic(), self.lines
        match op:
            case "claim_output":
                lines.claim_output(client, now, asked["pin"], _level(asked), _pull(asked))
            case "claim_input" | "claim_alert":
                lines.claim_input(client, now, asked["pin"], _pull(asked), listens=op == "claim_alert")
            case "write":
                lines.write(client, now, asked["pin"], _level(asked))
            case "free":
                lines.free(client, now, asked["pin"])
            case "read":
                return {"level": lines.lines[asked["pin"]].now() or 0}
            case "mode":
                line = lines.lines[asked["pin"]]
                return {"output": line.is_output, "pull": line.pull}
            case "spi":
                return {"got": self._spi(asked.get("device", 0), bytes.fromhex(asked["sent"])).hex()}
            case _:
                return self._do_outside(client, op, asked)
        return None

    def _do_outside(self, client: _Client, op: str, asked: Message) -> Message | None:
        now, lines = time.monotonic(), self.lines
        match op:
            case "outside":
                lines.outside(now, asked["pin"], None if asked["level"] is None else _level(asked))
            case "relay":
                lines.relay(now, asked["pin"], bool(asked["active_low"]))
            case "force":
                lines.force(now, asked["pin"], _level(asked), client.name)
            case "name":
                client.name = str(asked["name"])
            case "adc":
                key = (asked.get("device", 0), asked["channel"])
                self.adc.pop(key, None)
                if asked["raw"] is not None:
                    self.adc[key] = int(asked["raw"])
            case "deaf":
                self._deaf_until = now + float(asked["seconds"])
            case "relays":
                return {"relays": self._relays(now)}
            case "levels":
                return {"levels": {str(n): line.now() for n, line in lines.lines.items()}}
            case "calls":
                calls = list(lines.calls)[int(asked.get("since", 0)) :]
                return {"calls": [_told(call) for call in calls], "next": len(lines.calls)}
            case _:
                raise ValueError(f"nobody knows {op!r}")
        return None

    def _relays(self, now: float) -> Message:
        return {
            str(line.number): {
                "energised": line.is_energised,
                "energised_s": self.lines.energised_s(now, line.number),
                "times": line.times,
                "off_at": line.off_at,
            }
            for line in self.lines.lines.values()
            if line.active_low is not None
        }

    def _spi(self, device: int, sent: bytes) -> bytes:
        """Answer as an MCP3008 does: ten bits at the end of what follows the start bit; nobody there pulls MISO down."""
        if len(sent) != 3 or sent[0] != 1 or not any(chip == device for chip, _ in self.adc):
            return bytes(len(sent))
        raw = self.adc.get((device, sent[1] >> 4 & 7), 0)
        return bytes([0, raw >> 8 & 3, raw & 255])


def _level(asked: Message) -> int:
    level = asked["level"]
    if level not in (0, 1):
        raise ValueError(f"a level is 0 or 1, not {level!r}")
    return int(level)


def _pull(asked: Message) -> str:
    pull = asked.get("pull", "")
    if pull and pull not in PULLS:
        raise ValueError(f"a pull is one of {', '.join(PULLS)}, not {pull!r}")
    return str(pull)


def _told(call: Call) -> list[object]:
    return [call.at, call.who, call.what, call.pin, call.level, call.pull]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Prints {"socket"} when it can be asked."""
    parser = argparse.ArgumentParser(prog="python -m chaos.doubles.house.latch", description=__doc__)
    parser.add_argument("socket", help="where it listens")
    parser.add_argument("--strict", action="store_true", help="as with dtparam=strict_gpiod")
    options = parser.parse_args(arguments)
    ends: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: ends.append(number))
    latch = Latch(options.socket, strict=options.strict)
    print(json.dumps({"socket": options.socket}), flush=True)
    try:
        latch.serve(lambda: bool(ends))
    finally:
        latch.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
