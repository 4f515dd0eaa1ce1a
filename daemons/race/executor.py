"""The site's end of commands: accepted once, decided here, done by a reconciler, reported on channel `result`.

The transaction that takes a command stores only the *intent* (values are absolute); a loop drives the site to it and
commits the result together with its message. At start an intent without a result is applied again. Expiry is judged
by the hub's clock as the link carries it.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import apsw
import structlog
import trio
from attrs import define, field

from daemons.link.durable import DurableChannels
from daemons.ops.storecare import patiently
from daemons.store import Migration, Store
from protocol.frames import Message
from protocol.messages import (
    Action,
    AllowlistSwitch,
    Command,
    Pause,
    Purge,
    Reconnect,
    Result,
    ResultStatus,
    Resume,
    Revoke,
    decode_body,
    encode_body,
)

_log = structlog.stdlib.get_logger("pitlink.race")

CHANNEL = "command"
RESULTS = "result"

MIGRATIONS = (
    Migration(
        "command",
        1,
        """
        CREATE TABLE command_taken (
            id TEXT PRIMARY KEY, type TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
            status TEXT, words TEXT
        ) STRICT;
        CREATE TABLE site_setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
        """,
    ),
)


@define(eq=False)
class Controls:
    """What commands can do to a site. Every one takes an absolute value and may be called again."""

    pause: Callable[[bool], None]
    purge: Callable[[str], None]
    reconnect: Callable[[], None]
    switch: Callable[[str, bool], None]


@define(eq=False)
class CommandExecutor:
    """Takes commands from the channel and carries them out. `run` must be running.

    `hub_now()` is the hub's UTC in seconds as the link knows it, None when it does not (never connected). `note` is for
    the audit: it is told of each command before that is carried out (no status), and how it ended before its result is
    sent. What cannot be noted is not done.
    """

    store: Store
    durable: DurableChannels
    controls: Controls
    hub_now: Callable[[], float | None]
    utc_now: Callable[[], float]
    note: Callable[[Command, ResultStatus | None, str], Awaitable[None]] | None = None
    _pause_until: float | None = field(default=None, init=False)
    _wake: trio.Event = field(factory=trio.Event, init=False)

    @property
    def pause_ends_at(self) -> float | None:
        """When a pause ends by itself, in UTC seconds; None for one that does not, or none."""
        return self._pause_until

    def effect(self, conn: apsw.Connection, message: Message) -> None:
        """Take one message of channel `command`, inside the commit's transaction: in the store's thread, so without a
        look at any clock of Trio's."""
        body = decode_body(message.type, message.version, message.body)
        match body:
            case Revoke(id=id_):
                self._decide(conn, id_, ResultStatus.FAILED, "withdrawn before it ran")
            case Command():
                taken = (body.id, message.type, message.version, message.body)
                conn.execute("INSERT OR IGNORE INTO command_taken VALUES (?, ?, ?, ?, NULL, NULL)", taken)
            case _:
                raise ValueError(f"{message.type} is no command")
        self.store.after_commit(self._poke)

    def _poke(self) -> None:
        self._wake.set()

    def _decide(self, conn: apsw.Connection, id_: str, status: ResultStatus, words: str) -> bool:
        """Give an undecided command its result, and send it. A command that was never seen is decided for good."""
        conn.execute("INSERT OR IGNORE INTO command_taken VALUES (?, '', 0, x'', NULL, NULL)", (id_,))
        conn.execute(
            "UPDATE command_taken SET status = ?, words = ? WHERE id = ? AND status IS NULL",
            (status, words, id_),
        )
        if not conn.changes():
            return False
        self.durable.append_in(conn, RESULTS, *encode_body(Result(id_, status, words, self.utc_now())))
        return True

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry out commands as they come. Never returns. Started: what was decided before this start holds again."""
        settings = partial(self.store.read, lambda conn: list(conn.execute("SELECT * FROM site_setting")))
        for name, value in await patiently(settings, "settings"):
            self._apply_setting(str(name), str(value))
        task_status.started()
        while True:
            self._wake = trio.Event()
            for id_, type_, version, body in await patiently(
                partial(self.store.read, _undecided), "commands"
            ):
                await self._carry_out(id_, decode_body(type_, version, body))
            with trio.move_on_at(self._pause_ends_at()):
                await self._wake.wait()
            if self._pause_until is not None and self.utc_now() >= self._pause_until:
                await self._set("paused_until", "0")

    def _pause_ends_at(self) -> float:
        if self._pause_until is None:
            return float("inf")
        return trio.current_time() + max(0.0, self._pause_until - self.utc_now())

    async def _carry_out(self, id_: str, command: object) -> None:
        assert isinstance(command, Command)
        if not self._is_late(command):
            await self._note(command, None, "")
        if self._is_late(command):  # also by the time that a full disk took
            _log.info("command.expired", id=id_, expired_at=command.expires_at)
            await self._close(command, ResultStatus.EXPIRED, "it came too late")
            return
        _log.info("command.run", id=id_, action=repr(command.action), issuer=command.issuer)
        try:
            words = await self._act(command.action)
            status = ResultStatus.DONE
        except ValueError as exc:
            status, words = ResultStatus.FAILED, str(exc)
        await self._close(command, status, words)

    def _is_late(self, command: Command) -> bool:
        now = self.hub_now()  # of what was taken before a restart it is not known, and it came in time
        return now is not None and now > command.expires_at

    async def _close(self, command: Command, status: ResultStatus, words: str) -> None:
        await self._note(command, status, words)
        decide = partial(self.store.transact, lambda conn: self._decide(conn, command.id, status, words))
        await patiently(decide, "a result")

    async def _note(self, command: Command, status: ResultStatus | None, words: str) -> None:
        if self.note is not None:
            await patiently(partial(self.note, command, status, words), "an audit row")

    async def act_here(self, action: Action) -> str:
        """Do what an operator asks for at the site itself; return the words. Raises ValueError as a command would fail."""
        words = await self._act(action)
        self._poke()  # a pause that ends by itself
        return words

    async def _act(self, action: Action) -> str:
        match action:
            case Pause(until=until):
                await self._set("paused_until", "inf" if until is None else repr(until))
                return "paused" if until is None else "paused for a while"
            case Resume():
                await self._set("paused_until", "0")
                return "running"
            case Purge(prefix=prefix):
                self.controls.purge(prefix)
                return f"forgot what begins with {prefix or '/'}"
            case AllowlistSwitch(pattern=pattern, enabled=enabled):
                self.controls.switch(
                    pattern, enabled
                )  # raises ValueError for what the site's config does not list
                await self._set(f"allow {pattern}", "on" if enabled else "off")
                return f"{pattern} is {'on' if enabled else 'off'}"
            case Reconnect():
                self.controls.reconnect()
                return "reconnecting"
            case _:
                raise ValueError("this site does not heat")

    async def _set(self, name: str, value: str) -> None:
        row = (name, value)
        work = partial(
            self.store.transact,
            lambda conn: conn.execute("INSERT OR REPLACE INTO site_setting VALUES (?, ?)", row),
        )
        await patiently(work, "a setting")
        self._apply_setting(name, value)

    def _apply_setting(self, name: str, value: str) -> None:
        if name == "paused_until":
            until = float(value)
            is_paused = until > self.utc_now()
            self._pause_until = until if is_paused and until != float("inf") else None
            self.controls.pause(is_paused)
        elif name.startswith("allow "):
            try:
                self.controls.switch(name.removeprefix("allow "), value == "on")
            except ValueError:
                _log.warning("setting.obsolete", name=name)  # the site's config does not list it any more


def _undecided(conn: apsw.Connection) -> list[tuple[str, str, int, bytes]]:
    rows = conn.execute(
        "SELECT id, type, version, body FROM command_taken WHERE status IS NULL ORDER BY rowid"
    )
    return [(str(id_), str(type_), int(version), bytes(body)) for id_, type_, version, body in rows]
