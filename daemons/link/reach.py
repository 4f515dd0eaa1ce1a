"""The link with TCP and TLS the other way round: the hub dials, and the site uses that stream as if it had dialled.

For sites that a hub can reach (a VPN, a forwarded port) and that cannot, or shall not, dial. Above the stream nothing is
different: the site asks for the upgrade, proves itself by its key, and the hub listens. What the hub proves before is
that it knows a secret of the site: HMAC-SHA-256 over a nonce of the site, which is good once, so that whoever listens in
gains nothing.

    hub:   GET /reach HTTP/1.1, Upgrade: pitlink-reach        site: 401, WWW-Authenticate: Pitlink-Reach nonce="…", site="…"
    hub:   the same, Authorization: Pitlink-Reach nonce="…", proof="…"      site: 101
    site:  GET /control HTTP/1.1, Upgrade: websocket, as ever
"""

import hmac
import re
from hashlib import sha256

__all__ = ["SCHEME", "UPGRADE", "challenge_of", "claim_of", "prove", "proves"]

SCHEME = "Pitlink-Reach"
UPGRADE = "pitlink-reach"

_CHALLENGE = re.compile(rf'{SCHEME} nonce="([A-Za-z0-9_-]{{1,64}})", site="([A-Za-z0-9._-]{{1,64}})"')
_CLAIM = re.compile(rf'{SCHEME} nonce="([A-Za-z0-9_-]{{1,64}})", proof="([0-9a-f]{{64}})"')


def prove(secret: str, site: str, nonce: str) -> str:
    """Return the proof that one knows a site's secret."""
    return hmac.digest(secret.encode(), f"pitlink-reach 1\0{site}\0{nonce}".encode(), sha256).hex()


def proves(proof: str, secret: str, site: str, nonce: str) -> bool:
    """Is this the proof? Takes as long whatever is wrong with it."""
    return bool(secret) and hmac.compare_digest(proof, prove(secret, site, nonce))


def challenge_of(header: str) -> tuple[str, str] | None:
    """Return nonce and site of a WWW-Authenticate header; None: it holds none."""
    found = _CHALLENGE.search(header)
    return None if found is None else (found[1], found[2])


def claim_of(header: str) -> tuple[str, str] | None:
    """Return nonce and proof of an Authorization header; None: it holds none."""
    found = _CLAIM.fullmatch(header)
    return None if found is None else (found[1], found[2])
