"""Who is let in as which site, decided by the head of an upgrade and by the certificate that TLS, or a proxy, has checked.

Nothing has been answered yet, so every refusal is an HTTP status with words: 401 where nobody is proven (with a nonce to
sign), 403 where somebody is known and may not. What was let in is looked at again whenever the hub's authority changes.
"""

from collections.abc import Callable, Sequence

import structlog
import trio
from attrs import define, field, frozen

from daemons.ops.authority.certificates import Certificate
from daemons.ops.authority.file import AuthorityFile
from daemons.ops.authority.identity import Forbidden, Identity, Refusal, Role, Unauthorised
from daemons.ops.authority.siteproof import SCHEME, Challenge, Claim, NonceBook, check_proof, read_claim
from daemons.ops.authority.sites import SiteRow, check_site_name, find_site, minimum_of
from daemons.store.errors import StorageError

__all__ = ["Admission", "Admitted"]

_log = structlog.stdlib.get_logger("pitlink.link")

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case, in the order they came."""

_ONCE = (b"authorization", b"pitlink-site", b"pitlink-instance", b"pitlink-attempt")
_NO_ROW = 0


@frozen
class Admitted:
    """A site that has proven itself: how, and under which of its row's generations."""

    site: str
    identity: Identity
    generation: int
    _authorization: str = field(default="", repr=False, alias="authorization")


@define(eq=False)
class Admission:
    """The hub's door. `hub`: its name, audience of proofs. `identify`: who an old bearer token belongs to."""

    file: AuthorityFile
    hub: str
    nonces: NonceBook
    identify: Callable[[str], Identity]
    refusals: dict[str, int] = field(factory=dict, init=False)  # by code

    def admit(self, headers: Headers, certificate: Certificate | None) -> Admitted:
        """Return who is let in. Raises Unauthorised, Forbidden; StorageError when nobody can be looked up."""
        try:
            return self._admit(headers, certificate)
        except Refusal as refusal:
            self.refusals[refusal.code] = self.refusals.get(refusal.code, 0) + 1
            raise

    def challenge(self, refusal: Refusal) -> str:
        """Return the WWW-Authenticate header of a 401."""
        error = "" if refusal.code == "missing" else refusal.code
        return f"{Challenge(self.nonces.challenge(trio.current_time()), self.hub, error)}, Bearer"

    def why_not(self, admitted: Admitted) -> str | None:
        """Say in words why a site that was let in is out now; None while it is in. Raises StorageError.

        Another key than the one it came with is no reason: what it promised then still holds.
        """
        row = self.file.read(lambda conn: find_site(conn, admitted.site))
        if row is not None and (row.is_revoked or row.generation != max(admitted.generation, 1)):
            return "this site was revoked at the hub"
        if admitted.identity.kind == "bearer":
            try:
                self.identify(admitted._authorization)
            except Refusal:
                return "this site's token was revoked at the hub"
            except StorageError:
                return None  # somebody edits the file just now: it is looked at again when it has changed
        elif row is None:
            return "this site is not known at the hub any more"
        return None

    def minimum(self, site: str) -> str:
        """Return the oldest version that is let in as this site."""
        return self.file.read(lambda conn: minimum_of(conn, site))

    def _admit(self, headers: Headers, certificate: Certificate | None) -> Admitted:
        known = _read(headers)
        if b"origin" in known:
            # Only browsers send it: a page of somebody else's must not open the link with what a browser holds.
            raise Forbidden("the link is not for browsers", "origin")
        site = known.get(b"pitlink-site", b"").decode("latin-1")
        try:
            check_site_name(site)
        except ValueError:
            raise Unauthorised("the upgrade names no site", "malformed") from None
        row = self.file.read(lambda conn: find_site(conn, site))
        if row is not None and row.is_revoked:
            raise Unauthorised(f"the site {site!r} was revoked", "revoked")
        authorization = known.get(b"authorization", b"").decode("latin-1")
        identity = self._prove(site, row, authorization, known, certificate)
        return Admitted(site, identity, _NO_ROW if row is None else row.generation, authorization)

    def _prove(
        self,
        site: str,
        row: SiteRow | None,
        authorization: str,
        known: dict[bytes, bytes],
        certificate: Certificate | None,
    ) -> Identity:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == SCHEME.lower():
            return self._prove_by_key(site, row, token.strip(), known)
        if authorization:
            return self._prove_by_bearer(site, row, authorization)
        if certificate is not None and row is not None and row.by_certificate:
            return _prove_by_certificate(row, certificate)
        raise Unauthorised(f"prove to be {site!r}: sign the nonce", "missing")

    def _prove_by_key(
        self, site: str, row: SiteRow | None, token: str, known: dict[bytes, bytes]
    ) -> Identity:
        if row is None:
            raise Unauthorised(f"this hub knows no site {site!r}", "unknown")
        if row.key is None:
            raise Unauthorised(f"the site {site!r} has not enrolled a key at this hub", "unknown")
        claim = _claim(site, known)
        nonce = read_claim(token)
        self.nonces.check(nonce, site, trio.current_time())
        check_proof(token, row.key, claim, self.hub)
        self.nonces.use(nonce, site)  # only now: nobody but the key's holder can use one up
        return Identity("site", site, Role.SITE, (site,), row.key.hex()[:16])

    def _prove_by_bearer(self, site: str, row: SiteRow | None, authorization: str) -> Identity:
        identity = self.identify(authorization)
        if identity.kind != "bearer" or identity.role is not Role.SITE:
            raise Forbidden("this token is not a site's", "role")
        if site not in identity.sites:
            raise Forbidden(f"this token is not for site {site!r}", "site")
        if row is not None and (row.generation > 1 or row.key is not None or row.by_certificate):
            # Whoever has kept an old token, or a copy of it, does not come back with it.
            raise Unauthorised(f"old tokens of the site {site!r} are good no more: enrol it", "revoked")
        _log.warning("site.bearer", site=site, words="an old token let this site in: let it enrol a key")
        return identity


def _prove_by_certificate(row: SiteRow, certificate: Certificate) -> Identity:
    if row.fingerprint is not None and certificate.fingerprint != row.fingerprint:
        raise Unauthorised(f"this is not the certificate that proves the site {row.name!r}", "signature")
    if row.fingerprint is None and row.name not in certificate.names:
        raise Forbidden(f"this certificate does not name the site {row.name!r}", "site")
    return Identity("cert", row.name, Role.SITE, (row.name,), certificate.fingerprint.hex()[:16])


def _claim(site: str, known: dict[bytes, bytes]) -> Claim:
    instance, attempt = known.get(b"pitlink-instance", b""), known.get(b"pitlink-attempt", b"")
    if not attempt.isdigit() or len(attempt) > 18:
        raise Unauthorised("the upgrade names no attempt", "malformed")
    return Claim(site, instance.decode("latin-1"), int(attempt))


def _read(headers: Headers) -> dict[bytes, bytes]:
    """Return the headers by name. What proves a site must be there once: two readers must not differ on which holds."""
    known: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in known and name in _ONCE:
            raise Unauthorised(f"the header {name.decode('latin-1')} is there twice", "malformed")
        known[name] = value
    return known
