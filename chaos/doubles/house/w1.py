"""A folder that looks like `/sys/bus/w1/devices` with DS18B20 in it: what the kernel's driver says of each, to the byte."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["W1Folder", "crc8", "scratchpad", "w1_text"]

_POWER_ON = 85.0


def crc8(data: bytes) -> int:
    """Return the CRC of a 1-wire scratchpad: polynomial x⁸ + x⁵ + x⁴ + 1, least bit first (Maxim, application note 27)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


def scratchpad(celsius: float, *, is_power_on: bool = False) -> bytes:
    """Return the nine bytes of a DS18B20 at twelve bits. A genuine one says in byte 6 that it converted
    (0x10 less the lower half of byte 0), and 0x0C from power-on until it first does."""
    raw = round(celsius * 16) & 0xFFFF
    low, high = raw & 0xFF, raw >> 8
    head = bytes((low, high, 0x4B, 0x46, 0x7F, 0xFF, 0x0C if is_power_on else 0x10 - (low & 0x0F), 0x10))
    return head + bytes((crc8(head),))


def w1_text(said: float | str, kept: float = 20.0) -> str:
    """Return `w1_slave` for °C or a fault. With a damaged answer ("crc") the second line has `kept`, the last good value,
    as the kernel's driver does."""
    match said:
        case "crc":
            shown = scratchpad(kept)
            came = bytes((shown[0] ^ 0x20,)) + shown[1:3] + bytes((shown[3] ^ 0x41,)) + shown[4:]
        case "power-on":
            came = shown = scratchpad(_POWER_ON, is_power_on=True)
        case "range":
            came = shown = scratchpad(-127.0)
        case float():
            came = shown = scratchpad(said)
        case _:
            raise ValueError(f"a DS18B20 does not say {said!r}")
    crc = crc8(came[:8])
    milli = int.from_bytes(shown[:2], "little", signed=True) * 1000 // 16
    is_good = "YES" if crc == came[8] else "NO"
    return f"{came.hex(' ')} : crc={came[8]:02x} {is_good}\n{shown.hex(' ')} t={milli}\n"


class W1Folder:
    """`roms`: sensor id → "28-…", its folder's name. A sensor that is lost has none; one that hangs has a pipe there that
    nobody writes into: whoever reads it waits until it is mended."""

    def __init__(self, folder: Path, roms: Mapping[str, str]) -> None:
        self.folder = folder
        self._roms = dict(roms)
        self._kept: dict[str, float] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def show(self, readings: Mapping[str, float | str]) -> None:
        """Put what sensors say into their files, each at once and whole. Those not named say what they said."""
        for id_, said in readings.items():
            if (rom := self._roms.get(id_)) is None:
                continue
            place = self.folder / rom
            file = place / "w1_slave"
            if said in ("lost", "open", "short"):
                with self._letting_go(file):
                    shutil.rmtree(place, ignore_errors=True)
                continue
            place.mkdir(exist_ok=True)
            if said == "hangs":
                if not file.is_fifo():
                    file.unlink(missing_ok=True)
                    os.mkfifo(file)
                continue
            if isinstance(said, float):
                self._kept[id_] = said
            new = place / ".new"
            new.write_text(w1_text(said, self._kept.get(id_, 20.0)))
            with self._letting_go(file):
                new.rename(file)

    @staticmethod
    @contextlib.contextmanager
    def _letting_go(file: Path) -> Iterator[None]:
        """Have whoever hangs in reading this pipe come to its end once the file is another: who reads again at once
        would hang in the pipe that nobody finds any more."""
        held = os.open(file, os.O_RDWR | os.O_NONBLOCK) if file.is_fifo() else None
        try:
            yield
        finally:
            if held is not None:
                os.close(held)
