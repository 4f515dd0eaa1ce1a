"""What one origin may be asked for, and what became of it, as numbers."""

from attrs import define, frozen

__all__ = ["OriginLimits", "OriginStatistics"]


@frozen
class OriginLimits:
    """The bounds of one origin.

    `in_flight` counts fetches of callers that wait or are being answered. `read_again_after_s`: the pauses
    before an empty or torn file is read again; soon, because a write takes milliseconds, then late enough to
    be sure.
    """

    fetch_s: float = 5.0
    read_s: float = 30.0
    in_flight: int = 8
    body_bytes: int = 8 * 1024 * 1024
    requests_in_10_s: int = 40
    idle_interval_s: float = 5.0
    idle_saved: int = 120
    kept_bytes: int = 32 * 1024 * 1024
    read_again_after_s: tuple[float, ...] = (0.1, 0.9)


@define
class OriginStatistics:
    """Counts since the start; `waiting` and `in_flight` as they are now."""

    sent: int = 0
    body_bytes: int = 0  # of answers, good or not
    shared: int = 0  # callers that joined a fetch that was there
    busy: int = 0
    never_sent: int = 0  # given up by its callers before its turn
    timeouts: int = 0
    retried: int = 0  # connection errors tried once more
    unanswered: int = 0  # requests that ended with a connection error
    good: int = 0
    unchanged: int = 0  # good, and byte for byte what was there before
    empty: int = 0  # reads, not answers
    torn: int = 0  # reads, not answers
    absent: int = 0  # answers `[]` for an empty file
    stale: int = 0  # answers with the last good copy of a file that is empty now
    invalid: int = 0
    too_large: int = 0
    aborted_late: int = 0  # by the 30 s rule
    aborted_at_stop: int = 0
    waiting: int = 0
    in_flight: int = 0
