"""What a site's health says of FPVTrackside."""

from collections.abc import Sequence

from daemons.ops.health import Health, Severity
from daemons.race.fields import FieldNews
from daemons.race.originstate import OriginState

__all__ = ["note_files", "note_origin"]

NEWS_SAID_MAX = 3


def note_origin(health: Health, state: OriginState, words: str) -> None:
    """Warn while FPVTrackside cannot be read."""
    if state is OriginState.UP:
        health.clear("origin")
    else:
        health.set("origin", Severity.DEGRADED, words)


def note_files(health: Health, news: Sequence[FieldNews]) -> None:
    """Say that this version of FPVTrackside writes other files than the known ones."""
    if news:
        told = "; ".join(one.words for one in news[:NEWS_SAID_MAX])
        words = (
            f"this version of FPVTrackside writes other files than the known ones: {told}. Look at the pages"
        )
        health.set("race-files", Severity.NOTICE, words)
