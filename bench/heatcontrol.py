"""What a step of a house's control costs: 14 zones with room and pipe temperatures that change in each step.

    .venv/bin/python -m bench.heatcontrol --steps 20000

Steps are 10 s of a winter's day apart: rooms warm and cool, weeks change, relays are switched. Figures are µs of processor time.
"""

import json
import math
import time

from bench.report import parser, percentile, table, write
from daemons.heating.control import Control
from daemons.heating.plant import BurnerPlan, Plant, ZoneKind, ZonePlan
from daemons.heating.settings import Entry, Settings, Target, ZoneSettings
from daemons.heating.state import Inputs, Instant, Reading

ROOMS = 13
START = 1_768_400_000.0


def house() -> tuple[Plant, Settings]:
    """Return the plant and its settings."""
    zones = [
        ZonePlan(id=f"z{n}", title=f"Room {n}", output=f"v{n}", call=f"c{n}", room=f"r{n}", supply=f"s{n}")
        for n in range(1, ROOMS + 1)
    ]
    zones.append(
        ZonePlan(id="z14", title="Hot water", kind=ZoneKind.DHW, output="v14", call="c14", supply="s14")
    )
    burner = BurnerPlan(output="burner", firing="firing", pump="pump", flow="flow", back="back", min_open=2)
    week = tuple(
        Entry(day, minute, Target(celsius))
        for day in range(7)
        for minute, celsius in ((360, 21.0), (1320, 18.0))
    )
    settings = Settings(zones={zone.id: ZoneSettings(week=week) for zone in zones[:ROOMS]})
    plant = Plant(house="bench", time_zone="America/Denver", zones=tuple(zones), burner=burner, outdoor="out")
    return plant, settings


def run(steps: int) -> dict[str, float]:
    """Drive the control; return percentiles of a step in µs, and what came of it."""
    plant, settings = house()
    control, temps = Control(plant, None), [19.5 + n / 10 for n in range(ROOMS)]
    outputs: dict[str, bool] = {}
    took, events, memory_bytes = [], 0, 0
    for step in range(steps):
        mono = 10.0 * step
        out = -5 + 5 * math.sin(mono / 13_751)
        flow = 50.0 if outputs.get("burner") else 30.0
        readings = {
            "out": Reading(mono, round(out * 16) / 16),
            "flow": Reading(mono, flow),
            "back": Reading(mono, 25.0),
        }
        for n in range(ROOMS):
            warm = outputs.get(f"v{n + 1}") and outputs.get("burner")
            temps[n] += 0.004 if warm else -0.0008
            readings[f"r{n + 1}"] = Reading(mono, round(temps[n] * 16) / 16)
            readings[f"s{n + 1}"] = Reading(mono, 48.0 if warm else 22.0)
        readings["s14"] = Reading(mono, 50.0)
        calls = {f"c{n}": False for n in range(1, ROOMS + 1)} | {"c14": step % 2000 > 1900}
        inputs = Inputs(readings, calls | {"firing": outputs.get("burner", False)})
        now = Instant(mono, START + mono, "bench")
        begun = time.thread_time()
        decision = control.step(now, inputs, settings)
        took.append((time.thread_time() - begun) * 1e6)
        outputs = dict(decision.outputs)
        events += len(decision.events)
        if decision.memory is not None:
            memory_bytes += len(json.dumps(decision.memory))
    return {
        "steps": steps, "p50": percentile(took, 0.5), "p99": percentile(took, 0.99), "mean": sum(took) / steps,
        "events": events, "memory_bytes": memory_bytes,
    }  # fmt: skip


def main() -> None:
    """Run as a program."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--steps", type=int, default=20_000)
    options = arguments.parse_args()
    figures = run(options.steps)
    table(
        "A step of control, 14 zones (µs)",
        ["", "value"],
        [[name, f"{value:.0f}"] for name, value in figures.items()],
    )
    write(options.json, "heatcontrol", figures)


if __name__ == "__main__":
    main()
