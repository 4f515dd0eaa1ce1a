"""The hub's way in for sites: an upgrade on /control, judged, paced, and handed to the site that it proves to be."""

import math
from functools import partial
from typing import Any

import structlog
import trio
from attrs import define, field

from daemons.link.address import CONTROL_PATH
from daemons.link.admission import Admission, Admitted
from daemons.ops.authority.identity import Refusal
from daemons.ops.errors import ConfigError
from daemons.ops.limits import HubLimits, LimitTable
from daemons.pair.config import HubConfig
from daemons.pair.roster import Roster, Seat
from daemons.store import StorageError
from daemons.web.clientcert import client_certificate
from daemons.web.front import FrontStream, reject
from daemons.web.head import Head
from protocol.tokenbucket import Buckets

__all__ = ["SiteDoor"]

_log = structlog.stdlib.get_logger("pitlink.pair")

RETRY_S = 5


@define(eq=False)
class SiteDoor:
    """Lets sites in. `paced`: links refused because the site opened too many."""

    config: HubConfig
    admission: Admission
    roster: Roster[Any]
    limits: LimitTable[HubLimits]
    paced: int = field(default=0, init=False)
    _paces: Buckets = field(factory=Buckets, init=False)

    async def answer(self, stream: FrontStream, head: Head, address: str) -> None:
        """Let a site in that has proven itself, and serve its link to the end; tell others why not."""
        if head.target.partition("?")[0] != CONTROL_PATH:
            await reject(stream, 404, (), b"this is a hub: sites come to /control")
            return
        admitted = await self._admit(stream, head, address)
        if admitted is None:
            return
        if wait_s := self._pace(admitted.site):
            await _refuse(stream, 429, math.ceil(wait_s), "too many links of this site in so short a time")
            return
        try:
            seat: Seat = await self.roster.joined(admitted.site)
        except (StorageError, ConfigError) as exc:
            _log.warning("site.not_joined", address=address, site=admitted.site, words=str(exc))
            await _refuse(stream, 503, RETRY_S, "the hub can store nothing just now")
            return
        why_not = partial(self.admission.why_not, admitted)
        await seat.listener.serve(stream, dict(head.headers), address, why_not)

    async def _admit(self, stream: FrontStream, head: Head, address: str) -> Admitted | None:
        """Return who is let in; None for who was refused, and told so."""
        config = self.config
        try:
            certificate = client_certificate(
                stream, head, header=config.client_cert_header, proxies=config.http.trusted_proxies
            )
            admitted = self.admission.admit(head.headers, certificate)
        except Refusal as refusal:
            site = (head.header("pitlink-site") or "")[:64]
            # Each key's first upgrade is refused for its nonce.
            note = _log.info if refusal.code == "missing" else _log.warning
            note("site.refused", address=address, site=site, code=refusal.code, words=refusal.words)
            asks = [(b"www-authenticate", self.admission.challenge(refusal).encode())]
            await reject(
                stream, refusal.status, asks if refusal.status == 401 else [], refusal.words.encode()
            )
            return None
        except (StorageError, ConfigError) as exc:
            _log.error("site.not_judged", address=address, words=str(exc))
            await _refuse(stream, 503, RETRY_S, "the hub cannot read just now who may come in")
            return None
        _log.info(
            "site.admitted", address=address, who=admitted.identity.who, proof=admitted.identity.token_id
        )
        return admitted

    def _pace(self, site: str) -> float:
        """Count a link that a site opens; return in how many seconds it may come again, 0.0 for now."""
        limits = self.limits.now
        wait_s = self._paces.take(
            site, trio.current_time(), limits.site_connections_per_s, limits.site_connections_burst
        )
        self.paced += wait_s > 0
        return wait_s


async def _refuse(stream: FrontStream, status: int, retry_s: int, words: str) -> None:
    await reject(stream, status, [(b"retry-after", b"%d" % retry_s)], words.encode())
