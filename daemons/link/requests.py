"""Requests over one connection: those we asked and those we serve.

Ids increase per connection and side and are never reused; late answers to unknown ids are dropped and counted. The
deadline travels as what remains, stamped when the writer picks the frame; spent by then, the request is answered
TIMEOUT here and never sent. Cancelling a caller, losing the connection and the deadline all cancel the far side's
work.
"""

import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import outcome
import structlog
import trio
from attrs import define, field, frozen

from daemons.link.bodies import INLINE_BYTES_MAX, AnswerSource, BodyAssembly, check_size
from daemons.link.limiter import LinkLimiter
from daemons.ops.trace import bind
from protocol.codec import encode_frame
from protocol.credit import CreditWindow
from protocol.errors import ErrorCode, RemoteProtocolError, RequestError
from protocol.frames import Cancel, Chunk, Credit, Error, Frame, Limits, Push, Request, Response
from protocol.lanes import Handle, Lane, Scheduler

_log = structlog.stdlib.get_logger("pitlink.link")

BULK_BYTES_MIN = 256 * 1024
"""A body from this size on travels on the bulk lane."""

PUSHES_MAX = 16
"""Pushes that one side may have under way."""

_NO_DEADLINE_MS = 60_000


@frozen
class Answer:
    """What a request came back with. `body`: its encoded form, b"" when there is none."""

    result: Mapping[str, Any]
    body: bytes


@frozen
class Reply:
    """What a handler answers with. `body` is sent as it is: the handler has already compressed it."""

    result: Mapping[str, Any]
    body: bytes = b""


class Interrupted(RequestError):
    """The connection went while the body was coming; `answer.body` holds what had arrived."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(ErrorCode.DISCONNECTED, "the connection was lost in the middle of the body")
        self.answer = answer


Handler = Callable[[Mapping[str, Any]], Awaitable[Reply]]


@define(eq=False)
class _Pending:
    request: Request
    deadline: float
    body_bytes_max: int
    event: trio.Event = field(factory=trio.Event, init=False)
    sent: bool = field(default=False, init=False)
    result: Mapping[str, Any] | None = field(default=None, init=False)
    assembly: BodyAssembly | None = field(default=None, init=False)
    answer: outcome.Outcome[Answer] | None = field(default=None, init=False)

    def finish(self, answer: outcome.Outcome[Answer]) -> None:
        if self.answer is None:
            self.answer = answer
            self.event.set()


PushHandler = Callable[[Mapping[str, Any], bytes], None]
"""Called with the head of a push and its whole encoded body. Must not block."""


@define(eq=False)
class _Incoming:
    """A push whose body is still coming."""

    result: Mapping[str, Any]
    handler: PushHandler
    assembly: BodyAssembly


@define(eq=False)
class Requester:
    """The requests that we asked over one connection, and the pushes that came unasked.

    `control(frame)` queues a frame on the control lane, `wake()` tells the writer that a request waits.
    """

    in_flight_max: int
    limits: Limits  # ours: what a body may have, and the credit it starts with
    control: Callable[[Frame], None]
    wake: Callable[[], None]
    late: int = field(default=0, init=False)
    _next_id: int = field(default=1, init=False)
    _pending: dict[int, _Pending] = field(factory=dict, init=False)
    _queue: deque[_Pending] = field(factory=deque, init=False)
    _pushes: dict[int, _Incoming] = field(factory=dict, init=False)
    _last_push: int = field(default=0, init=False)
    _closed: RequestError | None = field(default=None, init=False)

    @property
    def in_flight(self) -> int:
        return len(self._pending)

    async def request(self, method: str, params: Mapping[str, Any], *, body_bytes_max: int) -> Answer:
        """Ask the peer and wait for the whole answer.

        The caller's scope is the deadline; cancelled, the peer is told. Raises RequestError: BUSY when too many are
        in flight, TIMEOUT when the deadline passed before the frame left, DISCONNECTED (or Interrupted) when the
        connection went, TOO_LARGE, or what the peer answered.
        """
        if self._closed is not None:
            raise self._closed
        if len(self._pending) >= self.in_flight_max:
            raise RequestError(ErrorCode.BUSY, f"{self.in_flight_max} requests are in flight")
        pending = _Pending(
            Request(self._next_id, method, 0, params), trio.current_effective_deadline(), body_bytes_max
        )
        self._next_id += 1
        self._pending[pending.request.id] = pending
        self._queue.append(pending)
        self.wake()
        try:
            await pending.event.wait()
        finally:
            self._pending.pop(pending.request.id, None)
            if pending.answer is None and pending.sent:
                self.control(Cancel(pending.request.id))
        assert pending.answer is not None
        return pending.answer.unwrap()

    def pull(self, now: float, max_bytes: int) -> bytes | None:
        """Return the next request frame with its deadline stamped, as a source of the command lane."""
        while self._queue:
            pending = self._queue.popleft()
            if pending.request.id not in self._pending:
                continue  # its caller has gone; never sent
            remaining = pending.deadline - now
            if remaining <= 0:
                pending.finish(
                    outcome.Error(RequestError(ErrorCode.TIMEOUT, "the deadline passed while it waited"))
                )
                continue
            deadline_ms = _NO_DEADLINE_MS if math.isinf(remaining) else max(1, int(remaining * 1000))
            pending.sent = True
            asked = pending.request
            return encode_frame(Request(asked.id, asked.method, deadline_ms, asked.params))
        return None

    def on_response(self, frame: Response) -> None:
        """Take the head of an answer; the body may still be coming."""
        pending = self._find(frame.id)
        if pending is None:
            return
        if pending.result is not None:
            raise RemoteProtocolError("a second response to one request")
        pending.result = frame.result
        try:
            check_size(frame.body_bytes, pending.body_bytes_max)
        except RequestError as exc:
            self.control(Cancel(frame.id))
            pending.finish(outcome.Error(exc))
            return
        if len(frame.inline) == frame.body_bytes:
            pending.finish(outcome.Value(Answer(frame.result, frame.inline)))
        elif frame.inline:
            raise RemoteProtocolError("an inline body of another length than announced")
        else:
            pending.assembly = BodyAssembly(frame.body_bytes, self.limits.initial_credit_bytes)

    def on_push(self, frame: Push, handler: PushHandler) -> None:
        """Take the head of a push; its body may still be coming. What is too large is cancelled."""
        if frame.id >= self._last_push:
            raise RemoteProtocolError("a push id that does not go down")
        self._last_push = frame.id
        if frame.body_bytes > self.limits.body_bytes or len(self._pushes) >= PUSHES_MAX:
            self.control(Cancel(frame.id))
        elif len(frame.inline) == frame.body_bytes:
            handler(frame.result, frame.inline)
        else:
            assembly = BodyAssembly(frame.body_bytes, self.limits.initial_credit_bytes)
            self._pushes[frame.id] = _Incoming(frame.result, handler, assembly)

    def on_chunk(self, frame: Chunk) -> None:
        """Take a part of a body and grant credit for what was consumed."""
        if frame.id < 0:
            self._on_push_chunk(frame)
            return
        pending = self._find(frame.id)
        if pending is None:
            return
        if pending.assembly is None or pending.result is None:
            raise RemoteProtocolError("a chunk before its response")
        granted = pending.assembly.add(frame)
        if pending.assembly.complete:
            pending.finish(outcome.Value(Answer(pending.result, pending.assembly.body())))
        elif granted is not None:
            self.control(Credit(frame.id, granted))

    def _on_push_chunk(self, frame: Chunk) -> None:
        incoming = self._pushes.get(frame.id)
        if incoming is None:
            self.late += 1
            return
        granted = incoming.assembly.add(frame)
        if incoming.assembly.complete:
            del self._pushes[frame.id]
            incoming.handler(incoming.result, incoming.assembly.body())
        elif granted is not None:
            self.control(Credit(frame.id, granted))

    def on_error(self, frame: Error) -> None:
        pending = self._find(frame.id)
        if pending is not None:
            code = ErrorCode(frame.code) if frame.code in ErrorCode.__members__ else ErrorCode.INTERNAL
            pending.finish(outcome.Error(RequestError(code, frame.words)))

    def _find(self, id_: int) -> _Pending | None:
        if id_ >= self._next_id:
            raise RemoteProtocolError("an answer to a request that was never asked")
        pending = self._pending.get(id_)
        if pending is None or pending.answer is not None:
            self.late += 1
            return None
        return pending

    def close(self) -> None:
        """End every request with DISCONNECTED; those with a part of their body keep it (Interrupted)."""
        self._closed = RequestError(ErrorCode.DISCONNECTED, "there is no connection")
        for pending in list(self._pending.values()):
            error: RequestError = RequestError(ErrorCode.DISCONNECTED, "the connection was lost")
            if pending.assembly is not None and pending.result is not None:
                error = Interrupted(Answer(pending.result, pending.assembly.body()))
            pending.finish(outcome.Error(error))


@define(eq=False)
class Responder:
    """The requests that the peer asked over one connection: a task each in the connection's nursery."""

    handlers: Mapping[str, Handler]
    nursery: trio.Nursery
    scheduler: Scheduler
    limits: Limits  # ours: how many may be in flight
    peer_limits: Limits  # theirs: how much credit a body starts with
    error: Callable[[Frame], None]  # queues a frame on the command lane
    half_round_trip: Callable[[], float]
    limiter: LinkLimiter = field(factory=LinkLimiter)
    busy: int = field(default=0, init=False)
    _last_id: int = field(default=0, init=False)
    _scopes: dict[int, trio.CancelScope] = field(factory=dict, init=False)
    _answers: dict[int, tuple[AnswerSource, Handle]] = field(factory=dict, init=False)
    _pushes: int = field(default=0, init=False)  # under way
    _next_push: int = field(default=-1, init=False)

    @property
    def in_flight(self) -> int:
        return len(self._scopes) + len(self._answers) - self._pushes

    def on_request(self, frame: Request) -> None:
        """Start the handler, or refuse: BUSY past the cap or the rate of its type, BAD_REQUEST for an unknown method."""
        if frame.id <= self._last_id:
            raise RemoteProtocolError("a request id that does not increase")
        self._last_id = frame.id
        handler = self.handlers.get(frame.method)
        if handler is None:
            self.error(Error(frame.id, ErrorCode.BAD_REQUEST, f"there is no request {frame.method!r} here"))
        elif self.in_flight >= self.limits.requests_in_flight:
            self.busy += 1
            self.error(
                Error(frame.id, ErrorCode.BUSY, f"{self.limits.requests_in_flight} requests are in flight")
            )
        elif wait_s := self.limiter.on_request(frame.method, trio.current_time()):
            words = f"too many requests {frame.method!r}; the next in {wait_s:.1f} s"
            self.error(Error(frame.id, ErrorCode.BUSY, words))
        else:
            deadline = trio.current_time() + frame.deadline_ms / 1000 - self.half_round_trip()
            scope = self._scopes[frame.id] = trio.CancelScope(deadline=deadline)
            self.nursery.start_soon(self._serve, frame, handler, scope)

    async def _serve(self, frame: Request, handler: Handler, scope: trio.CancelScope) -> None:
        failure: Error | None = None
        reply: Reply | None = None
        bind(request=frame.id)
        try:
            with scope:
                reply = await handler(frame.params)
            if reply is None and trio.current_time() >= scope.deadline:
                failure = Error(frame.id, ErrorCode.TIMEOUT, "the deadline passed")
        except RequestError as exc:
            failure = Error(frame.id, exc.code, exc.words)
        except Exception:
            # A handler's bug must not take the connection down; the peer learns that it was ours.
            _log.exception("request.failed", method=frame.method)
            failure = Error(frame.id, ErrorCode.INTERNAL, "the handler failed")
        finally:
            self._scopes.pop(frame.id, None)
        if reply is not None:
            self._send(frame.id, reply)
        elif failure is not None:
            self.error(failure)

    def push(self, method: str, result: Mapping[str, Any], body: bytes) -> bool:
        """Send what was not asked for now. Return False when too many pushes are under way."""
        if self._pushes >= PUSHES_MAX:
            return False
        id_, self._next_push = self._next_push, self._next_push - 1
        self._pushes += 1
        self._send(id_, Reply(result, body), method)
        return True

    @property
    def pushes(self) -> int:
        """How many pushes are not wholly given to the socket yet."""
        return self._pushes

    def _send(self, id_: int, reply: Reply, push_method: str = "") -> None:
        credit = CreditWindow(self.peer_limits.initial_credit_bytes)
        source = AnswerSource(id_, reply.result, reply.body, credit, lambda: self._forget(id_), push_method)
        lane = Lane.BULK if len(reply.body) >= BULK_BYTES_MIN else Lane.ANSWER
        # Bodies come compressed, but their heads and small inline ones are worth the connection's own stream.
        handle = self.scheduler.register(lane, source, compress=len(reply.body) <= INLINE_BYTES_MAX)
        self._answers[id_] = (source, handle)
        handle.wake()

    def _forget(self, id_: int) -> None:
        _, handle = self._answers.pop(id_)
        handle.close()
        if id_ < 0:
            self._pushes -= 1

    def on_credit(self, frame: Credit) -> None:
        if frame.id in self._answers:
            source, handle = self._answers[frame.id]
            if source.credit.granted(frame.upto):
                handle.wake()

    def on_cancel(self, frame: Cancel) -> None:
        if frame.id in self._scopes:
            # Its place is free at once: the peer's next request may stand behind this frame.
            self._scopes.pop(frame.id).cancel(reason="the peer cancelled the request")
        elif frame.id in self._answers:
            self._forget(frame.id)
