"""Drive every relay off, whatever became of the daemon: `python -m daemons.heating.hardware.relays_off --wiring FILE`.

systemd runs it each time the boiler's daemon has ended, by itself, killed or hung (`ExecStopPost`); so may anybody. FILE is
the note that the daemon keeps in its state folder (`relays.json`). A line that somebody still holds is driven by the
program `pinctrl` (of Raspberry Pi OS), which writes the chip's registers. Standard library and lgpio only: it has to be
quick, and to work when everything else does not. Exit code 1: some line could not be driven off; all were tried.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from daemons.heating.hardware.offnote import Note, read_note

__all__ = ["main", "relays_off"]

_PINCTRL_S = 2.0


def main(arguments: list[str]) -> int:
    """Do it; say what was done."""
    began = time.monotonic()
    if len(arguments) != 2 or arguments[0] != "--wiring":
        print("usage: python -m daemons.heating.hardware.relays_off --wiring FILE", file=sys.stderr)
        return 2
    path = Path(arguments[1])
    try:
        note = read_note(path)
    except FileNotFoundError:
        print(f"pitlink: no note at {path}: no relay was ever driven from there")
        return 0
    except (OSError, ValueError) as exc:
        print(f"pitlink: the relays could not be driven off: {exc}", file=sys.stderr)
        return 1
    said = relays_off(note)
    for words in said:
        print(f"pitlink: {words}", file=sys.stderr)
    took_ms = (time.monotonic() - began) * 1000
    print(f"pitlink: {len(note.lines) - len(said)} of {len(note.lines)} lines are off, in {took_ms:.0f} ms")
    return 1 if said else 0


def relays_off(note: Note) -> list[str]:
    """Drive every line of a note off; return in words which could not be."""
    try:
        lgpio, handle = _open(note)
    except Exception as exc:  # there is one more way to each line, whatever this was
        lgpio, handle = None, f"{type(exc).__name__}: {exc}"
    said = []
    for pin, off in note.lines.items():
        why = handle if lgpio is None else _claim_off(lgpio, handle, pin, off)
        if why and (also := _pinctrl(pin, off)):
            said.append(f"GPIO {pin} could not be driven off: {why}; {also}")
    # The chip stays open: as long as this process lives the lines are held at off, and then left so.
    return said


def _open(note: Note) -> tuple[Any, Any]:
    if note.gpio.startswith("latch:"):
        from daemons.heating.hardware.latchpins import LatchLgpio

        latch = LatchLgpio()
        return latch, latch.gpiochip_open(note.gpio.removeprefix("latch:"))
    import lgpio

    return lgpio, lgpio.gpiochip_open(note.chip)


def _claim_off(lgpio: Any, handle: Any, pin: int, off: int) -> str:
    try:
        lgpio.gpio_claim_output(handle, pin, off, lgpio.SET_PULL_UP if off else lgpio.SET_PULL_DOWN)
    except Exception as exc:
        return str(exc)
    return ""


def _pinctrl(pin: int, off: int) -> str:
    command = ["pinctrl", "set", str(pin), "op", "pu" if off else "pd", "dh" if off else "dl"]
    try:
        done = subprocess.run(command, timeout=_PINCTRL_S, capture_output=True, text=True, check=False)
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"pinctrl: {exc}"
    return "" if done.returncode == 0 else f"pinctrl: {done.stderr.strip() or done.returncode}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
