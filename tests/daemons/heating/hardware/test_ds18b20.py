"""What a DS18B20's file says and what it does not: CRC, power-on, ranges, files that are no answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.doubles.house import w1
from daemons.heating.hardware.ds18b20 import crc8, read_w1_slave
from daemons.heating.state import Fault

TRUE_85 = bytes.fromhex("50 05 4b 46 7f ff 10 10".replace(" ", ""))
POWER_ON = bytes.fromhex("50 05 4b 46 7f ff 0c 10".replace(" ", ""))


def text(
    head: bytes, *, crc: int | None = None, says: str | None = None, kept: bytes | None = None, milli: int = 0
) -> bytes:
    """Return a file: eight bytes, their CRC or another, YES or NO as the kernel would, the retained line."""
    pad = head + bytes((crc8(head) if crc is None else crc,))
    good = says or ("YES" if crc8(head) == pad[8] else "NO")
    return f"{pad.hex(' ')} : crc={crc8(head):02x} {good}\n{(kept or pad).hex(' ')} t={milli}\n".encode()


def at(raw: int, *, sixth: int | None = None, config: int = 0x7F) -> bytes:
    low, high = (raw & 0xFFFF).to_bytes(2, "little")
    return bytes((low, high, 0x4B, 0x46, config, 0xFF, 0x10 - (low & 15) if sixth is None else sixth, 0x10))


def test_the_crc_of_the_data_sheet() -> None:
    assert crc8(bytes.fromhex("021cb801000000")) == 0xA2  # application note 27
    assert crc8(POWER_ON) == 0x1C


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (text(at(0x0191)), 25.0625),
        (text(at(0)), 0.0),
        (text(at(-8)), -0.5),
        (text(at(-0x00A2)), -10.125),
        (text(at(0x07D0)), 125.0),
        (text(at(-880)), -55.0),
        (text(TRUE_85, milli=85000), 85.0),
        (text(POWER_ON, milli=85000), Fault.POWER_ON),
        (text(at(0x0550, sixth=0x00)), Fault.POWER_ON),  # a clone: not known
        (text(at(0x054F)), 84.9375),
        (text(at(0x0154, sixth=0x0C)), 21.25),  # there 0x0C is what follows from the temperature
        (text(at(-127 * 16)), Fault.RANGE),
        (text(at(-1759)), Fault.RANGE),  # −109.9: unplugged, ten times before an error
        (text(at(0x07FF)), Fault.RANGE),  # 127.94: a conversion that failed
        (text(at(1200 * 16 & 0x7FFF)), Fault.RANGE),
        (text(at(0x0197, config=0x1F)), 25.0),  # nine bits: the last three say nothing
        (text(at(0x0191), crc=0x00), Fault.CRC),
        (text(at(0x0191), crc=0x00, says="YES"), Fault.CRC),  # our own count
        (text(at(0x0191), says="NO"), Fault.CRC),
        (text(at(0x0191), crc=0x11, kept=at(0x0140) + b"\x11", milli=20000), Fault.CRC),  # the retained one
        (text(bytes(8), crc=0), Fault.LOST),  # its CRC is right
        (text(b"\xff" * 8, crc=0xFF), Fault.LOST),
        (b"", Fault.LOST),
        (b"\n", Fault.LOST),
        (text(at(0x0191)).splitlines()[0] + b"\n", Fault.LOST),
        (text(at(0x0191))[3:], Fault.LOST),
        (text(at(0x0191)).replace(b"crc=", b"crc"), Fault.LOST),
        (text(at(0x0191)) * 2, Fault.LOST),
        (b"t=21000\n", Fault.LOST),
    ],
)
def test_what_is_said(file: bytes, said: float | Fault) -> None:
    assert read_w1_slave(file) == said


@given(st.integers(-55 * 16, 125 * 16))
def test_what_the_double_writes_is_read_as_it_was_meant(raw: int) -> None:
    assert read_w1_slave(w1.w1_text(raw / 16).encode()) == raw / 16


@pytest.mark.parametrize(
    ("kind", "fault"), [("crc", Fault.CRC), ("power-on", Fault.POWER_ON), ("range", Fault.RANGE)]
)
def test_the_doubles_faults(kind: str, fault: Fault) -> None:
    assert read_w1_slave(w1.w1_text(kind).encode()) is fault


@given(st.integers(-55 * 16, 125 * 16), st.integers(0, 71))
def test_any_one_bit_on_the_way_is_noticed(raw: int, bit: int) -> None:
    head = at(raw)
    pad = bytearray(head + bytes((crc8(head),)))
    pad[bit // 8] ^= 1 << bit % 8
    line = bytes(pad).hex(" ")
    assert isinstance(read_w1_slave(f"{line} : crc=00 YES\n{line} t=1\n".encode()), Fault)


@given(st.binary(max_size=200))
def test_anything_is_an_answer_in_itself(file: bytes) -> None:
    assert read_w1_slave(file) is Fault.LOST
