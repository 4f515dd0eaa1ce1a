"""Client certificates of sites: which names are in one, what it is called by, and how a proxy hands one on.

Whether to trust one is not decided here: TLS has, at the hub's own listener or at the proxy.
"""

import hashlib
import re
from base64 import b64decode
from urllib.parse import unquote

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from daemons.ops.authority.identity import Unauthorised

__all__ = ["Certificate", "read_certificate", "read_forwarded"]

_CHARS_MAX = 12 * 1024
_PEM = re.compile(r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")


@frozen
class Certificate:
    """What matters of a client certificate: its SHA-256, and the names in it (DNS and URI alternatives, common name)."""

    fingerprint: bytes
    names: frozenset[str]


def read_certificate(der: bytes) -> Certificate:
    """Read a certificate. Raises Unauthorised (malformed)."""
    try:
        parsed = x509.load_der_x509_certificate(der)
        return Certificate(hashlib.sha256(parsed.public_bytes(Encoding.DER)).digest(), _names(parsed))
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        raise Unauthorised("the client certificate cannot be read", "malformed") from None


def _names(parsed: x509.Certificate) -> frozenset[str]:
    """Return the names. The common name counts only where there are no alternatives (RFC 6125 §6.4.4)."""
    try:
        alternatives = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return frozenset(str(attribute.value) for attribute in common)
    return frozenset(
        [
            *alternatives.get_values_for_type(x509.DNSName),
            *(
                uri.removeprefix("pitlink:site:")
                for uri in alternatives.get_values_for_type(x509.UniformResourceIdentifier)
                if uri.startswith("pitlink:site:")
            ),
        ]
    )


def read_forwarded(value: str) -> Certificate:
    """Read a certificate from a proxy's header: RFC 9440 (`:base64:`), bare base64 (Caddy), escaped PEM (nginx).

    Raises Unauthorised (malformed).
    """
    if len(value) > _CHARS_MAX:
        raise Unauthorised("the client certificate in the proxy's header is too long", "malformed")
    pem = _PEM.fullmatch(unquote(value)) if "BEGIN" in value else None
    plain = value.strip().removeprefix(":").removesuffix(":") if pem is None else "".join(pem[1].split())
    try:
        return read_certificate(b64decode(plain, validate=True))
    except ValueError:
        raise Unauthorised(
            "the client certificate in the proxy's header cannot be read", "malformed"
        ) from None
