"""What `pitlink doctor` looks at for a boiler and for a nas, beside what any site and any hub needs."""

from collections.abc import Iterator
from functools import partial

import trio

from daemons.heating.config import BoilerConfig
from daemons.heating.hardware.strict import strict_words
from daemons.heating.hardware.wiring import Wiring
from daemons.heating.housefile import read_house
from daemons.ops.doctor.finding import Finding, bad, good, warning
from daemons.ops.errors import ConfigError
from daemons.pair.doctor import Health, examine_hub, examine_site, nothing_more

__all__ = ["examine_boiler", "examine_nas"]


async def _own(config: BoilerConfig, health: Health) -> list[Finding]:
    """Look at the house file, the kernel, the sensors. No pin is touched."""
    return await trio.to_thread.run_sync(lambda: list(_house(config)))


def _house(config: BoilerConfig) -> Iterator[Finding]:
    try:
        plant, wiring = read_house(config.house_file)
    except ConfigError as exc:
        yield bad("house file", str(exc), "a sample, all of it explained: pitlink heat house")
        return
    yield good("house file", f"{plant.house}: {len(plant.zones)} zones, {len(wiring.relays)} relays")
    words = strict_words()
    yield (
        warning("relays", words, "docs/heating-hardware.md")
        if words
        else good("relays", "they are let go when the daemon dies, or this is no Raspberry Pi")
    )
    yield _bus(wiring)


def _bus(wiring: Wiring) -> Finding:
    """Look whether each 1-wire sensor of the house file is on the bus."""
    lost = [name for name, serial in wiring.ds18b20.items() if not (wiring.w1_folder / serial).exists()]
    if not lost:
        return good("sensors", f"all {len(wiring.ds18b20)} on the 1-wire bus are there")
    remedy = "dtoverlay=w1-gpio in config.txt, wires, and the serial numbers in the house file"
    some = ", ".join(lost[:8]) + (f" and {len(lost) - 8} more" if len(lost) > 8 else "")
    return bad("sensors", f"not on the 1-wire bus ({wiring.w1_folder}): {some}", remedy)


examine_boiler = partial(
    examine_site, "boiler", _own, "no nas_url is set: the house is heated alone, or a nas dials it"
)
examine_nas = partial(examine_hub, "nas", nothing_more)
