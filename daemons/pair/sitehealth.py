"""What any site's health says of its hub."""

from daemons.link.credentials import BearerCredential, Credential
from daemons.ops.health import Health, Severity
from protocol.linkstatus import LinkStatus, Status

__all__ = ["note_link", "warn_of_bearer"]


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
