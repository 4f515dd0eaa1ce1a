"""The double's house as a boiler's house file has it (TOML): its zones, and what hangs where."""

import json
from pathlib import Path

from .plan import HousePlan
from .wires import Wires

__all__ = ["house_file"]


def house_file(plan: HousePlan, wires: Wires, latch: Path, w1_folder: Path) -> str:
    """Return the text: `latch` the socket of the latch, `w1_folder` what looks like /sys/bus/w1/devices."""
    lines = [
        'house = "Colorado"', 'time_zone = "America/Denver"', 'outdoor = "outdoor"', "[burner]", 'output = "burner"',
        'pump = "pump"', 'firing = "firing"', 'flow = "flow"', 'back = "back"',
    ]  # fmt: skip
    for room in plan.rooms:
        lines += ["[[zones]]", f'id = "{room.id}"', f'title = "{room.title}"', f'output = "{room.id}"']
        lines += [f'room = "room.{room.id}"', f'supply = "pipe.{room.id}"', *_call(wires, room.id)]
    lines += [
        "[[zones]]",
        f'id = "{plan.tank}"',
        'title = "Hot water"',
        'kind = "dhw"',
        f'output = "{plan.tank}"',
    ]
    lines += [f'supply = "pipe.{plan.tank}"', *_call(wires, plan.tank)]
    lines += ["[sensors.outdoor]", "lowest = -45", "highest = 55", "frozen_s = 0"]
    lines += ["[sensors.flow]", "rate_k_per_min = 60", "[sensors.back]", "rate_k_per_min = 60"]
    lines += ["[wiring]", f"gpio = {json.dumps(f'latch:{latch}')}", f"alive = {wires.alive}"]
    lines += [f"w1_folder = {json.dumps(str(w1_folder))}", "[wiring.relays]"]
    low = str(wires.active_low).lower()
    lines += [f'"{name}" = {{ pin = {pin}, active_low = {low} }}' for name, pin in wires.relays.items()]
    lines += ["[wiring.contacts]", *(f'"{name}" = {pin}' for name, pin in wires.contacts.items())]
    lines += ["[wiring.ds18b20]", *(f'"{name}" = "{rom}"' for name, rom in wires.ds18b20.items())]
    for name, channel in wires.ntc.items():
        lines += [f'[wiring.ntc."{name}"]', f"channel = {channel}"]
    return "\n".join(lines) + "\n"


def _call(wires: Wires, zone: str) -> list[str]:
    return [f'call = "call.{zone}"'] if f"call.{zone}" in wires.contacts else []
