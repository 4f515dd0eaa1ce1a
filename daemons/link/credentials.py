"""What a site shows a hub when it asks for the link: its key's signature, a client certificate, or an old bearer token."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from attrs import define, field, frozen

from daemons.ops.authority.sitekey import KEY_FILE, SiteKey, load_site_key
from daemons.ops.authority.siteproof import SCHEME, Challenge, Claim, make_proof
from daemons.ops.errors import ConfigError, Problem

__all__ = [
    "BearerCredential",
    "CertificateCredential",
    "Credential",
    "CredentialProblem",
    "KeyCredential",
    "open_credential",
]


class CredentialProblem(Exception):
    """The site cannot prove itself; the words say what an operator has to do."""


class Credential(Protocol):
    """The port. A credential is asked before every upgrade, and told what came of it."""

    def headers(self, claim: Claim) -> list[tuple[bytes, bytes]]:
        """Return the headers that prove this claim, none when a challenge is wanted first. Raises CredentialProblem."""

    def challenged(self, challenge: Challenge | None) -> bool:
        """Take what a 401 asks for. Return whether dialling again at once can help. Raises CredentialProblem."""

    def welcomed(self, nonce: str) -> None:
        """Take the nonce that came with the hub's hello ("": none), for the next upgrade."""


@frozen(repr=False)
class BearerCredential:
    """The token that the hub's operator gave out, for one release more."""

    token: str

    def headers(self, claim: Claim) -> list[tuple[bytes, bytes]]:
        if not self.token:
            raise CredentialProblem("this site has nothing that proves it: enrol it with pitlink enroll")
        return [(b"Authorization", b"Bearer " + self.token.encode())]

    def challenged(self, challenge: Challenge | None) -> bool:
        return False

    def welcomed(self, nonce: str) -> None:
        pass


@frozen
class CertificateCredential:
    """TLS has proven the site by its client certificate, here or at the proxy in front of the hub."""

    def headers(self, claim: Claim) -> list[tuple[bytes, bytes]]:
        return []

    def challenged(self, challenge: Challenge | None) -> bool:
        return False

    def welcomed(self, nonce: str) -> None:
        pass


@define(eq=False)
class KeyCredential:
    """The site's own key. `load` reads it anew for each upgrade, so that a new enrolment needs no restart.

    With a nonce from the last hello the upgrade takes one round trip; without one the hub is asked for one first.
    """

    load: Callable[[], SiteKey]
    _nonce: str = field(default="", init=False, repr=False)
    _hub: str = field(default="", init=False)

    def headers(self, claim: Claim) -> list[tuple[bytes, bytes]]:
        key = self.load()
        if key.site != claim.site:
            raise CredentialProblem(
                f"this machine's key is of site {key.site!r}, not of {claim.site!r}: name that one in the "
                "configuration, or enrol this one with pitlink enroll"
            )
        nonce, self._nonce = self._nonce, ""
        if not nonce or (self._hub and self._hub != key.hub):
            return []
        self._hub = key.hub
        return [(b"Authorization", f"{SCHEME} {make_proof(key.private, claim, key.hub, nonce)}".encode())]

    def challenged(self, challenge: Challenge | None) -> bool:
        if challenge is None:
            return False
        key = self.load()
        if challenge.hub != key.hub:
            raise CredentialProblem(
                f"this is another hub ({challenge.hub}) than the one this site enrolled at ({key.hub}): check "
                "cloud_url, or enrol here with pitlink enroll"
            )
        # A proof that was refused for anything but its nonce would be refused again.
        self._nonce, self._hub = challenge.nonce, challenge.hub
        return challenge.error in ("", "missing", "replayed")

    def welcomed(self, nonce: str) -> None:
        self._nonce = nonce


def open_credential(folder: Path, site: str, *, token: str, by_certificate: bool) -> Credential:
    """Return what a site with this state folder proves itself with: a certificate, else its key, else an old token.

    Raises ConfigError: the key is damaged, readable by others, or of another site.
    """
    if by_certificate:
        return CertificateCredential()
    path = folder / KEY_FILE
    key = load_site_key(path)
    if key is None:
        return BearerCredential(token)
    if key.site != site:
        problem = Problem(
            "site", f"is {site!r}, and the key in {path} is of {key.site!r}", "one of them is wrong"
        )
        raise ConfigError([problem])
    return KeyCredential(partial(_load, path))


def _load(path: Path) -> SiteKey:
    try:
        key = load_site_key(path)
    except ConfigError as exc:
        raise CredentialProblem(str(exc)) from None
    if key is None:
        raise CredentialProblem(f"the site's key {path} is gone: pitlink enroll makes another")
    return key
