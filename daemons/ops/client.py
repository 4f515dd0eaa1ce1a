"""The admin API's client: what the command line uses, and any other face of a daemon.

    daemon = AdminClient(Path("pits-state/admin.sock"))
    print((await daemon.status())["warnings"])

    async with daemon.kept() as same:  # for one that is asked again and again
        await same.status()

At a Unix socket the kernel says who asks; at a hub's address (https://...) a token does.
"""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import trio
from attrs import define, evolve, field

from daemons.ops.ask import Answer, Place, Unreachable, ask
from daemons.ops.keptline import KeptLine
from daemons.ops.speaking import ONLY_LOOKS, SPEAKS_FOR
from daemons.ops.unixpath import ADMIN_SOCKET

__all__ = ["ADMIN_SOCKET", "AdminClient", "AdminError", "LogLines", "Unreachable"]

ANSWER_S = 70.0
SILENCE_S = 45.0
"""Of a log that is followed: the daemon says something every 15 s."""


class AdminError(Exception):
    """The daemon refused. `status`: of HTTP; `code`: a word; `words`: why."""

    def __init__(self, status: int, code: str, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.code = code
        self.words = words


@define(eq=False)
class LogLines:
    """What a daemon tells as it comes, to be read with `async for`; of its log {"number", "level", "line"} or {"dropped"}."""

    _answer: Answer

    def __aiter__(self) -> "LogLines":
        return self

    async def __anext__(self) -> dict[str, Any]:
        while True:
            with trio.move_on_after(SILENCE_S) as waiting:
                line = await self._answer.read_line()
            if waiting.cancelled_caught:
                raise Unreachable(f"{self._answer.place}: nothing was heard for {SILENCE_S:g} s")
            if line is None:
                raise StopAsyncIteration
            if line:
                found: dict[str, Any] = _decode(self._answer.place, line)
                return found


@define(eq=False)
class AdminClient:
    """Asks the daemon at a Unix socket (a Path), or a hub at "https://host" with a token.

    Every method raises Unreachable and AdminError; cancelling one gives up its answer, not always the deed.

    `speaks_for`: at a socket, for whom its user asks; the audit says so. `only_looks`: the daemon is to refuse every deed.
    """

    at: Path | str
    token: str = field(default="", repr=False)
    trust: ssl.SSLContext | None = None
    speaks_for: str = ""
    only_looks: bool = False
    _kept: KeptLine | None = field(default=None, init=False, repr=False)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator["AdminClient"]:
        """Give a client that asks the same daemon on one connection, question after question, for the length of the block.

        Questions at the same time have connections of their own. What only asks is asked once more when the daemon has
        closed the connection meanwhile; a deed (`act`) is never asked for twice.
        """
        same = evolve(self)
        line = same._kept = KeptLine(Place(self.at, self.trust))
        try:
            yield same
        finally:
            await line.aclose()

    async def status(self) -> dict[str, Any]:
        """Return how everything stands."""
        found: dict[str, Any] = await self._json("GET", "/admin/status")
        return found

    async def metrics(self) -> str:
        """Return the metrics in Prometheus' text form."""
        return (await self._ask("GET", "/admin/metrics")).decode()

    async def actions(self) -> list[dict[str, Any]]:
        """Return the actions that one may ask for: name, help, role, params."""
        found: list[dict[str, Any]] = await self._json("GET", "/admin/actions")
        return found

    async def act(self, action: str, **params: Any) -> Any:
        """Have the daemon do something; return its result."""
        answer = await self._json("POST", f"/admin/actions/{quote(action, safe='')}", params)
        return answer["result"]

    async def audit(self, *, after: int = 0, last: int = 50) -> list[dict[str, Any]]:
        """Return rows of the audit past number `after`, the newest `last` of them."""
        answer = await self._json("GET", f"/admin/audit?after={after}&last={last}")
        found: list[dict[str, Any]] = answer["rows"]
        return found

    async def verify_audit(self, head: str | None = None) -> dict[str, Any]:
        """Return {"faults": [{"number", "words"}], "head"}. `head`: one kept elsewhere, to hold against it."""
        query = "" if head is None else "?" + urlencode({"head": head})
        found: dict[str, Any] = await self._json("GET", f"/admin/audit/verify{query}")
        return found

    @asynccontextmanager
    async def log(
        self,
        *,
        count: int = 100,
        level: str = "debug",
        follow: bool = False,
        after: int | None = None,
        trace: str = "",
    ) -> AsyncIterator[LogLines]:
        """Give the newest `count` lines at least as severe (or those past number `after`), and with `follow` go on.

        `trace`: those of one trace; a daemon of before that gives all.
        """
        query: dict[str, str | int] = {"count": count, "level": level, "follow": int(follow)}
        if after is not None:
            query["after"] = after
        if trace:
            query["trace"] = trace
        async with self._asked("GET", f"/admin/log?{urlencode(query)}") as answer:
            yield LogLines(answer)

    @asynccontextmanager
    async def follow(self, what: str, **params: str | float) -> AsyncIterator[LogLines]:
        """Give what the daemon tells of something as it comes, such as "telemetry" of a driver."""
        async with self._asked("GET", f"/admin/follow/{quote(what, safe='')}?{urlencode(params)}") as answer:
            yield LogLines(answer)

    @asynccontextmanager
    async def _asked(self, method: str, target: str, body: bytes = b"") -> AsyncIterator[Answer]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if self.speaks_for and isinstance(self.at, Path):
            headers[SPEAKS_FOR] = self.speaks_for
        if self.only_looks:
            headers[ONLY_LOOKS] = "1"
        if self._kept is None:
            asked = ask(Place(self.at, self.trust), method, target, headers=headers, body=body)
        else:
            again = method == "GET"
            asked = self._kept.ask(method, target, headers=headers, body=body, is_repeatable=again)
        async with asked as answer:
            if answer.status != 200:
                raise _error(answer.status, await answer.read_all())
            yield answer

    async def _ask(self, method: str, target: str, body: bytes = b"") -> bytes:
        with trio.move_on_after(ANSWER_S):
            async with self._asked(method, target, body) as answer:
                return await answer.read_all()
        raise Unreachable(f"{self.at}: no answer in {ANSWER_S:g} s")

    async def _json(self, method: str, target: str, params: dict[str, Any] | None = None) -> Any:
        body = b"" if params is None else json.dumps(params).encode()
        return _decode(Place(self.at), await self._ask(method, target, body))


def _decode(place: Place, text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as exc:
        raise Unreachable(f"{place}: what answers is no pitlink daemon") from exc


def _error(status: int, body: bytes) -> AdminError:
    try:
        answer = json.loads(body)
        return AdminError(status, str(answer["code"]), str(answer["words"]))
    except (ValueError, KeyError, TypeError):
        return AdminError(status, "unknown", f"the answer was {status}")
