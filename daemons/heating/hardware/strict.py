"""Does this Pi's kernel keep a dead program's relays driven? Raspberry Pi's does by default, and one line changes it.

`dtparam=strict_gpiod` in config.txt puts `pinctrl_bcm2835.persist_gpio_outputs=n` on the kernel's command line; a kernel of
early 2024 has a parameter `strict_gpiod` instead. What the running kernel does stands in its modules' parameters; without
those (an older kernel) only the command line and config.txt are left. Sources: raspberrypi/linux pull requests 6117 and
6150, drivers/pinctrl/pinctrl-rp1.c and pinctrl-bcm2835.c, Raspberry Pi's white paper on GPIO. Not tried on a Pi here.
"""

from pathlib import Path

__all__ = ["strict_words"]

_MODULES = ("pinctrl_rp1", "pinctrl_bcm2835")
"""The header of a Pi 5 hangs at the RP1, which is asked first; there both drivers are loaded."""
_CONFIGS = ("boot/firmware/config.txt", "boot/config.txt")
_DO = (
    "add dtparam=strict_gpiod to /boot/firmware/config.txt and restart the Pi, and give every relay a resistor that pulls "
    "it off (docs/heating-hardware.md)"
)


def strict_words(root: Path = Path("/")) -> str:
    """Return what to do, in words; empty: a relay is let go when the program that drives it dies, or this is no Pi.

    Reads a few small files: for a start, not for a loop.
    """
    model = _read(root / "proc/device-tree/model").rstrip("\0")
    if "Raspberry Pi" not in model:
        return ""
    is_strict = _running(root, is_pi_5="Pi 5" in model or "Compute Module 5" in model or "Pi 500" in model)
    is_asked = _in_config(root)
    if is_strict:
        return ""
    if is_strict is None:
        if is_asked:
            return (
                "config.txt has strict_gpiod, but this kernel does not say that it knows it (it came in April 2024): a relay "
                "may stay on when the daemon dies. Update Raspberry Pi OS, restart, and look again."
            )
        return f"It is not known whether a relay stays on when the daemon dies: {_DO}."
    if is_asked:
        return (
            "config.txt has strict_gpiod, but the kernel that runs does not obey it: a relay stays on when the daemon dies. "
            "Restart the Pi; if this stays, look whether a section of config.txt ([pi4], [all]) holds it back."
        )
    return f"This kernel leaves a relay on when the daemon dies: {_DO}."


def _running(root: Path, *, is_pi_5: bool) -> bool | None:
    """Does the running kernel let lines go? None: it does not say."""
    for module in _MODULES if is_pi_5 else _MODULES[1:]:
        folder = root / "sys/module" / module / "parameters"
        if said := _read(folder / "persist_gpio_outputs").strip():
            return said in ("N", "n", "0")
        if said := _read(folder / "strict_gpiod").strip():
            return said in ("Y", "y", "1")
    asked = None
    for word in _read(root / "proc/cmdline").split():
        name, _, value = word.partition("=")
        if name.endswith(".persist_gpio_outputs") and name.partition(".")[0] in _MODULES:
            asked = value in ("n", "N", "0")
    return asked


def _in_config(root: Path) -> bool:
    """Is it in config.txt, in whatever section? Its last word counts."""
    is_asked = False
    for path in _CONFIGS:
        for line in _read(root / path).splitlines():
            name, _, value = line.partition("#")[0].strip().partition("=")
            if name in ("dtparam", "device_tree_param"):
                for parameter in value.split(","):
                    key, _, state = parameter.strip().partition("=")
                    if key == "strict_gpiod":
                        is_asked = state not in ("off", "false", "no", "n", "0")
    return is_asked


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
