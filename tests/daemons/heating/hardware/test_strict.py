"""Is a dead program's relay let go by this kernel? What the files of a Pi say, and in which words."""

from pathlib import Path

import pytest

from daemons.heating.hardware.strict import strict_words

PI_4 = "Raspberry Pi 4 Model B Rev 1.5\0"
PI_5 = "Raspberry Pi 5 Model B Rev 1.0\0"
BCM = "sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs"
RP1 = "sys/module/pinctrl_rp1/parameters/persist_gpio_outputs"
CONFIG = "boot/firmware/config.txt"

OK, STAYS_ON, UNKNOWN, RESTART, TOO_OLD = (
    "",
    "leaves a relay on",
    "is not known",
    "does not obey",
    "does not say",
)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, OK),  # no Pi
        ({"proc/device-tree/model": "Some Other Board\0", BCM: "Y\n"}, OK),
        ({"proc/device-tree/model": PI_4, BCM: "Y\n"}, STAYS_ON),
        ({"proc/device-tree/model": PI_4, BCM: "N\n"}, OK),
        ({"proc/device-tree/model": PI_4, BCM: "Y\n", CONFIG: "dtparam=strict_gpiod\n"}, RESTART),
        ({"proc/device-tree/model": PI_4, BCM: "N\n", CONFIG: "# dtparam=strict_gpiod\n"}, OK),
        ({"proc/device-tree/model": PI_5, RP1: "Y\n", BCM: "N\n"}, STAYS_ON),  # its header hangs at the RP1
        ({"proc/device-tree/model": PI_5, RP1: "N\n", BCM: "Y\n"}, OK),
        ({"proc/device-tree/model": PI_4, "sys/module/pinctrl_bcm2835/parameters/strict_gpiod": "Y\n"}, OK),
        (
            {"proc/device-tree/model": PI_4, "sys/module/pinctrl_bcm2835/parameters/strict_gpiod": "N\n"},
            STAYS_ON,
        ),
        ({"proc/device-tree/model": PI_4}, UNKNOWN),
        (
            {"proc/device-tree/model": PI_4, "proc/cmdline": "quiet pinctrl_bcm2835.persist_gpio_outputs=n"},
            OK,
        ),
        (
            {"proc/device-tree/model": PI_4, "proc/cmdline": "pinctrl_bcm2835.persist_gpio_outputs=y"},
            STAYS_ON,
        ),
        ({"proc/device-tree/model": PI_4, CONFIG: "dtparam=i2c_arm=on,strict_gpiod\n"}, TOO_OLD),
        ({"proc/device-tree/model": PI_4, CONFIG: "dtparam=strict_gpiod=off\n"}, UNKNOWN),
        (
            {"proc/device-tree/model": PI_4, "boot/config.txt": "[all]\ndtparam=strict_gpiod # heats\n"},
            TOO_OLD,
        ),
    ],
)
def test_what_is_known(tmp_path: Path, files: dict[str, str], words: str) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    said = strict_words(tmp_path)
    assert words in said
    assert bool(said) is bool(words)
    if words in (STAYS_ON, UNKNOWN):
        assert "dtparam=strict_gpiod" in said


def test_here() -> None:
    assert isinstance(strict_words(), str)
