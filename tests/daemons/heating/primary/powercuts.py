"""Power cuts: a disk that loses what was not synced, under the boiler's own store while it works.

`python -m tests.daemons.heating.primary.powercuts --cuts 300` cuts at so many random points and says what was lost. The work
is done once, with everything that reaches the disk written down (an apsw VFS); a cut then is a replay up to there: what
was synced is there, of the rest each write is or is not, and one may be torn at a sector.
"""

import argparse
import os
import random
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import trio
import trio.lowlevel
from attrs import define, field

from daemons.heating.primary.deeds import HouseDeeds
from daemons.heating.primary.kept import read_kept
from daemons.heating.primary.primary import Primary
from daemons.pair.executor import CHANNEL, CommandExecutor
from protocol.frames import Message
from protocol.heating import HeatOverride
from protocol.messages import Command, encode_body
from tests.daemons.heating.primary.parts import Hands, decision, opened

__all__ = ["Lost", "cut_and_look", "record"]

_BASE = "multipleciphers-unix"
_SECTOR = 512
_TORN = 0.1
CHECKPOINT_PAGES = 12
"""So that the file itself is written again and again, not the log alone."""


@define(eq=False)
class Tape:
    """Everything that reached the disk, in order, and when what was acknowledged."""

    steps: list[tuple[str, str, int, bytes]] = field(factory=list)  # what, file, offset or size, data
    promised: list[tuple[int, str, str]] = field(
        factory=list
    )  # steps until then, "event" or "command", its name

    def promise(self, kind: str, name: str) -> None:
        self.promised.append((len(self.steps), kind, name))

    def after_cut(self, at: int, chance: random.Random) -> dict[str, bytes]:
        """Return the files as they are after a cut behind so many steps."""
        synced: defaultdict[str, bytearray] = defaultdict(bytearray)
        loose: defaultdict[str, list[tuple[str, int, bytes]]] = defaultdict(list)
        for what, name, number, data in self.steps[:at]:
            if what == "sync":
                for step in loose.pop(name, []):
                    _do(synced[name], *step)
            elif what == "delete":
                synced.pop(name, None)
                loose.pop(name, None)
            else:
                synced[name]  # the file is there from now on
                loose[name].append((what, number, data))
        for name, steps in loose.items():
            for what, number, data in steps:
                if chance.random() < 0.5:
                    if len(data) > _SECTOR and chance.random() < _TORN:
                        data = data[: chance.randrange(_SECTOR, len(data), _SECTOR)]
                    _do(synced[name], what, number, data)
        return {name: bytes(content) for name, content in synced.items()}


def _do(content: bytearray, what: str, number: int, data: bytes) -> None:
    if what == "truncate":
        del content[number:]
    else:
        if len(content) < number:
            content.extend(bytes(number - len(content)))
        content[number : number + len(data)] = data


@contextmanager
def taping(tape: Tape) -> Iterator[None]:
    """Have every database that is opened meanwhile write onto the tape, beside its file."""

    class File(apsw.VFSFile):  # type: ignore[misc]
        def __init__(self, name: Any, flags: list[int]) -> None:
            path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
            self.name = os.path.basename(path)
            super().__init__(_BASE, name, flags)

        def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
            super().xWrite(data, offset)
            tape.steps.append(("write", self.name, offset, bytes(data)))

        def xTruncate(self, size: int) -> None:  # noqa: N802
            super().xTruncate(size)
            tape.steps.append(("truncate", self.name, size, b""))

        def xSync(self, flags: int) -> None:  # noqa: N802
            super().xSync(flags)
            tape.steps.append(("sync", self.name, 0, b""))

    class Disk(apsw.VFS):  # type: ignore[misc]
        def xOpen(self, name: Any, flags: list[int]) -> File:  # noqa: N802
            return File(name, flags)

        def xDelete(self, name: str, sync_folder: bool) -> None:  # noqa: N802
            super().xDelete(name, sync_folder)
            tape.steps.append(("delete", os.path.basename(name), 0, b""))

    disk = Disk("pitlink-tape", _BASE, makedefault=True)
    try:
        yield
    finally:
        disk.unregister()
        apsw.set_default_vfs(_BASE)


async def record(folder: Path, rounds: int, commands: int) -> Tape:
    """Have a boiler's store make so many decisions and take so many commands at the same time; return the tape."""
    tape, hands = Tape(), Hands()
    with taping(tape):
        async with opened(folder, hands, inline=False) as primary, trio.open_nursery() as nursery:
            await primary.store.transact(lambda conn: conn.pragma("wal_autocheckpoint", CHECKPOINT_PAGES))
            executor = CommandExecutor(
                primary.store,
                primary.durable,
                HouseDeeds(primary, lambda: None),
                lambda: None,
                lambda: hands.utc,
            )
            nursery.start_soon(primary.run)
            nursery.start_soon(executor.run)
            async with trio.open_nursery() as work:
                work.start_soon(_decide, primary, hands, tape, rounds)
                work.start_soon(_command, primary, executor, tape, commands)
            nursery.cancel_scope.cancel()
    return tape


async def _decide(primary: Primary, hands: Hands, tape: Tape, rounds: int) -> None:
    for number in range(rounds):
        now = hands.clock().instant()
        one = decision(hands, events=1 + number % 3, on={"hall": number % 2 == 0}, memory={"n": number})
        await primary.decide(now, one)
        for event in one.events:
            tape.promise("event", f"{event.at:.0f} {event.cause}")
        hands.go_on(30)


async def _command(primary: Primary, executor: CommandExecutor, tape: Tape, commands: int) -> None:
    for number in range(commands):
        id_ = str(uuid.UUID(int=number))
        action = HeatOverride(zone="hall", end="permanent", celsius=15 + number % 100 / 10)
        kind, version, body = encode_body(Command(id_, "ann", 9e9, 0, action))
        message = Message(CHANNEL, 1, number + 1, kind, version, body)
        await primary.store.transact(partial(executor.effect, message=message))
        tape.promise("command", id_)
        await trio.lowlevel.checkpoint()


@define
class Lost:
    """What was not there after a cut, in words; nothing is what is wanted."""

    cuts: int = 0
    promises: int = 0
    words: list[str] = field(factory=list)


def cut_and_look(tape: Tape, cuts: int, seed: int) -> Lost:
    """Cut at so many random points; return what was lost or damaged."""
    chance, found = random.Random(seed), Lost()
    for _ in range(cuts):
        at = chance.randrange(1, len(tape.steps) + 1)
        promised = [(kind, name) for step, kind, name in tape.promised if step <= at]
        found.cuts += 1
        found.promises += len(promised)
        with tempfile.TemporaryDirectory() as folder:
            for name, content in tape.after_cut(at, chance).items():
                Path(folder, name).write_bytes(content)
            found.words += [f"cut at {at}: {words}" for words in _look(Path(folder, "boiler.db"), promised)]
    return found


def _look(path: Path, promised: list[tuple[str, str]]) -> Iterator[str]:
    conn = apsw.Connection(str(path))
    try:
        ((verdict,),) = conn.execute("PRAGMA integrity_check(1)").fetchall()
        if verdict != "ok":
            yield f"damaged: {verdict}"
        if not promised:
            return
        events = {f"{at:.0f} {cause}" for at, cause in conn.execute("SELECT at, cause FROM heat_event")}
        commands = dict(conn.execute("SELECT id, status FROM command_taken").fetchall())
        for kind, name in promised:
            if name not in (events if kind == "event" else commands):
                yield f"{kind} {name} is lost"
        kept = read_kept(conn)
        ((told,),) = conn.execute("SELECT count(*) FROM link_out_row WHERE type = 'heat.event'").fetchall()
        ((happened,),) = conn.execute("SELECT count(*) FROM heat_event").fetchall()
        if told != happened:
            yield f"{happened} events, of which {told} go to the hub"
        done = sum(status is not None for status in commands.values())
        ((results,),) = conn.execute("SELECT count(*) FROM link_out_row WHERE type = 'result'").fetchall()
        changes = conn.execute("SELECT count(*) FROM heat_event WHERE kind = 'CHANGE'").fetchall()[0][0]
        if results != done or kept.settings.version != changes:
            yield f"{done} commands done, {results} results, settings {kept.settings.version}, {changes} changes"
    except (apsw.Error, ValueError) as exc:
        yield f"cannot be read: {exc!r}"
    finally:
        conn.close()


def main() -> int:
    """Do it and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tape = trio.run(record, Path(folder), 300, 100)
    found = cut_and_look(tape, given.cuts, given.seed)
    print(f"{found.cuts} cuts in {len(tape.steps)} writes and syncs; {found.promises} promises looked for")
    print("\n".join(found.words) or "nothing lost, nothing damaged")
    return bool(found.words)


if __name__ == "__main__":
    raise SystemExit(main())
