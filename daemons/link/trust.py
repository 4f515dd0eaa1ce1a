"""The TLS that a site dials its hub with."""

import ssl
from pathlib import Path

from daemons.ops.errors import ConfigError, Problem

__all__ = ["site_tls"]


def site_tls(
    ca_file: Path | None, client_cert: Path | None, client_key: Path | None
) -> ssl.SSLContext | None:
    """Return a context that trusts the CAs of a file (None: the system's) and shows a client certificate, if any.

    None stands for the system's CAs and no certificate. Raises ConfigError.
    """
    if ca_file is None and client_cert is None:
        return None
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError([Problem("ca_file", f"{ca_file} cannot be used: {exc}")]) from exc
    if client_cert is not None:
        try:
            context.load_cert_chain(client_cert, client_key)
        except (OSError, ssl.SSLError) as exc:
            why = f"{client_cert} and {client_key} cannot be used: {exc}"
            raise ConfigError([Problem("client_cert", why)]) from exc
    return context
