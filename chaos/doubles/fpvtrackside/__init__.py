"""The stand-in for FPVTrackside: its web server with its quirks, a race day from a seed, recorded events.

double = FPVTrackside(EventTree())                  # or EventTree from load_event_dir(folder)
async with trio.open_nursery() as nursery:
    port = await nursery.start(double.serve)        # refused until an event opens
    await nursery.start(RaceDay(double, seed=1).run)  # or Replay, or RaceControl by hand
    await double.wait_listening()
    ...                                             # the client under test talks to double.url
    double.assert_well_mannered()
"""

from .clock import EventClock
from .control import RaceControl
from .edits import Edition, RaceEdits
from .manners import Manners, Visit
from .notify import Notifier
from .quirks import HeadHabit, Quirks
from .quirkyday import Edit, QuirkyDay
from .race import Detection, Race
from .raceday import Incident, RaceDay
from .recorded import load_event_dir
from .replay import Replay
from .server import FPVTrackside
from .tree import EventTree, Write

__all__ = [
    "Detection",
    "Edit",
    "Edition",
    "EventClock",
    "EventTree",
    "FPVTrackside",
    "HeadHabit",
    "Incident",
    "Manners",
    "Notifier",
    "Quirks",
    "QuirkyDay",
    "Race",
    "RaceControl",
    "RaceDay",
    "RaceEdits",
    "Replay",
    "Visit",
    "Write",
    "load_event_dir",
]
