"""A race document in the shape and size of a real Race.json, and how it changes from refresh to refresh."""

import json
import random
from collections.abc import Iterator


def _id(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def document(rng: random.Random, laps: int = 20) -> list[dict[str, object]]:
    """Return a race of `laps` laps of four pilots: about 17 KB as FPVTrackside writes it."""
    pilots = [_id(rng) for _ in range(4)]
    detections: list[dict[str, object]] = []
    lap_rows: list[dict[str, object]] = []
    for number in range(laps):
        time = f"2026/05/02 14:{number // 60:02d}:{number % 60:02d}.{rng.randrange(1000):03d}"
        detection = {
            "TimingSystemIndex": 0, "Channel": _id(rng), "Time": time, "Peak": rng.randrange(200, 900),
            "TimingSystemType": "LapRF", "Pilot": pilots[number % 4], "LapNumber": number // 4, "Valid": True,
            "ValidityType": "Auto", "IsLapEnd": True, "RaceSector": number // 4 * 100, "IsHoleshot": number < 4,
            "ID": _id(rng), "ExternalID": 0,
        }  # fmt: skip
        detections.append(detection)
        lap_rows.append(
            {
                "Detection": detection["ID"], "LengthSeconds": round(rng.uniform(5, 30), 4), "LapNumber": number // 4,
                "StartTime": time, "EndTime": time, "ID": _id(rng), "ExternalID": 0,
            }
        )  # fmt: skip
    return [{"Laps": lap_rows, "Detections": detections, "RaceNumber": 1, "Round": _id(rng), "TargetLaps": 4}]


def encode(value: object) -> bytes:
    """Return it as FPVTrackside writes it: two spaces of indent, CRLF."""
    return json.dumps(value, indent=2).replace("\n", "\r\n").encode()


def refreshes(count: int, change_every: int, seed: int = 1) -> Iterator[bytes]:
    """Yield `count` versions of the document; one number in it changes every `change_every` refreshes."""
    rng = random.Random(seed)
    value = document(rng)
    body = encode(value)
    laps = value[0]["Laps"]
    assert isinstance(laps, list)
    for refresh in range(count):
        if refresh % change_every == 0 and refresh:
            rng.choice(laps)["LengthSeconds"] = round(rng.uniform(5, 30), 4)
            body = encode(value)
        yield body
