"""How a site proves itself in the upgrade: a JWT signed by its key over a nonce of the hub, which is good once.

Claims: `iss` the site, `aud` the hub's name, `nonce`, `instance` and `attempt` as in the upgrade's headers. There is no
expiry and no issue time in it: a site with a wrong clock, or back after three weeks, proves itself like any other. What
bounds its life is the nonce. The idea is RFC 9449's DPoP-Nonce.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import deque
from collections.abc import Callable

import jwt
from attrs import define, field, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from daemons.ops.authority.identity import Unauthorised

__all__ = [
    "SCHEME",
    "Challenge",
    "Claim",
    "NonceBook",
    "check_proof",
    "make_proof",
    "parse_challenge",
    "read_claim",
]

SCHEME = "Pitlink"
"""Of the Authorization and WWW-Authenticate headers."""

_TYPE = "pitlink-site+jwt"
_ALGORITHM = "EdDSA"
PROOF_CHARS_MAX = 2048

CHALLENGE_S = 30.0
"""How long the nonce of a 401 is good: the site has only to dial again."""

_USED_MAX = 256
"""Used nonces remembered for one site; one that dials more often within 30 s has to wait."""

_NONCE_BYTES = 32
_RANDOM_BYTES, _TIME_BYTES, _TAG_BYTES = 12, 6, 14
_CHALLENGE = re.compile(
    rf'{SCHEME}\s+nonce="([A-Za-z0-9_-]{{1,64}})",\s*hub="([A-Za-z0-9._-]{{1,64}})"(?:,\s*error="([a-z]+)")?'
)


@frozen
class Claim:
    """What a site says of itself in the upgrade, before anything is proven."""

    site: str
    instance: str
    attempt: int


@frozen
class Challenge:
    """What a hub asks to be signed. `error`: why the proof before was not good, "" when there was none."""

    nonce: str
    hub: str
    error: str = ""

    def __str__(self) -> str:
        error = f', error="{self.error}"' if self.error else ""
        return f'{SCHEME} nonce="{self.nonce}", hub="{self.hub}"{error}'


def parse_challenge(header: str) -> Challenge | None:
    """Return the challenge in a WWW-Authenticate header, or None; other schemes may stand beside it."""
    found = _CHALLENGE.search(header)
    return None if found is None else Challenge(found[1], found[2], found[3] or "")


def make_proof(key: Ed25519PrivateKey, claim: Claim, hub: str, nonce: str) -> str:
    """Sign a proof for this upgrade."""
    body = {
        "iss": claim.site,
        "aud": hub,
        "nonce": nonce,
        "instance": claim.instance,
        "attempt": claim.attempt,
    }
    return jwt.encode(body, key, algorithm=_ALGORITHM, headers={"typ": _TYPE})


def read_claim(token: str) -> str:
    """Return the nonce that a proof says it is over, unproven. Raises Unauthorised (malformed, algorithm)."""
    if len(token) > PROOF_CHARS_MAX:
        raise Unauthorised("the proof is too long", "malformed")
    try:
        parts = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise Unauthorised("the proof is no JWT", "malformed") from None
    if parts["header"].get("alg") != _ALGORITHM:
        raise Unauthorised("a proof is signed with EdDSA, nothing else", "algorithm")
    if parts["header"].get("typ") != _TYPE:
        raise Unauthorised("this JWT is no proof of a site", "malformed")
    nonce = parts["payload"].get("nonce")
    if not isinstance(nonce, str) or len(nonce) > 64:
        raise Unauthorised("the proof has no nonce", "malformed")
    return nonce


def check_proof(token: str, key: bytes, claim: Claim, hub: str) -> None:
    """Check that the key's holder signed this proof for this upgrade at this hub; the nonce is the caller's.

    Raises Unauthorised: malformed, algorithm, signature, issuer, audience.
    """
    try:
        body = jwt.decode(
            token,
            Ed25519PublicKey.from_public_bytes(key),
            algorithms=[_ALGORITHM],
            audience=hub,
            issuer=claim.site,
            options={
                "require": ["iss", "aud", "nonce", "instance", "attempt"],
                "strict_aud": True,
                "verify_exp": False,  # no clock is asked
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except jwt.InvalidSignatureError:
        raise Unauthorised(f"the proof is not signed by the key of {claim.site!r}", "signature") from None
    except jwt.InvalidAudienceError:
        raise Unauthorised("the proof is for another hub", "audience") from None
    except jwt.InvalidIssuerError:
        raise Unauthorised(f"the proof is of another site than {claim.site!r}", "issuer") from None
    except (jwt.InvalidTokenError, ValueError):
        raise Unauthorised("the proof is malformed", "malformed") from None
    if type(body["attempt"]) is not int or (body["instance"], body["attempt"]) != (
        claim.instance,
        claim.attempt,
    ):
        raise Unauthorised("the proof is of another upgrade", "replayed")


@define(eq=False)
class NonceBook:
    """The hub's nonces: handed to whoever asks, and to each connected site for its next time; good once.

    Those of a 401 are not remembered, so that strangers cannot fill anything: they carry their time and a tag. Only what
    a site's key has signed is remembered as used, until its time is over. Those of a hello live until they are used,
    replaced, or the hub restarts: the site is then challenged once more. `now`: monotonic seconds.
    """

    urandom: Callable[[int], bytes]
    _secret: bytes = field(init=False, repr=False)
    _next: dict[str, str] = field(factory=dict, init=False, repr=False)
    _used: dict[str, deque[tuple[float, str]]] = field(factory=dict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._secret = self.urandom(32)

    def challenge(self, now: float) -> str:
        """Return a nonce for anybody, good for 30 s."""
        body = self.urandom(_RANDOM_BYTES) + int(now * 1000).to_bytes(_TIME_BYTES, "big")
        return _text(body + self._tag(body))

    def next_for(self, site: str) -> str:
        """Return the nonce of the site's next upgrade. It takes the place of the one before."""
        nonce = self._next[site] = _text(self.urandom(_NONCE_BYTES))
        return nonce

    def check(self, nonce: str, site: str, now: float) -> None:
        """Raise Unauthorised("replayed") unless the nonce is one of ours, in time and not used by this site."""
        if nonce == self._next.get(site):
            return
        expires = self._expiry(nonce)
        if expires is None or not 0 < expires - now <= CHALLENGE_S:
            raise Unauthorised("the nonce is not one of this hub's, or too old", "replayed")
        used = self._forget_old(site, now)
        if any(nonce == other for _, other in used):
            raise Unauthorised("the nonce was used already", "replayed")
        if len(used) >= _USED_MAX:
            raise Unauthorised("too many upgrades within half a minute", "replayed")

    def use(self, nonce: str, site: str) -> None:
        """Note that the site's key has signed this nonce (which `check` found good): it is good no more."""
        if self._next.get(site) == nonce:
            del self._next[site]
        elif (expires := self._expiry(nonce)) is not None:
            self._used.setdefault(site, deque()).append((expires, nonce))

    def _forget_old(self, site: str, now: float) -> deque[tuple[float, str]]:
        used = self._used.get(site, deque())
        # By insertion order: at most 30 s pass between the oldest and the newest expiry.
        while used and used[0][0] <= now:
            used.popleft()
        if not used:
            self._used.pop(site, None)
        return used

    def _expiry(self, nonce: str) -> float | None:
        try:
            raw = urlsafe_b64decode(nonce + "=" * (-len(nonce) % 4))
        except ValueError:
            return None
        body, tag = raw[:-_TAG_BYTES], raw[-_TAG_BYTES:]
        if len(raw) != _NONCE_BYTES or not hmac.compare_digest(tag, self._tag(body)):
            return None
        # Two spellings of one nonce (the last character has spare bits) must not be two nonces.
        if _text(raw) != nonce:
            return None
        return int.from_bytes(body[_RANDOM_BYTES:], "big") / 1000 + CHALLENGE_S

    def _tag(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, hashlib.sha256)[:_TAG_BYTES]


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
