"""What drivers send now: the newest minutes of each, for whoever looks. Speaks in the chunks of `daemons.telemetry.look`."""

from daemons.telemetry.livebook.book import LiveBook
from daemons.telemetry.livebook.driver import DriverLive
from daemons.telemetry.livebook.wishes import Watcher, merged

__all__ = ["DriverLive", "LiveBook", "Watcher", "merged"]
