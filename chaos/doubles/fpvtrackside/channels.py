"""Channels.json: the video channels that the timing program knows, as it lists them.

Ids are constants: the channel's running number, little-endian in the first field of a GUID (`00000009-...` =
R1). Frequencies are those of the bands themselves, in MHz.
"""

from typing import Any

__all__ = ["RACEBAND_IDS", "channel_id", "channel_rows"]

_BANDS: list[tuple[str, str, str, int, list[int]]] = [
    # band, short band, prefix ("\0": none), running number of its first channel, frequencies
    ("Fatshark", "F", "\0", 1, [5740, 5760, 5780, 5800, 5820, 5840, 5860, 5880]),
    ("Raceband", "R", "\0", 9, [5658, 5695, 5732, 5769, 5806, 5843, 5880, 5917]),
    ("A", "A", "\0", 17, [5865, 5845, 5825, 5805, 5785, 5765, 5745, 5725]),
    ("B", "B", "\0", 25, [5733, 5752, 5771, 5790, 5809, 5828, 5847, 5866]),
    ("DJIFPVHD", "D", "\0", 33, [5660, 5695, 5735, 5770, 5805, 5878, 5914, 5839]),
    ("E", "E", "\0", 41, [5705, 5685, 5665, 5645, 5885, 5905, 5925, 5945]),
    ("HDZero", "Z", "R", 49, [5658, 5695, 5732, 5769, 5806, 5843, 5880, 5917]),
    ("LowBand", "L", "\0", 59, [5333, 5373, 5413, 5453, 5493, 5533, 5573, 5613]),
    ("Diatone", "D", "\0", 67, [5362, 5399, 5436, 5473, 5510, 5547, 5584, 5621]),
    ("DJIO3", "D", "\0", 75, [5669, 5705, 5768, 5804, 5839, 5876, 5912]),
]


def channel_id(number: int) -> str:
    """Return the id of the channel with that running number."""
    return f"{number:08x}-0000-0000-0000-000000000000"


RACEBAND_IDS = [channel_id(number) for number in range(9, 17)]


def channel_rows() -> list[dict[str, Any]]:
    """Return the rows of Channels.json."""
    rows = [
        _row(first + index, index + 1, band, short, prefix, mhz)
        for band, short, prefix, first, frequencies in _BANDS
        for index, mhz in enumerate(frequencies)
    ]
    rows += [_row(57, 2, "HDZero", "Z", "F", 5760), _row(58, 4, "HDZero", "Z", "F", 5800)]
    return sorted(rows, key=lambda row: str(row["ID"]))


def _row(running: int, number: int, band: str, short: str, prefix: str, mhz: int) -> dict[str, Any]:
    return {
        "Number": number,
        "Band": band,
        "ChannelPrefix": prefix,
        "Frequency": mhz,
        "DisplayName": None,
        "ID": channel_id(running),
        "ExternalID": 0,
        "ShortBand": short,
    }
