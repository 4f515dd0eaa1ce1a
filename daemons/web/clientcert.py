"""Client certificates as a front sees them: of its own TLS, or handed on by a proxy that is named."""

import structlog
import trio

from daemons.ops.authority.certificates import Certificate, read_certificate, read_forwarded
from daemons.ops.authority.identity import Unauthorised
from daemons.web.head import Head
from daemons.web.listeners import peer_address
from daemons.web.proxies import is_proxy

__all__ = ["client_certificate"]

_log = structlog.stdlib.get_logger("pitlink.web")


def client_certificate(
    stream: trio.abc.Stream, head: Head, *, header: str, proxies: tuple[str, ...]
) -> Certificate | None:
    """Return the certificate that TLS has checked for this request, or None.

    From a named proxy only its `header` counts ("": none does), from anybody else only the TLS that ends here.
    Raises Unauthorised (malformed).
    """
    secure, raw = _layers(stream)
    peer = peer_address(raw)[0]
    wanted = header.lower().encode("latin-1")
    sent = [value.decode("latin-1") for name, value in head.headers if header and name == wanted]
    if is_proxy(peer, proxies):
        sent = [value for value in sent if value.strip()]  # nginx sends it empty where there is none
        if len(sent) > 1:
            raise Unauthorised("the proxy's header with the client certificate is there twice", "malformed")
        return read_forwarded(sent[0]) if sent else None
    if sent:
        _log.warning(
            "certificate.not_believed", peer=peer, words="only a named proxy may hand on a certificate"
        )
    der = secure.getpeercert(binary_form=True) if secure is not None else None
    return read_certificate(der) if der else None


def _layers(stream: trio.abc.Stream) -> tuple[trio.SSLStream[trio.abc.Stream] | None, trio.abc.Stream]:
    """Return the TLS layer under a front's stream (None: plain) and the socket's stream at the bottom."""
    secure = None
    while True:
        if isinstance(stream, trio.SSLStream):
            secure = stream
            under: trio.abc.Stream | None = stream.transport_stream
        else:
            under = getattr(stream, "inner", None)
        if under is None:
            return secure, stream
        stream = under
