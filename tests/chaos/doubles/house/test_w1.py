"""What the folder shows, against what Linux' own driver shows of real chips."""

import threading
from pathlib import Path

import pytest

from chaos.doubles.house.w1 import W1Folder, crc8, scratchpad, w1_text

ROM = "28-0000000000a1"


@pytest.mark.parametrize(
    ("celsius", "line"),
    [  # from the driver's documentation, forums and datasheet: real chips
        (23.125, "72 01 4b 46 7f ff 0e 10 57"),
        (85.0, "50 05 4b 46 7f ff 10 10"),
        (-10.125, "5e ff 4b 46 7f ff 02 10"),
    ],
)
def test_the_bytes_are_those_of_a_real_chip(celsius: float, line: str) -> None:
    assert scratchpad(celsius).hex(" ").startswith(line)
    assert crc8(scratchpad(celsius)) == 0  # over all nine


def test_power_on_differs_from_a_true_85_in_byte_6_alone_and_its_sum() -> None:
    assert scratchpad(85.0, is_power_on=True).hex(" ") == "50 05 4b 46 7f ff 0c 10 1c"  # as every chip says
    assert w1_text("power-on").endswith("t=85000\n")


def test_a_good_answer() -> None:
    assert w1_text(23.125) == "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=23125\n"


def test_a_damaged_answer_says_no_and_shows_what_was_good_last() -> None:
    first, second = w1_text("crc", 23.125).splitlines()
    assert first.endswith(" NO")
    assert first.split(" : ")[0] != second.split(" t=")[0]
    assert second.endswith("t=23125")


def test_minus_127_has_a_good_sum() -> None:
    first, second = w1_text("range").splitlines()
    assert first.endswith(" YES")
    assert second.endswith("t=-127000")


def test_who_is_lost_has_no_folder_and_comes_back(tmp_path: Path) -> None:
    folder = W1Folder(tmp_path, {"room.study": ROM})
    file = tmp_path / ROM / "w1_slave"
    folder.show({"room.study": 20.0, "room.nobody": 3.0})
    assert file.read_text().endswith("t=20000\n")
    folder.show({"room.study": "lost"})
    assert list(tmp_path.iterdir()) == []
    folder.show({"room.study": 21.0})
    assert file.read_text().endswith("t=21000\n")


def test_who_reads_one_that_hangs_waits_until_it_is_mended(tmp_path: Path) -> None:
    folder = W1Folder(tmp_path, {"room.study": ROM})
    folder.show({"room.study": "hangs"})
    read: list[str] = []
    reader = threading.Thread(
        target=lambda: read.append((tmp_path / ROM / "w1_slave").read_text()), daemon=True
    )
    reader.start()
    reader.join(0.2)
    assert reader.is_alive()
    for _ in range(
        100
    ):  # the one that opened the pipe a moment after it was let go is let go with the next look
        folder.show({"room.study": "hangs"})
        folder.show({"room.study": 20.0})
        reader.join(0.1)
        if not reader.is_alive():
            break
    assert not reader.is_alive()
    assert read[0] == "" or read[0].endswith("t=20000\n")
