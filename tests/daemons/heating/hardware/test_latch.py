"""The latch as a process, and lgpio's functions over it: what stays when a client goes, edges, SPI, what it refuses."""

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemons.heating.hardware.latchpins import LatchLgpio
from tests.daemons.heating.hardware.latch import Latch, run_latch


@pytest.fixture(scope="module")
def latch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Latch]:
    with run_latch(tmp_path_factory.mktemp("latch")) as latch:
        yield latch


def test_an_output_stays_as_it_was_when_its_client_goes(latch: Latch) -> None:
    latch.ask("relay", pin=17, active_low=False)
    lgpio = LatchLgpio()
    handle = lgpio.gpiochip_open(str(latch.path))
    lgpio.gpio_claim_output(handle, 17, 0, lgpio.SET_PULL_DOWN)
    assert not latch.relay(17)["energised"]
    lgpio.gpio_write(handle, 17, 1)
    assert lgpio.gpio_read(handle, 17) == 1
    assert lgpio.gpio_get_mode(handle, 17) == 2 | lgpio.SET_PULL_DOWN
    other = lgpio.gpiochip_open(str(latch.path))
    with pytest.raises(lgpio.error, match="GPIO busy"):
        lgpio.gpio_claim_output(other, 17, 0)
    lgpio.gpiochip_close(handle)
    latch.until(lambda: "gone" in [call[2] for call in latch.calls(17)])
    told = latch.relay(17)
    assert told["energised"]
    assert told["times"] == 1
    lgpio.gpio_claim_output(other, 17, 0)
    assert not latch.relay(17)["energised"]
    lgpio.gpiochip_close(other)


def test_edges_come_in_a_thread(latch: Latch) -> None:
    lgpio = LatchLgpio()
    handle = lgpio.gpiochip_open(str(latch.path))
    edges: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
    lgpio.gpio_claim_alert(handle, 5, lgpio.BOTH_EDGES, lgpio.SET_PULL_UP)
    callback = lgpio.callback(
        handle, 5, lgpio.BOTH_EDGES, lambda chip, pin, level, ns: edges.put((pin, level))
    )
    latch.ask("outside", pin=5, level=0)
    assert edges.get(timeout=30) == (5, 0)
    assert lgpio.gpio_read(handle, 5) == 0
    callback.cancel()
    latch.ask("outside", pin=5, level=None)
    assert lgpio.gpio_read(handle, 5) == 1  # answered after the edge was sent
    assert edges.empty()
    lgpio.gpiochip_close(handle)


def test_an_mcp3008(latch: Latch) -> None:
    lgpio = LatchLgpio()
    handle = lgpio.gpiochip_open(str(latch.path))
    spi = lgpio.spi_open(0, 0, 500_000)
    assert lgpio.spi_xfer(spi, [1, 0x80 | 3 << 4, 0]) == (3, bytes(3))  # nobody there
    latch.ask("adc", channel=3, raw=777)
    assert lgpio.spi_xfer(spi, [1, 0x80 | 3 << 4, 0]) == (3, bytes([0, 777 >> 8, 777 & 255]))
    lgpio.spi_close(spi)
    lgpio.gpiochip_close(handle)


def test_what_it_refuses(latch: Latch, tmp_path: Path) -> None:
    lgpio = LatchLgpio()
    with pytest.raises(lgpio.error, match="no latch"):
        lgpio.gpiochip_open(str(tmp_path / "none"))
    for line, words in (
        ({"op": "dance"}, "nobody knows"),
        ({"op": "write", "pin": 17, "level": 2}, "a level is 0 or 1"),
        ({"op": "write", "pin": 99, "level": 1}, "not ours"),
        ({"op": "claim_input", "pin": 5, "pull": "sideways"}, "a pull is one of"),
        ({"op": "read"}, "KeyError"),
    ):
        with pytest.raises(AssertionError, match=words):
            latch.ask(str(line.pop("op", None)), **line)
