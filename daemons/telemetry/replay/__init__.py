"""What was kept, shown as it was when it came: at any speed, stopped and wound at will."""

from daemons.telemetry.replay.replaying import Replay

__all__ = ["Replay"]
