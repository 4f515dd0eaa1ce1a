"""The house as a process beside a boiler's: `python -m chaos.doubles.house --folder DIR --latch SOCKET`.

It keeps DIR as `/sys/bus/w1/devices` looks, reads from the latch (`chaos.doubles.house.latch`) which relays are energised,
and closes contacts and turns thermistors there. At the control socket each line is a JSON object and is answered by one:

    {"fail": "sensor room.study", "kind": "lost"}      and "value" where a kind takes one; see `faults.py`
    {"mend": "sensor room.study"}                      {"mend": "all"}
    {"power": "cut"}                                   all that only a power cut mends is mended
    {"reset": "boiler"}                                the button of the boiler's own overheat stat
    {"truth": true}                                    how the house is: °C, valves, relays, faults, its time
"""

import argparse
import json
import math
import os
import signal
import socket
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import trio
from attrs import frozen

from .house import House
from .plan import colorado
from .w1 import W1Folder
from .wires import Wires, adc_raw

__all__ = ["HouseControl", "Options", "main"]

_LINE_MAX = 64 * 1024
_READ_S = 0.75
"""As often as a DS18B20 converts; a house that goes fast is read as often in real time."""
_TURN_S = 0.2
"""Relays are looked at, and the house advances, so often in real seconds."""

Message = dict[str, Any]


@frozen(kw_only=True)
class Options:
    """What can be asked. `utc`: the house's time at the start (None: now); `fail`: faults from the start on."""

    folder: Path
    latch: str | None = None
    control: str | None = None
    speed: float = 1.0
    seed: int = 1
    utc: float | None = None
    fail: tuple[str, ...] = ()


class HouseControl:
    """What is asked at the control socket, done to one house."""

    def __init__(self, house: House) -> None:
        self._house = house

    def answer(self, line: bytes) -> Message:
        """Do what a line says; return what is answered."""
        try:
            asked = json.loads(line)
            if not isinstance(asked, dict):
                raise ValueError("each line is an object")
            return {"ok": True, **self._do(asked)}
        except (ValueError, KeyError, TypeError) as exc:
            return {"error": str(exc)}

    def _do(self, asked: Message) -> Message:
        house = self._house
        match asked:
            case {"fail": str(what), "kind": str(kind)}:
                value = asked.get("value")
                house.faults.add(what, kind, None if value is None else float(value))
            case {"mend": "all"}:
                house.faults.clear()
            case {"mend": str(what)}:
                house.faults.take(what)
            case {"power": "cut"}:
                house.cut_power()
            case {"reset": "boiler"}:
                house.reset_boiler()
            case {"truth": _}:
                return {"truth": _truth(house)}
            case _:
                raise ValueError("fail and kind, mend, power, reset or truth")
        return {}


def _truth(house: House) -> Message:
    return {
        "utc": house.utc,
        "outdoor": house.outdoor,
        "rooms": dict(zip(house.zones, house.rooms, strict=False)),
        "valves": dict(zip(house.zones, house.valves, strict=True)),
        "tank": house.tank,
        "flow": house.flow,
        "is_firing": house.is_firing,
        "is_pumping": house.is_pumping,
        "is_cut_off": house.is_cut_off,
        "relays": house.relays,
        "faults": [attrs.asdict(fault) for fault in house.faults],
    }


class _LatchLine:
    """Our end of the latch: one question after the other."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._came = bytearray()

    async def ask(self, *messages: Message) -> list[Message]:
        """Ask all of them at once, and return the answers. Raises ValueError for the first that is refused."""
        await self._stream.send_all(b"".join(json.dumps(message).encode() + b"\n" for message in messages))
        answers: list[Message] = []
        while len(answers) < len(messages):
            if (end := self._came.find(b"\n")) >= 0:
                answers.append(json.loads(bytes(self._came[:end])))
                del self._came[: end + 1]
                if "error" in answers[-1]:
                    raise ValueError(f"the latch refused: {answers[-1]['error']}")
                continue
            data = await self._stream.receive_some(65536)
            if not data or len(self._came) > _LINE_MAX:
                raise trio.BrokenResourceError("the latch has gone")
            self._came += data
        return answers


async def _advance(
    house: House, wires: Wires, folder: W1Folder, latch: _LatchLine | None, speed: float
) -> None:
    """Let the house live: relays in, time on, contacts and sensors out, for ever."""
    by_pin = {str(pin): name for name, pin in wires.relays.items()}
    outputs: Mapping[str, bool] = {}
    last, read_at = trio.current_time(), -math.inf
    if latch is not None:
        await latch.ask(
            {"op": "name", "name": "house"},
            *(
                {"op": "relay", "pin": pin, "active_low": wires.active_low}
                for pin in (*wires.relays.values(), wires.alive)
            ),
        )
    while True:
        if latch is not None:
            told = (await latch.ask({"op": "relays"}))[0]["relays"]
            outputs = {by_pin[pin]: relay["energised"] for pin, relay in told.items() if pin in by_pin}
        now = trio.current_time()
        house.advance((now - last) * speed, outputs)
        last = now
        if now - read_at >= _READ_S:
            read_at = now
            readings = house.readings()
            await trio.to_thread.run_sync(folder.show, readings)
            if latch is not None:
                await latch.ask(*_shown(wires, readings))
        if latch is not None:
            said = house.contacts()
            await latch.ask(
                *(
                    {"op": "outside", "pin": pin, "level": 0 if said[name] else None}
                    for name, pin in wires.contacts.items()
                )
            )
        await trio.sleep(_TURN_S)


def _shown(wires: Wires, readings: Mapping[str, float | str]) -> list[Message]:
    return [
        {"op": "adc", "channel": channel, "raw": adc_raw(readings[name])}
        for name, channel in wires.ntc.items()
        if name in readings
    ]


def _socket_at(path: str) -> trio.socket.SocketType:
    """Return a Unix socket that only this user may open; it takes the place of one that a dead process left."""
    if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
        os.unlink(path)
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    plain.bind(path)
    os.chmod(path, 0o600)
    plain.listen(16)
    return trio.socket.from_stdlib_socket(plain)


async def _serve(listener: trio.SocketListener, answer: Callable[[bytes], Message]) -> None:
    async def serve_one(stream: trio.SocketStream) -> None:
        came = bytearray()
        try:
            while data := await stream.receive_some(4096):
                came += data
                while (end := came.find(b"\n")) >= 0:
                    line = bytes(came[:end])
                    del came[: end + 1]
                    await stream.send_all(json.dumps(answer(line)).encode() + b"\n")
                if len(came) > _LINE_MAX:
                    return
        except trio.BrokenResourceError:
            return

    await trio.serve_listeners(serve_one, [listener])


async def _run(options: Options) -> None:
    plan = colorado()
    house = House(options.seed, time.time() if options.utc is None else options.utc, plan)
    for said in options.fail:
        what, _, kind = said.partition("=")
        kind, _, value = kind.partition(":")
        house.faults.add(what, kind, float(value) if value else None)
    wires = Wires.of(plan)
    folder = W1Folder(options.folder, wires.ds18b20)
    folder.show(house.readings())
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            latch = None
            if options.latch is not None:
                latch = _LatchLine(await trio.open_unix_socket(options.latch))
            nursery.start_soon(_advance, house, wires, folder, latch, options.speed)
            if options.control is not None:
                listener = trio.SocketListener(_socket_at(options.control))
                nursery.start_soon(_serve, listener, HouseControl(house).answer)  # which closes it
            _say(options)
            await anext(aiter(signals))
            nursery.cancel_scope.cancel()


def _say(options: Options) -> None:
    print(json.dumps({"folder": str(options.folder), "control": options.control}), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Live until SIGTERM or SIGINT. Prints {"folder", "control"} when the folder is there and it can be asked."""
    parser = argparse.ArgumentParser(
        prog="python -m chaos.doubles.house",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--folder", type=Path, help="what looks like /sys/bus/w1/devices")
    parser.add_argument("--latch", help="socket of the latch that holds the relays; none: they are all off")
    parser.add_argument("--control", help="socket at which it can be broken and mended")
    parser.add_argument("--speed", type=float, default=1.0, help="how fast its time goes")
    parser.add_argument("--seed", type=int, default=1, help="of its weather, its people and its noise")
    parser.add_argument("--utc", type=float, help="its time at the start; now")
    parser.add_argument(
        "--fail",
        action="append",
        default=[],
        metavar="WHAT=KIND[:VALUE]",
        help='broken from the start: "sensor room.study=lost"',
    )
    parser.add_argument("--wires", action="store_true", help="say as JSON what hangs where, and end")
    asked = vars(parser.parse_args(arguments))
    if asked.pop("wires"):
        print(json.dumps(attrs.asdict(Wires.of(colorado())), indent=1))
        return 0
    if asked["folder"] is None:
        parser.error("--folder is needed")
    trio.run(_run, Options(**{**asked, "fail": tuple(asked["fail"])}))
    return 0
