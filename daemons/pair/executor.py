"""The site's end of commands: accepted once, decided here, done by a reconciler, reported on channel `result`.

The transaction that takes a command stores only the *intent* (values are absolute); a loop drives the site to it and
commits the result together with its message. Expiry is judged by the hub's clock as the link carries it, and while that
is not known (after a restart, until there is a link) nothing is begun: it could be too late. An intent that a restart
interrupted is applied again if it is not too late by then; otherwise nobody knows whether it was done, and its result says
so.

What touches nothing but the database is decided in that first transaction (`at_once`): taken, done and answered are one
commit. Its audit row follows from the row that was committed with it, at least once, also after a restart: there is no
deed without a row, only one that is written a moment later.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

import apsw
import structlog
import trio
from attrs import define, field

from daemons.link.durable import DurableChannels
from daemons.link.signal import Signal
from daemons.ops.storecare import patiently
from daemons.pair.executortables import (
    MIGRATIONS,
    SEEN,
    Told,
    begin,
    forget,
    is_undecided,
    keep_noted,
    oldest_undecided,
    to_note,
)
from daemons.store import Store, fetch
from protocol.frames import Message
from protocol.messages import (
    Action,
    Command,
    Result,
    ResultStatus,
    Revoke,
    decode_body,
    encode_body,
)

__all__ = ["CHANNEL", "MIGRATIONS", "RESULTS", "AtOnce", "CommandExecutor", "Deeds", "Told", "Work"]

_log = structlog.stdlib.get_logger("pitlink.pair")

CHANNEL = "command"
RESULTS = "result"
TOO_LATE = "it came too late"
INTERRUPTED = "a restart interrupted it, and now it is too late: whether it was done is not known"
NOTED_LATE_S = 0.1
"""The audit's rows of what was decided at once follow so long after the first of them: several are one commit, and its
result is on its way before."""

Work = Callable[[apsw.Connection], str]
"""Something done inside a transaction of the store; returns what became of it in words. Raises ValueError for what
cannot be, also in words."""


class Deeds(Protocol):
    """What a site can be commanded to do. Every action takes an absolute value and may be done again."""

    async def act(self, action: Action, by: str, against: int) -> str | Work:
        """Do it and return the words; or return what is to be done in the transaction that commits the result.

        `against`: the version of the state it was issued against; 0: any. Raises ValueError, in words, for what this
        site cannot or will not do.
        """


AtOnce = Callable[[Command], Work | None]
"""Says what a command does if that is nothing outside of the database; None: it is for `Deeds`. Called in the store's
thread."""


@define(eq=False)
class CommandExecutor:
    """Takes commands from the channel and carries them out. `run` must be running.

    `hub_now()` is the hub's UTC in seconds as the link knows it, None when it does not: there was no link yet in this
    process. `note` is for the audit: it is told of each command before that is carried out (no status), and how it ended
    before its result is sent, or right after what was done in one transaction with it. What cannot be noted is not done.
    """

    store: Store
    durable: DurableChannels
    deeds: Deeds
    hub_now: Callable[[], float | None]
    utc_now: Callable[[], float]
    note: Callable[[Sequence[Told]], Awaitable[None]] | None = None
    at_once: AtOnce | None = None
    _taken: Signal = field(factory=Signal, init=False)
    _decided: Signal = field(factory=Signal, init=False)
    _hub_utc: float | None = field(default=None, init=False)  # now, for the store's thread

    def __attrs_post_init__(self) -> None:
        self.durable.watch_commits(self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._hub_utc = self.hub_now()

    def effect(self, conn: apsw.Connection, message: Message) -> None:
        """Take one message of channel `command`, inside the commit's transaction: in the store's thread, so without a
        look at any clock of Trio's."""
        body = decode_body(message.type, message.version, message.body)
        match body:
            case Revoke(id=id_):
                conn.execute(SEEN, (id_, "", 0, b""))  # one that was never seen is decided for good
                if not fetch(conn, "SELECT 1 FROM command_taken WHERE id = ? AND begun", (id_,)):
                    self._decide(conn, id_, ResultStatus.FAILED, "withdrawn before it ran")
            case Command():
                conn.execute(SEEN, (body.id, message.type, message.version, message.body))
                if conn.changes():
                    is_decided = self._decide_at_once(conn, body)
                    self.store.after_commit(self._decided.set if is_decided else self._taken.set)
            case _:
                raise ValueError(f"{message.type} is no command")

    def _decide_at_once(self, conn: apsw.Connection, command: Command) -> bool:
        """Decide a command that was taken just now, if that can be done here and the hub's time is known."""
        work = None if self.at_once is None or self._hub_utc is None else self.at_once(command)
        if work is None or self._hub_utc is None:
            return False
        status = ResultStatus.DONE
        if self._hub_utc > command.expires_at:
            status, words = ResultStatus.EXPIRED, TOO_LATE
        else:
            try:
                with self.store.savepoint(conn):
                    words = work(conn)
            except ValueError as exc:
                status, words = ResultStatus.FAILED, str(exc)
        return self._decide(conn, command.id, status, words, to_note=self.note is not None)

    def _decide(
        self, conn: apsw.Connection, id_: str, status: ResultStatus, words: str, *, to_note: bool = False
    ) -> bool:
        """Give an undecided command its result, and send it. `to_note`: the audit is yet to be told."""
        conn.execute(
            "UPDATE command_taken SET status = ?, words = ?, to_note = ?, decided_at = ? "
            "WHERE id = ? AND status IS NULL",
            (status, words, to_note, self._hub_utc, id_),
        )
        if not conn.changes():
            return False
        self.durable.append_in(conn, RESULTS, *encode_body(Result(id_, status, words, self.utc_now())))
        return True

    async def run(self) -> None:
        """Carry out commands as they come, and those first that a restart interrupted. Never returns."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._carry_out_each)
            if self.note is not None:
                nursery.start_soon(self._note_each, self.note)

    async def _carry_out_each(self) -> None:
        while True:
            while found := await patiently(partial(self.store.read, oldest_undecided), "commands"):
                if self.hub_now() is None:
                    _log.info("command.waits", id=found[0].id, why="the hub's time is not known yet")
                    break
                await self._carry_out(*found)
            await self._taken.wait()

    def link_is_up(self) -> None:
        """Go on with what waits until the hub's time is known. To be called whenever there is a link."""
        self._taken.set()

    async def _note_each(self, note: Callable[[Sequence[Told]], Awaitable[None]]) -> None:
        """Audit what was decided at once."""
        while True:
            while told := await patiently(partial(self.store.read, to_note), "commands"):
                for id_, (command, status, _) in told:
                    _log.info(
                        "command.decided",
                        id=id_,
                        action=repr(command.action),
                        issuer=command.issuer,
                        status=status,
                    )
                await patiently(partial(note, [one for _, one in told]), "audit rows")
                noted = partial(keep_noted, [(id_,) for id_, _ in told])
                await patiently(partial(self.store.transact, noted), "noted results")
            await self._decided.wait()
            await trio.sleep(NOTED_LATE_S)

    async def _carry_out(self, command: Command, is_begun: bool) -> None:
        if not self._is_late(command):
            await self._note(command, None, "")
        if self._is_late(command):  # also by the time that a full disk took
            _log.info("command.expired", id=command.id, expired_at=command.expires_at)
            if is_begun:
                await self._close(command, ResultStatus.FAILED, INTERRUPTED)
            else:
                await self._close(command, ResultStatus.EXPIRED, TOO_LATE)
            return
        if not await patiently(partial(self.store.transact, partial(begin, command.id)), "a command"):
            return  # withdrawn in this moment
        _log.info("command.run", id=command.id, action=repr(command.action), issuer=command.issuer)
        done: str | Work
        try:
            done, status = (
                await self.deeds.act(command.action, command.issuer, command.against),
                ResultStatus.DONE,
            )
        except ValueError as exc:
            done, status = str(exc), ResultStatus.FAILED
        if isinstance(done, str):
            await self._close(command, status, done)
        else:
            await self._work(command, done)

    async def _work(self, command: Command, work: Work) -> None:
        """Do what belongs into the transaction of its result; that it cannot be done is the result then."""

        def decide(conn: apsw.Connection) -> str | None:
            if not is_undecided(conn, command.id):  # withdrawn in this moment
                return None
            words = work(conn)
            self._decide(conn, command.id, ResultStatus.DONE, words)
            return words

        self._look_at_clock()
        try:
            words = await patiently(partial(self.store.transact, decide), "a command")
        except ValueError as exc:
            await self._close(command, ResultStatus.FAILED, str(exc))
        else:
            if words is not None:
                await self._note(command, ResultStatus.DONE, words)

    def _is_late(self, command: Command) -> bool:
        now = self.hub_now()
        return now is None or now > command.expires_at

    async def _close(self, command: Command, status: ResultStatus, words: str) -> None:
        await self._note(command, status, words)
        self._look_at_clock()
        decide = partial(self.store.transact, lambda conn: self._decide(conn, command.id, status, words))
        await patiently(decide, "a result")

    async def _note(self, command: Command, status: ResultStatus | None, words: str) -> None:
        if self.note is not None:
            await patiently(partial(self.note, [(command, status, words)]), "an audit row")

    async def sweep(self, keep_s: float) -> None:
        """Forget what was decided so long ago, some at a time: a command that comes again, from a hub that was put back from
        a backup, is known until then. By the hub's clock: nothing is forgotten while that is not known. Raises StorageError."""
        now = self.hub_now()
        if now is None:
            return

        await self.store.transact(partial(forget, now, now - keep_s))

    async def act_here(self, action: Action, by: str, against: int = 0) -> str:
        """Do what an operator asks for at the site itself; return the words. Raises ValueError as a command would fail,
        and StorageError."""
        done = await self.deeds.act(action, by, against)
        return done if isinstance(done, str) else await self.store.transact(done)
