"""What a site's health says of its two neighbours: FPVTrackside and the hub."""

from collections.abc import Sequence

from daemons.link.credentials import BearerCredential, Credential
from daemons.ops.health import Health, Severity
from daemons.race.fields import FieldNews
from daemons.race.originstate import OriginState
from protocol.linkstatus import LinkStatus, Status

__all__ = ["note_files", "note_link", "note_origin", "warn_of_bearer"]

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


def note_link(health: Health, status: LinkStatus) -> None:
    """Warn while there is no link."""
    if status.status is Status.READY:
        health.clear("link")
    elif status.status is not Status.CONNECTING:
        health.set("link", Severity.DEGRADED, status.words)


def warn_of_bearer(health: Health, credential: Credential) -> None:
    """Say that an old token will not prove this site for much longer."""
    if isinstance(credential, BearerCredential):
        health.set(
            "bearer-token",
            Severity.NOTICE,
            "this site proves itself with an old token, which the next release will not know: ask the hub's "
            "operator for a code (pitlink site add) and enrol with it (pitlink enroll)",
        )
