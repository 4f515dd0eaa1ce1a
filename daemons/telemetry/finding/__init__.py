"""Stints, laps and sectors in what a recording holds, found as it arrives."""

from daemons.telemetry.finding.finder import CHANNELS, Finder
from daemons.telemetry.finding.values import Facts, Flaw, FoundLap, FoundStint

__all__ = ["CHANNELS", "Facts", "Finder", "Flaw", "FoundLap", "FoundStint"]
