"""What the relay sends while it happens: live batches in tiers, thinner where the link or the PC does not keep up."""

from daemons.telemetry.sending.live import LiveFigures, LiveSender
from daemons.telemetry.sending.pressure import Bounds, Degree, Load, Pressure
from daemons.telemetry.sending.watch import Watch

__all__ = ["Bounds", "Degree", "LiveFigures", "LiveSender", "Load", "Pressure", "Watch"]
