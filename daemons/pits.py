"""pits: beside FPVTrackside at the field. Works alone; with a cloud configured it keeps a link to it.

pits
├── origin                        the one request in flight to FPVTrackside
├── watches                       what is read again, how often; feeds the local board and the hub
├── journal, commands, sweep      reliable traffic and its housekeeping
├── store care                    a failing disk is told, backups are made
├── admin socket                  status, log, actions; the audit's head is told to the hub
├── web front                     local pages, push hints, /healthz, /readyz, /metrics
└── link.dial                     reconnect policy; a connection is a nursery of its own
"""

import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import trio
from attrs import asdict, define, field
from starlette.applications import Starlette

from daemons.link import auditheads, schema
from daemons.link.address import HubAddress
from daemons.link.credentials import BearerCredential, Credential, open_credential
from daemons.link.dial import Dialer, StreamWrapper
from daemons.link.durable import DurableChannels
from daemons.link.limiter import LinkLimiter
from daemons.link.looks import LinkLooks
from daemons.link.outbox import Keep, OutboxFull, OutChannel
from daemons.link.peer import Peer
from daemons.link.readings import link_readings, state_readings
from daemons.link.requests import Reply
from daemons.ops.admin.common import backup_actions, common_actions, limit_actions
from daemons.ops.authority.file import AuthorityFile, open_authority
from daemons.ops.authority.tables import AUTHORITY_MIGRATIONS
from daemons.ops.authority.trail import AuditTrail
from daemons.ops.environment import Environment
from daemons.ops.errors import ConfigError, Problem
from daemons.ops.health import Health, Severity, health_routes
from daemons.ops.lifecycle import notify, run_daemon
from daemons.ops.limits import LimitTable, SiteLimits
from daemons.ops.logs import configure_logs
from daemons.ops.metrics import Reading, metrics_route
from daemons.ops.offload import inline, threaded
from daemons.ops.process import folder_readings, health_readings, process_readings, store_readings
from daemons.ops.storecare import StoreCare, patiently
from daemons.ops.trace import traced
from daemons.ops.watchman import Watchman
from daemons.race import executor
from daemons.race.config import PitsConfig
from daemons.race.executor import CommandExecutor, Controls
from daemons.race.fetched import Fetched
from daemons.race.follow import Follower
from daemons.race.hints import Hint, HintEndpoint
from daemons.race.hubactions import RULES
from daemons.race.journal import Journal
from daemons.race.keeper import BoardKeeper
from daemons.race.origin import LocalOrigin, OriginLimits, OriginState
from daemons.race.pages import race_routes
from daemons.race.ranks import rank_of
from daemons.race.readings import hint_readings, origin_readings, site_readings
from daemons.race.site import WATCH_TOPIC, SiteService
from daemons.race.siteactions import SiteOffice, channels_status, rules_status
from daemons.race.times import read_zone
from daemons.race.watches import Watches
from daemons.store import StorageError, Store, open_store
from daemons.web.admin import AdminOffice
from daemons.web.assets import Assets, read_assets
from daemons.web.front import Front, open_listeners, serve_http
from daemons.web.guard import Guard
from daemons.web.readings import front_readings, guard_readings
from daemons.web.ready import ready_answers
from daemons.web.storagefault import answer_storage_error
from protocol.errors import ErrorCode, RequestError
from protocol.frames import Limits
from protocol.linkstatus import LinkStatus, Status
from protocol.messages import Command, RaceEvent, ResultStatus, action_to_map, encode_body
from protocol.pathgate import Rule
from protocol.topics import Publisher

_log = structlog.stdlib.get_logger("pitlink.race")

MIGRATIONS = (*schema.MIGRATIONS, *executor.MIGRATIONS)
SWEEP_S = 60.0
EVENTS_WAITING_MAX = 256
NOTIFY_PATH = "/notify"
"""Where FPVTrackside's NotificationURL is to point: http://<this machine>:<port>/notify."""

READ_S = 90.0
"""With no read of the origin ended for so long, good or failed, its loop hangs: each has 30 s at most."""

TOPIC_INTERVAL_S = 0.02
TOPIC_SILENCE_S = 30.0


@define(eq=False)
class Pits:
    """The joined parts of a running pits daemon. `open_pits` makes one; `run` is its nursery tree."""

    config: PitsConfig
    environment: Environment
    store: Store
    wrap_stream: StreamWrapper
    authority: AuthorityFile
    inline: bool = False
    care: StoreCare = field(init=False)
    health: Health = field(init=False)
    origin: LocalOrigin = field(init=False)
    watches: Watches = field(init=False)
    keeper: BoardKeeper = field(init=False)
    durable: DurableChannels = field(init=False)
    commands: CommandExecutor = field(init=False)
    service: SiteService = field(init=False)
    peer: Peer = field(init=False)
    dialer: Dialer | None = field(default=None, init=False)
    front: Front | None = field(default=None, init=False)
    limits: LimitTable[SiteLimits] = field(init=False)
    guard: Guard = field(init=False)
    admin: AdminOffice = field(init=False)
    _heads: auditheads.HeadExchange = field(init=False)
    _journal: Journal = field(factory=Journal, init=False)
    watchman: Watchman = field(init=False)
    _hints: HintEndpoint = field(init=False)
    _read_at: float = field(factory=trio.current_time, init=False)  # when any read of the origin last ended
    _events_dropped: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        config, environment, fetch = self.config, self.environment, self.config.fetch
        self.health = Health(environment.utc_now)
        self.limits = LimitTable(config.limits, self.authority)
        self.guard = Guard(lambda: self.limits.now, rank_of)
        self.care = StoreCare(
            self.store, self.health, config.backup, environment.utc_now, f"pits-{config.site}",
            key=config.storage.database_key, inline=self.inline,
        )  # fmt: skip
        limits = OriginLimits(
            fetch_s=fetch.timeout_s, in_flight=fetch.max_in_flight, body_bytes=fetch.max_body_bytes
        )
        self.origin = LocalOrigin(
            config.origin_url, utc_now=environment.utc_now, limits=limits, on_state=self._on_origin
        )
        self.watches = Watches(self.origin.own)
        self._hints = HintEndpoint(self._on_hint)
        self.keeper = BoardKeeper(site_zone=read_zone(config.time_zone or None))
        self.durable = DurableChannels(
            self.store,
            "hub",
            out=[OutChannel("event", Keep()), OutChannel(executor.RESULTS)],
            inbound={executor.CHANNEL: lambda conn, message: self.commands.effect(conn, message)},
            new_epoch=environment.new_epoch,
            utc_now=environment.utc_now,
        )
        publisher = Publisher(
            WATCH_TOPIC, environment.new_epoch(), TOPIC_INTERVAL_S, max_silence_s=TOPIC_SILENCE_S
        )
        self.service = SiteService(
            self.origin,
            fetch.gate(),
            self.watches,
            publisher,
            environment.utc_now,
            share_private=config.share_private,
            ttl_s=partial(
                _ttl_s, [(Rule.parse(f"GET {pattern}"), ttl_s) for pattern, ttl_s in config.ttl.items()]
            ),
            offload=inline if self.inline else threaded,
        )
        trail = AuditTrail(self.authority, environment.utc_now, self.health)
        self._heads = auditheads.HeadExchange("hub", trail)
        self.admin = AdminOffice(trail, self._status, self._readings, self.health)
        self.peer = self.service.peer = Peer(
            role="pits",
            site=config.site,
            environment=environment,
            durable=self.durable,
            limits=Limits(body_bytes=fetch.max_body_bytes, requests_in_flight=fetch.max_in_flight),
            handlers={
                **self.service.handlers,
                RULES: self._tell_rules,
                auditheads.METHOD: self._heads.answer,
            },
            publishers={WATCH_TOPIC: publisher},
            on_down=[self.service.link_lost],
            limiter=LinkLimiter(
                lambda: self.limits.now.requests_of_hub_per_s,
                lambda: (self.limits.now.hub_bytes_per_s, self.limits.now.hub_bytes_burst),
            ),
        )
        self.commands = CommandExecutor(
            self.store,
            self.durable,
            Controls(self.service.pause, self.service.purge, self._reconnect, self.service.switch),
            self.peer.peer_utc_now,
            environment.utc_now,
            self._note_command,
        )
        self.admin.registry.add(
            *SiteOffice(self.service, self.commands, self.durable).actions(),
            *common_actions(trail, self.health.clear),
            *limit_actions(self.limits),
            *backup_actions(self.care),
        )
        self.watchman = Watchman(
            self.store, self.health, environment.utc_now, self._summary, self._crowded,
            looks=[LinkLooks(self.store, self.health, lambda: [self.peer]).look], is_working=self._is_working,
        )  # fmt: skip
        if config.cloud_url:
            self.dialer = Dialer(
                self.peer,
                HubAddress.parse(config.cloud_url),
                credential=self._credential(),
                ssl_context=_trust(config.ca_file, config.client_cert, config.client_key),
                wrap_stream=self.wrap_stream,
                on_status=self._on_link,
            )

    def _credential(self) -> Credential:
        """Return what proves this site, and say that an old token will not for much longer."""
        config = self.config
        credential = open_credential(
            config.state_dir,
            config.site,
            token=config.token.text,
            by_certificate=config.client_cert is not None,
        )
        if isinstance(credential, BearerCredential):
            self.health.set(
                "bearer-token",
                Severity.NOTICE,
                "this site proves itself with an old token, which the next release will not know: ask the hub's "
                "operator for a code (pitlink site add) and enrol with it (pitlink enroll)",
            )
        return credential

    # --- its life ------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus["Pits"] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Started: the local pages answer."""
        await self.durable.open()
        listeners = await open_listeners(self.config.listen.host, self.config.listen.port)
        async with trio.open_nursery() as nursery:
            await nursery.start(self.origin.run)
            Follower(self.keeper, self.watches).start()
            self.watches.observe(self._pace)
            nursery.start_soon(self.watches.run)
            nursery.start_soon(self._tell_events)
            nursery.start_soon(self.commands.run)
            nursery.start_soon(self._sweep)
            nursery.start_soon(self.watchman.run)
            nursery.start_soon(self.care.run)
            self.admin.trail.warn_of_breaks()
            if not self.inline:
                await nursery.start(self.admin.serve_socket, self.config.state_dir)
            nursery.start_soon(self.authority.watch, self._on_authority)
            assets = read_assets()
            serve = partial(
                serve_http,
                listeners,
                traced(self._app(assets), self.environment.urandom),
                ready=ready_answers(assets, self.environment.utc_now),
                guard=self.guard,
                config=self.config.http,
                utc_now=self.environment.utc_now,
            )
            self.front = await nursery.start(serve)
            if self.dialer is not None:
                nursery.start_soon(self._heads.run, self.peer)
                nursery.start_soon(self.dialer.run)
            task_status.started(self)

    async def stop(self) -> None:
        """End what clients hold open in order; then `run` is to be cancelled."""
        if self.front is not None:
            await self.front.drain()

    def _app(self, assets: Assets) -> Starlette:
        utc_now = self.environment.utc_now
        return Starlette(
            routes=[
                *race_routes(lambda: {self.config.site: self.keeper}, assets, utc_now=utc_now),
                self._hints.route(NOTIFY_PATH),
                *health_routes(self.health, ready=self._is_ready, about=self._about),
                metrics_route(self._readings),
            ],
            exception_handlers={StorageError: answer_storage_error},
        )

    async def _sweep(self) -> None:
        while True:
            with suppress(StorageError):  # told by the store's care; what is too old goes at another turn
                await self.durable.sweep(self.environment.utc_now())
            await trio.sleep(SWEEP_S)

    # --- the journal ---------------------------------------------------------------------------------------------

    async def _tell_events(self) -> None:
        """Turn what changes on the board and at the origin into reliable events, if there is a hub to tell."""
        if self.dialer is None:
            return
        send, receive = trio.open_memory_channel[RaceEvent](EVENTS_WAITING_MAX)

        def told(events: Iterator[RaceEvent]) -> None:
            for event in events:
                try:
                    send.send_nowait(event)
                except trio.WouldBlock:  # the disk is slower than 256 events: the files still hold the truth
                    self._events_dropped += 1
                    _log.warning("journal.dropped", type=type(event).__name__)

        def on_read(path: str, result: Fetched | RequestError) -> None:
            now = self.environment.utc_now()
            is_down = isinstance(result, RequestError) and result.code is ErrorCode.ORIGIN_DOWN
            if is_down or isinstance(
                result, Fetched
            ):  # other failures say neither that it is there nor that it is not
                told(self._journal.origin(not is_down, self.origin.words, now))
            told(self._journal.board(self.keeper.board, now))

        self.watches.observe(on_read)
        async for event in receive:
            try:
                await patiently(partial(self.durable.send, "event", *encode_body(event)), "an event")
                self.health.clear("outbox")
            except OutboxFull:
                self.health.set(
                    "outbox", Severity.DEGRADED, "the journal for the cloud is full: nothing new is added"
                )

    # --- what the parts tell -------------------------------------------------------------------------------------

    def _pace(self, path: str, result: Fetched | RequestError) -> None:
        self._read_at = trio.current_time()
        self.origin.race_is_live = self.keeper.is_live

    def _on_hint(self, hint: Hint) -> None:
        self.watches.nudge()

    def _on_origin(self, state: OriginState, words: str) -> None:
        if state is OriginState.UP:
            self.health.clear("origin")
        else:
            self.health.set("origin", Severity.DEGRADED, words)

    def _on_link(self, status: LinkStatus) -> None:
        if status.status is Status.READY:
            self.health.clear("link")
        elif status.status is not Status.CONNECTING:
            self.health.set("link", Severity.DEGRADED, status.words)

    async def _note_command(self, command: Command, status: ResultStatus, words: str) -> None:
        """Audit a command of the hub's."""
        action = action_to_map(command.action)
        await self.admin.trail.note(
            f"link {command.issuer}",
            f"command.{action['do']}",
            after={**action, "id": command.id, "words": words},
            outcome="done" if status is ResultStatus.DONE else "failed",
        )

    async def _tell_rules(self, params: Mapping[str, Any]) -> Reply:
        return Reply({"rules": rules_status(self.service.gate)})

    def _on_authority(self) -> None:
        self.limits.load()
        self._heads.poke()

    def _reconnect(self) -> None:
        if self.dialer is not None:
            self.dialer.reconnect_now()

    def _is_ready(self) -> tuple[bool, str]:
        why_not = self.watchman.why_not_ready()
        return (False, why_not) if why_not else (self.origin.state is OriginState.UP, self.origin.words)

    def _crowded(self) -> str:
        waiting = self.origin.statistics().waiting
        most = self.config.fetch.max_in_flight
        return f"{waiting} fetches wait for FPVTrackside" if waiting >= most else ""

    def _is_working(self) -> bool:
        return trio.current_time() - self._read_at < READ_S

    def _summary(self) -> str:
        link = "no cloud" if self.dialer is None else f"link {self.dialer.status.status}"
        return f"origin {self.origin.state}, {link}"

    def _about(self) -> dict[str, object]:
        link = None
        if self.dialer is not None:
            connection = self.peer.connection
            link = {
                "status": self.dialer.status.status,
                "words": self.dialer.status.words,
                "round_trip_ms": None
                if connection is None
                else round(connection.liveness.round_trips.smoothed_s * 1000, 1),
            }
        return {
            "daemon": "pits",
            "site": self.config.site,
            "origin": {"state": self.origin.state, "words": self.origin.words},
            "link": link,
            "last_success": self.keeper.as_of,
            "paused": self.service.paused,
        }

    def _status(self) -> dict[str, object]:
        return {
            **self._about(),
            "ready": self._is_ready()[0],
            "allowlist": rules_status(self.service.gate),
            "channels": channels_status(self.durable),
            "origin_counts": asdict(self.origin.statistics()),
        }

    def _readings(self) -> Iterator[Reading]:
        yield from process_readings("pits")
        yield from health_readings(self.health)
        yield from self.admin.trail.readings()
        yield from store_readings(self.store)
        yield from folder_readings(self.config.state_dir)
        yield from origin_readings(self.origin.statistics(), self.origin.state)
        yield from hint_readings(self._hints.statistics())
        yield from site_readings(self.service)
        if self.keeper.as_of is not None:
            age_s = max(0.0, self.environment.utc_now() - self.keeper.as_of)
            yield Reading("origin_age_seconds", "Age of what is shown at the field.", age_s)
        words = "Events dropped because the disk was slower than they came."
        yield Reading("journal_dropped", words, self._events_dropped, is_counter=True)
        if self.dialer is not None:
            yield from state_readings([self.dialer.status.status])
            yield from link_readings(self.peer)
        if self.front is not None:
            yield from front_readings(self.front.statistics)
        yield from guard_readings(self.guard)
        for type_, count in self.peer.limiter.busy.items():
            labels = (("type", type_),)
            words = "Requests of the hub refused by the rate of their type."
            yield Reading("hub_requests_limited", words, count, labels, is_counter=True)


def _trust(
    ca_file: Path | None, client_cert: Path | None = None, client_key: Path | None = None
) -> ssl.SSLContext | None:
    """Return a context that trusts the CAs of a file (None: the system's) and shows a client certificate.

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


def _ttl_s(rules: list[tuple[Rule, float]], path: str) -> float:
    return max((ttl_s for rule, ttl_s in rules if rule.covers(path)), default=0.0)


@asynccontextmanager
async def open_pits(
    config: PitsConfig,
    *,
    environment: Environment | None = None,
    inline: bool = False,
    wrap_stream: StreamWrapper = lambda stream: stream,
) -> AsyncIterator[Pits]:
    """Open the state folder and make the daemon; `run` it inside the block. `inline`: for the simulation.

    Raises StorageError when the folder is held by another daemon, not writable, or its file is corrupt.
    """
    key = config.storage.database_key
    file = config.state_dir / "pits.db"
    async with open_store(file, migrations=MIGRATIONS, inline=inline, key=key) as store:
        with open_authority(
            config.state_dir, migrations=AUTHORITY_MIGRATIONS, inline=inline, key=key
        ) as authority:
            yield Pits(config, environment or Environment(), store, wrap_stream, authority, inline=inline)


async def serve(config: PitsConfig, stop: trio.Event) -> None:
    """Run pits until `stop`, then end in order."""
    async with open_pits(config) as pits, trio.open_nursery() as nursery:
        await nursery.start(pits.run)
        assert pits.front is not None
        _log.info(
            "daemon.ready", ports=pits.front.ports, origin=config.origin_url, cloud=config.cloud_url or None
        )
        notify("READY=1")
        nursery.start_soon(pits.watchman.prove)
        await stop.wait()
        await pits.stop()
        nursery.cancel_scope.cancel(reason="orderly stop")


def main(config: PitsConfig) -> int:
    """Run the daemon as a process; return its exit code."""
    configure_logs(config.log_level)
    return run_daemon(partial(serve, config))
