"""Recordings: what the model was told, with its moments, into a file and out of it again. Knows no screen."""

from tui.record.player import SPEEDS, Player
from tui.record.recorder import RecordedModel, Recorder
from tui.record.recording import Recording
from tui.record.reel import Reel
from tui.record.writer import RecordingError

__all__ = ["SPEEDS", "Player", "RecordedModel", "Recorder", "Recording", "RecordingError", "Reel"]
