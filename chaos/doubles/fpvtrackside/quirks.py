"""The odd habits of FPVTrackside's web server, each of which can be switched.

Every default is what the newest known version does on Windows (`Webb/EventWebServer.cs` of FPVTracksideCore
2.77). `Quirks.old()` is a version from before December 2025. A double reads its quirks anew at each request,
so a test may replace `double.quirks` in mid-run.
"""

from enum import Enum

import attrs

__all__ = ["HeadHabit", "Quirks"]


class HeadHabit(Enum):
    """What becomes of a HEAD whose GET would have a body."""

    TEARS_DOWN = "tears_down"  # Windows: the write throws, the listener is rebuilt, every connection is reset
    SENDS_BODY = "sends_body"  # macOS and Linux: the body follows anyway and breaks the framing
    FINE = "fine"  # what the standard asks for


@attrs.frozen(kw_only=True)
class Quirks:
    """Say how the double misbehaves. Durations are seconds of the Trio clock, whatever the day's speed."""

    always_200: bool = True  # False: an honest 404, with no body, instead of an empty 200 or the home page
    one_at_a_time: bool = True  # one thread: the next request is looked at when the last is written
    has_current: bool = (
        True  # `/current` exists (since 2026-06-30); older: it is an unknown path, so the home page
    )
    events_content_type: str | None = "application/json"  # since 2025-12-08; before: no Content-Type at all
    httpfiles_json_type: str = "text/json"
    localhost_only: bool = True  # no urlacl: a Host other than `localhost` gets a 400 of http.sys
    off_until_event: bool = True  # False: it listens before an event is open and serves a page without one
    head: HeadHabit = HeadHabit.TEARS_DOWN
    abort_tears_down: bool = (
        True  # a client that hangs up makes the write throw: every other connection is reset
    )
    sharing_violation: bool = False  # reading a file while it is written throws too; else the read is torn
    relisten_s: float = 0.05  # how long connections are refused after a tear-down
    torn_write_s: float = 0.02  # a file is empty for the first half of this and half there for the second
    hint_lead_s: float = 0.0  # how long a notification goes out before the file it speaks of is written
    answer_delay_s: float = 0.0  # the laptop is busy: this long before the file is read
    part_bytes: int = 65_536  # a body is written in parts of this size ...
    part_delay_s: float = 0.0  # ... with this pause before each but the first
    idle_close_s: float = 120.0  # http.sys closes a kept-alive connection after this long without a request

    @classmethod
    def old(cls) -> "Quirks":
        """Describe a version of before December 2025: no Content-Type for event files, no `/current`."""
        return cls(has_current=False, events_content_type=None)

    @classmethod
    def none(cls) -> "Quirks":
        """Describe a server as one would wish it: no torn reads, no tear-downs, 404s, any host, parallel."""
        return cls(
            always_200=False,
            one_at_a_time=False,
            localhost_only=False,
            off_until_event=False,
            head=HeadHabit.FINE,
            abort_tears_down=False,
            torn_write_s=0.0,
        )
