"""cloud: the hub of many pits. Shows spectators the board of each, and callers its origin.

cloud
├── sites                         one each: fetches, watches, board, commands
├── sweep                         bounds of age and keeping
├── store care                    a failing disk is told, backups are made
├── admin socket                  status, log, actions; the audit's head is told to the sites
└── web front                     pages, API, /admin, /healthz, /readyz, /metrics, and the link's /control
    └── link.listen               one connection a site; a nursery of its own
"""

import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import structlog
import trio
from attrs import asdict, define, field, frozen
from starlette.applications import Starlette

from daemons.link import auditheads, schema
from daemons.link.admission import Admission
from daemons.link.durable import DurableChannels
from daemons.link.limiter import LinkLimiter
from daemons.link.listen import SiteListener
from daemons.link.looks import LinkLooks
from daemons.link.outbox import OutChannel
from daemons.link.peer import Peer
from daemons.link.readings import link_readings, state_readings
from daemons.link.registry import MemoryRegistry
from daemons.link.router import PeerRouter
from daemons.ops.admin.common import backup_actions, common_actions, limit_actions
from daemons.ops.authority.authoriser import Authoriser, has_keys, identity_readings, warn_of_bearers
from daemons.ops.authority.enrolment import enrolment_routes
from daemons.ops.authority.file import AuthorityFile, open_authority
from daemons.ops.authority.identity import Refusal
from daemons.ops.authority.keys import make_hub_id
from daemons.ops.authority.signin import SignIn
from daemons.ops.authority.siteproof import NonceBook
from daemons.ops.authority.sites import list_sites
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.authority.users import Passwords
from daemons.ops.environment import Environment
from daemons.ops.errors import ConfigError, RefusedToStart
from daemons.ops.health import Health, health_routes
from daemons.ops.lifecycle import notify, run_daemon
from daemons.ops.limits import HubLimits, LimitTable
from daemons.ops.logs import configure_logs
from daemons.ops.metrics import Reading, SiteLabels, metrics_route
from daemons.ops.process import folder_readings, health_readings, process_readings, store_readings
from daemons.ops.storecare import StoreCare, patiently
from daemons.ops.tokens import TOKENS_FILE, Role, TokenTable
from daemons.ops.trace import traced
from daemons.ops.watchman import Watchman
from daemons.race import cache as cache_tables
from daemons.race import desk, record
from daemons.race.api import api_routes
from daemons.race.cache import SqliteCache
from daemons.race.config import CloudConfig
from daemons.race.desk import CommandDesk
from daemons.race.hub import HubSite
from daemons.race.hubactions import HubOffice, member_status
from daemons.race.keeper import BoardKeeper
from daemons.race.pages import race_routes
from daemons.race.ranks import rank_of
from daemons.race.readings import cache_readings, command_readings, hub_readings
from daemons.race.record import EventRecord
from daemons.race.remote import RemoteOrigin
from daemons.race.site import WATCH_TOPIC
from daemons.store import StorageError, Store, open_store
from daemons.web.admin import AdminOffice
from daemons.web.assets import Assets, read_assets
from daemons.web.clientcert import client_certificate
from daemons.web.front import Front, FrontStream, open_listeners, reject, serve_http, tls_context
from daemons.web.guard import Guard
from daemons.web.head import Head
from daemons.web.login import login_routes
from daemons.web.readings import front_readings, guard_readings
from daemons.web.ready import ready_answers
from daemons.web.storagefault import answer_storage_error
from daemons.web.uplink import UplinkSink
from protocol.frames import Limits
from protocol.linkstatus import Status
from protocol.tokenbucket import Buckets
from protocol.topics import Subscriber

_log = structlog.stdlib.get_logger("pitlink.race")

MIGRATIONS = (
    *schema.MIGRATIONS,
    *cache_tables.MIGRATIONS,
    *record.MIGRATIONS,
    *desk.MIGRATIONS,
)
SWEEP_S = 60.0
BEARERS_S = 0.5
"""How often the file of old tokens is looked at; not so often in simulations, where nobody edits it."""


@frozen
class Member:
    """Everything the hub has of one site."""

    site: HubSite
    listener: SiteListener
    desk: CommandDesk
    record: EventRecord
    heads: auditheads.HeadExchange


@define(eq=False)
class Cloud:
    """The joined parts of a running hub. `open_cloud` makes one; `run` is its nursery tree."""

    config: CloudConfig
    environment: Environment
    store: Store
    cache: SqliteCache
    tokens: TokenTable
    authority: AuthorityFile
    hub: str
    inline: bool = False
    care: StoreCare = field(init=False)
    on_authority: list[Callable[[], None]] = field(factory=list, init=False)  # who may do what has changed
    members: dict[str, Member] = field(factory=dict, init=False)
    front: Front | None = field(default=None, init=False)
    health: Health = field(init=False)
    authoriser: Authoriser = field(init=False)
    sign_in: SignIn = field(init=False)
    admission: Admission = field(init=False)
    admin: AdminOffice = field(init=False)
    _draining: bool = field(default=False, init=False)
    limits: LimitTable[HubLimits] = field(init=False)
    guard: Guard = field(init=False)
    _site_links: Buckets = field(factory=Buckets, init=False)
    _links_refused: int = field(default=0, init=False)
    _registry: MemoryRegistry = field(factory=MemoryRegistry, init=False)
    _labels: SiteLabels = field(factory=SiteLabels, init=False)
    watchman: Watchman = field(init=False)
    _router: PeerRouter = field(factory=PeerRouter, init=False)
    _nursery: trio.Nursery | None = field(default=None, init=False)
    _joining: trio.Lock = field(factory=trio.Lock, init=False)
    _untold: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.health = Health(self.environment.utc_now)
        self.limits = LimitTable(self.config.limits, self.authority)
        self.guard = Guard(lambda: self.limits.now, rank_of)
        self.on_authority.append(self.limits.load)
        looks = LinkLooks(self.store, self.health, self._peers)
        self.watchman = Watchman(
            self.store, self.health, self.environment.utc_now, self._summary, self._crowded, [looks.look]
        )
        self.care = StoreCare(
            self.store, self.health, self.config.backup, self.environment.utc_now, "cloud",
            key=self.config.storage.database_key, inline=self.inline,
        )  # fmt: skip
        self.authoriser = Authoriser(self.authority, self.tokens, self.environment.utc_now)
        trail = AuditTrail(self.authority, self.environment.utc_now, self.health)
        self.admin = AdminOffice(trail, self._status, self._readings, self.health)
        self.admin.registry.add(
            *HubOffice(self.members, self.cache, self._set_draining).actions(),
            *common_actions(trail, self.health.clear),
            *limit_actions(self.limits),
            *backup_actions(self.care),
        )
        self.on_authority.append(self._tell_heads)
        self.sign_in = SignIn(self.authority, self.environment, Passwords(self.authority.inline))
        self.on_authority += [self.authoriser.changed, self._warn_of_bearers, self._recheck_sites]
        self.admission = Admission(
            self.authority, self.hub, NonceBook(self.environment.urandom), self.authoriser.identify
        )

    # --- its life ------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus["Cloud"] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Started: pages, API and link answer."""
        config = self.config
        tls = None
        if config.tls_cert and config.tls_key:
            tls = tls_context(config.tls_cert, config.tls_key, config.tls_client_ca)
        listeners = await open_listeners(config.listen.host, config.listen.port)
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await self._join_sites()
            self._warn_of_bearers()
            nursery.start_soon(self._sweep)
            nursery.start_soon(self.watchman.run)
            nursery.start_soon(self.care.run)
            self.admin.trail.warn_of_breaks()
            if not self.inline:
                await nursery.start(self.admin.serve_socket, config.state_dir)
            nursery.start_soon(self._watch_bearers)
            nursery.start_soon(self.authority.watch, self._tell_authority)
            assets = read_assets()
            serve = partial(
                serve_http,
                listeners,
                traced(self._app(assets), self.environment.urandom),
                ready=ready_answers(assets, self.environment.utc_now),
                on_control=self._on_control,
                guard=self.guard,
                config=config.http,
                tls=tls,
                utc_now=self.environment.utc_now,
            )
            self.front = await nursery.start(serve)
            task_status.started(self)

    async def stop(self) -> None:
        """Tell the sites when to come back and end what clients hold open; then `run` is to be cancelled."""
        async with trio.open_nursery() as nursery:
            for member in self.members.values():
                nursery.start_soon(member.listener.drain)
            if self.front is not None:
                nursery.start_soon(self.front.drain)

    def _app(self, assets: Assets) -> Starlette:
        utc_now = self.environment.utc_now
        return Starlette(
            routes=[
                *race_routes(
                    lambda: {name: member.site.keeper for name, member in self.members.items()},
                    assets,
                    utc_now=utc_now,
                ),
                *api_routes(
                    self.members,
                    authoriser=self.authoriser,
                    trail=self.admin.trail,
                    utc_now=utc_now,
                    fetch_s=self.config.fetch.timeout_s + 1.0,
                ),
                *login_routes(self.sign_in, self.authoriser),
                *self.admin.routes(self.authoriser),
                *enrolment_routes(self.authority, self.hub, utc_now),
                *health_routes(self.health, ready=self._is_ready, about=self._about),
                UplinkSink().route(),
                metrics_route(self._readings),
            ],
            exception_handlers={StorageError: answer_storage_error},
        )

    def _tell_heads(self) -> None:
        for member in self.members.values():
            member.heads.poke()

    async def _set_draining(self, is_draining: bool) -> None:
        """Send the sites away, and let them in again when that is taken back. Other clients are served."""
        self._draining = is_draining
        for member in list(self.members.values()):
            if is_draining:
                await member.listener.drain()
            else:
                member.listener.undrain()

    def _tell_authority(self) -> None:
        """Tell whom it concerns that who may do what has changed. What fails is told again within 0.5 s."""
        self._untold = False
        for on_change in list(self.on_authority):
            try:
                on_change()
            except (StorageError, ConfigError) as exc:
                _log.warning("authority.unreadable", words=str(exc))
                self._untold = True

    def _warn_of_bearers(self) -> None:
        warn_of_bearers(self.tokens, self.health)

    async def _sweep(self) -> None:
        while True:
            for member in list(self.members.values()):
                with suppress(StorageError):  # told by the store's care; what is too old goes at another turn
                    await member.site.peer.durable.sweep(self.environment.utc_now())
            await trio.sleep(SWEEP_S)

    # --- sites ---------------------------------------------------------------------------------------------------

    async def _join_sites(self) -> None:
        """Make the sites that may come, those with an old token too."""
        names = [token.site for token in self.tokens.load() if token.role is Role.SITE]
        rows = self.authority.read(list_sites)
        out = {row.name for row in rows if row.is_revoked}
        for name in [*names, *(row.name for row in rows)]:
            if name not in out:
                await self.member(name)

    def _recheck_sites(self) -> None:
        """Act on what has changed: sites that are out lose their link, new ones are there to be seen."""
        for member in self.members.values():
            member.listener.recheck()
        if self._nursery is not None:
            self._nursery.start_soon(self._join_new_sites)

    async def _join_new_sites(self) -> None:
        try:
            await self._join_sites()
        except (StorageError, ConfigError) as exc:
            _log.warning("authority.unreadable", words=str(exc))
            self._untold = True

    async def _watch_bearers(self) -> None:
        """Notice what the authority file does not tell: the file of old tokens, and what could not be told before."""
        known = self.tokens.changes
        while True:
            await trio.sleep(SWEEP_S if self.authority.inline else BEARERS_S)
            try:
                self.tokens.load()
            except ConfigError as exc:  # while somebody edits it
                _log.warning("tokens.unreadable", words=str(exc))
                continue
            if self._untold or self.tokens.changes != known:
                known = self.tokens.changes
                self._tell_authority()

    async def member(self, name: str) -> Member:
        """Return the site of this name, made when it is seen for the first time."""
        async with self._joining:
            if name not in self.members:
                self.members[name] = await self._join(name)
            return self.members[name]

    async def _join(self, name: str) -> Member:
        assert self._nursery is not None
        environment, fetch = self.environment, self.config.fetch
        events = EventRecord(self.store, name)
        commands: CommandDesk
        durable = DurableChannels(
            self.store,
            name,
            out=[OutChannel("command")],
            inbound={"event": events.effect, "result": lambda conn, message: commands.effect(conn, message)},
            new_epoch=environment.new_epoch,
            utc_now=environment.utc_now,
        )
        commands = CommandDesk(
            self.store, durable, name, environment, rates=lambda: self.limits.now.commands_per_s
        )
        await durable.open()
        subscriber = Subscriber(WATCH_TOPIC)
        heads = auditheads.HeadExchange(name, self.admin.trail)
        peer = Peer(
            role="cloud",
            site=name,
            environment=environment,
            durable=durable,
            limits=Limits(body_bytes=fetch.max_body_bytes, requests_in_flight=fetch.max_in_flight),
            handlers={auditheads.METHOD: heads.answer},
            subscribers={WATCH_TOPIC: subscriber},
            limiter=LinkLimiter(
                flow=lambda: (self.limits.now.site_bytes_per_s, self.limits.now.site_bytes_burst)
            ),
        )
        self._router.peers[name] = peer
        remote = RemoteOrigin(
            self._router,
            name,
            self.cache,
            environment.utc_now,
            body_bytes_max=fetch.max_body_bytes,
            in_flight_max=max(1, fetch.max_in_flight - 1),  # a place is kept for what to watch
            fetch_s=fetch.timeout_s,
            gate=fetch.gate(),
            bounds=lambda: self.limits.now,
        )
        site = HubSite(peer, self.cache, remote, BoardKeeper(), subscriber, environment.utc_now)
        nursery = self._nursery
        commands.on_purged = lambda prefix: nursery.start_soon(
            patiently, partial(site.purge, prefix), "a purge"
        )
        await site.load()
        self._nursery.start_soon(site.run)
        self._nursery.start_soon(heads.run, peer)
        listener = self._listener(peer)
        if self._draining:
            await listener.drain()
        return Member(site, listener, commands, events, heads)

    def _listener(self, peer: Peer) -> SiteListener:
        return SiteListener(
            peer,
            self._registry,
            minimum=partial(self.admission.minimum, peer.site),
            next_nonce=partial(self.admission.nonces.next_for, peer.site),
        )

    async def _on_control(self, stream: FrontStream, head: Head, address: str) -> None:
        """Let a site in that has proven itself; tell others why not."""
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
            return
        except (StorageError, ConfigError) as exc:
            _log.error("site.not_judged", address=address, words=str(exc))
            retry = [(b"retry-after", b"5")]
            await reject(stream, 503, retry, b"the hub cannot read just now who may come in")
            return
        _log.info(
            "site.admitted", address=address, who=admitted.identity.who, proof=admitted.identity.token_id
        )
        if wait_s := self._pace_links(admitted.site):
            retry = [(b"retry-after", b"%d" % math.ceil(wait_s))]
            await reject(stream, 429, retry, b"too many links of this site in so short a time")
            return
        try:
            member = await self.member(admitted.site)
        except StorageError as exc:
            _log.warning("site.not_joined", address=address, site=admitted.site, words=str(exc))
            await reject(stream, 503, [(b"retry-after", b"5")], b"the hub can store nothing just now")
            return
        why_not = partial(self.admission.why_not, admitted)
        await member.listener.serve(stream, dict(head.headers), address, why_not)

    def _pace_links(self, site: str) -> float:
        """Count a link that a site opens; return in how many seconds it may come again, 0.0 for now."""
        limits = self.limits.now
        wait_s = self._site_links.take(
            site, trio.current_time(), limits.site_connections_per_s, limits.site_connections_burst
        )
        self._links_refused += wait_s > 0
        return wait_s

    # --- how it stands -------------------------------------------------------------------------------------------

    def _is_ready(self) -> tuple[bool, str]:
        why_not = "an operator has drained this hub" if self._draining else self.watchman.why_not_ready()
        return not why_not, why_not or "ready"

    def _crowded(self) -> str:
        crowded = [name for name, member in self.members.items() if member.site.remote.is_crowded]
        return f"too many fetches wait for {', '.join(crowded)}" if crowded else ""

    def _summary(self) -> str:
        up = sum(peer.connection is not None for peer in self._peers())
        return f"{up} of {len(self.members)} sites connected"

    def _peers(self) -> list[Peer]:
        return [member.site.peer for member in self.members.values()]

    def _about(self) -> dict[str, object]:
        connected = [name for name, member in self.members.items() if member.site.peer.connection is not None]
        return {"daemon": "cloud", "sites": len(self.members), "connected": connected}

    def _status(self) -> dict[str, object]:
        now = self.environment.utc_now()
        is_ready, words = self._is_ready()
        return {
            "daemon": "cloud",
            "hub": self.hub,
            "ready": is_ready,
            "words": words,
            "draining": self._draining,
            "cache": asdict(self.cache.statistics()),
            "sites": {name: member_status(member, now) for name, member in self.members.items()},
        }

    def _readings(self) -> Iterator[Reading]:
        for code, count in sorted(self.admission.refusals.items()):
            why = (("code", code),)
            yield Reading("site_refusals", "Upgrades that were not let in.", count, why, is_counter=True)
        yield from identity_readings(self.authoriser)
        utc_now = self.environment.utc_now()
        yield from process_readings("cloud")
        yield from health_readings(self.health)
        yield from self.admin.trail.readings()
        yield from store_readings(self.store)
        yield from folder_readings(self.config.state_dir)
        yield from cache_readings(self.cache.statistics())
        states = [Status.LOST if peer.connection is None else Status.READY for peer in self._peers()]
        yield from state_readings(states)
        for name in self._labels.choose(self.members):
            member, site = self.members.get(name), (("site", name),)
            if member is None:
                continue
            yield from hub_readings(member.site, site, utc_now)
            yield from command_readings(member.desk, site)
            yield from link_readings(member.site.peer)
        words = "Sites without series of their own, because there are too many."
        yield Reading("metrics_sites_left_out", words, self._labels.left_out)
        if self.front is not None:
            yield from front_readings(self.front.statistics)
        yield from guard_readings(self.guard)
        words = "Links refused because the site opened too many."
        yield Reading("site_links_limited", words, self._links_refused, is_counter=True)


@asynccontextmanager
async def open_cloud(
    config: CloudConfig, *, environment: Environment | None = None, inline: bool = False
) -> AsyncIterator[Cloud]:
    """Open the state folder and make the hub; `run` it inside the block. `inline`: for the simulation.

    Raises RefusedToStart when the hub has no keys, or knows no site: there are no secrets by default.
    """
    environment = environment or Environment()
    tokens = TokenTable(config.state_dir / TOKENS_FILE)
    key = config.storage.database_key
    with open_authority(
        config.state_dir, migrations=AUTHORITY_MIGRATIONS, inline=inline, key=key
    ) as authority:
        _check_somebody(tokens, authority, config.state_dir)
        hub = authority.write_now(lambda conn: make_hub_id(conn, environment.urandom))
        file = config.state_dir / "cloud.db"
        async with open_store(file, migrations=MIGRATIONS, inline=inline, key=key) as store:
            cache = await SqliteCache.load(store, config.cache_bytes)
            yield Cloud(config, environment, store, cache, tokens, authority, hub, inline)


def _check_somebody(tokens: TokenTable, authority: AuthorityFile, folder: Path) -> None:
    """Raise RefusedToStart, naming the command, for a hub that nobody could get into. Old bearer tokens count."""
    bearers = tokens.load()
    if not bearers and not has_keys(authority):
        raise RefusedToStart(
            f"this hub has no keys to sign tokens with yet. Make them: pitlink keys init --state-dir {folder}"
        )
    if not any(token.role is Role.SITE for token in bearers) and not authority.read(list_sites):
        raise RefusedToStart(
            f"this hub knows no site yet. Let one in: pitlink site add NAME --state-dir {folder}"
        )


async def serve(config: CloudConfig, stop: trio.Event) -> None:
    """Run cloud until `stop`, then end in order."""
    async with open_cloud(config) as cloud, trio.open_nursery() as nursery:
        await nursery.start(cloud.run)
        assert cloud.front is not None
        _log.info("daemon.ready", ports=cloud.front.ports, sites=sorted(cloud.members))
        notify("READY=1")
        nursery.start_soon(cloud.watchman.prove)
        await stop.wait()
        await cloud.stop()
        nursery.cancel_scope.cancel(reason="orderly stop")


def main(config: CloudConfig) -> int:
    """Run the daemon as a process; return its exit code."""
    configure_logs(config.log_level)
    return run_daemon(partial(serve, config))
