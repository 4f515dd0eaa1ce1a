"""People, teams and places that there are not."""

import random
from typing import Final

__all__ = ["circuit", "drivers", "number", "team"]

_GIVEN: Final = (
    "Ada", "Bram", "Cleo", "Dario", "Edda", "Falk", "Greta", "Hugo", "Ines", "Jarl", "Kaja", "Linus", "Mira",
    "Nils", "Oda", "Piet", "Quinn", "Runa", "Sven", "Tilda", "Ulf", "Vera", "Wim", "Yara", "Zeno", "Émile", "Zoë",
    "Björn", "Łucja",
)  # fmt: skip
_FAMILY: Final = (
    "Aldergate", "Birkmoor", "Castellan", "Dunwick", "Eberhold", "Fennimore", "Garlund", "Hollowby", "Isenreuth",
    "Jorvale", "Kestrand", "Lindqvale", "Marwood", "Nettlebeck", "Oakhurst", "Pellworm", "Quarrington", "Ravensby",
    "Stellmark", "Thornquay", "Umberlee", "Varnholt", "Westerlund", "Yarrowby", "O'Dell",
)  # fmt: skip
_TEAM: Final = (
    "Apex", "Blue", "Cinder", "Delta", "Ember", "Falcon", "Granite", "Harbour", "Ivory", "Juniper", "Kestrel",
    "Lantern", "Meteor", "North", "Orbit",
)  # fmt: skip
_PLACES: Final = (
    "Alderton", "Brackwater", "Cindermoor", "Dunholme", "Eastvale", "Fernreach", "Greyhaven", "Highmere",
)  # fmt: skip


def drivers(seed: int, count: int) -> list[str]:
    """Return that many different names. A few have letters of Latin-1, one (Łucja) has none there and becomes "?"."""
    rng = random.Random(f"drivers {seed}")
    pairs = [f"{given} {family}" for given in _GIVEN for family in _FAMILY]
    return rng.sample(pairs, count)


def team(seed: int, index: int) -> str:
    """Return a team's name."""
    rng = random.Random(f"team {seed} {index}")
    return f"{rng.choice(_TEAM)} {rng.choice(('Racing', 'Motorsport', 'Autosport', 'Simsport'))} {index + 1}"


def circuit(seed: int) -> str:
    """Return where the track is."""
    return random.Random(f"circuit {seed}").choice(_PLACES)


def number(index: int) -> str:
    """Return what stands on the car; one has a leading zero, which iRacing keeps."""
    return "007" if index == 6 else str(index + 1)
