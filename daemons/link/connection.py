"""One connection of a link: a nursery with its reader, its single writer, its heartbeat and its dispatcher.

The first of them to fail ends all. What outlives the connection (channels, topics, handlers) belongs to the `Peer`.
"""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
import trio

from daemons.link.heartbeat import Heartbeat
from daemons.link.opening import opening_message
from daemons.link.peer import Peer
from daemons.link.requests import Answer, Requester, Responder
from daemons.link.signal import Signal
from daemons.link.sources import FrameQueue, Pull
from daemons.link.streamtraffic import StreamTraffic
from daemons.link.topictraffic import TopicTraffic
from daemons.link.transport import Transport, TransportClosed, lone
from daemons.ops.groups import leaves
from daemons.store import StorageError, StorageFault
from protocol.codec import decode_frames, encode_frame
from protocol.errors import CloseCode, RemoteProtocolError
from protocol.frames import (
    Ack,
    Bye,
    Cancel,
    Chunk,
    Credit,
    Error,
    Frame,
    Fresh,
    Hello,
    Message,
    Ping,
    Pong,
    Push,
    Received,
    Refuse,
    Request,
    Response,
    Skip,
    StateAck,
    SyncPart,
    SyncRequest,
    Update,
)  # fmt: skip
from protocol.lanes import Lane, Scheduler
from protocol.liveness import Liveness
from protocol.received import ReceivedMeter
from protocol.segments import Compressor, Decompressor

_log = structlog.stdlib.get_logger("pitlink.link")

_BYE_S = 0.5
_COMMAND_CHANNELS = ("command", "result")


class ConnectionEnded(Exception):
    """The connection is over: `code` and `words` as closed, `ours` when this side ended it."""

    def __init__(self, code: int, words: str, *, ours: bool, retry_after_s: float = 0.0) -> None:
        super().__init__(f"{words} ({code})")
        self.code = code
        self.words = words
        self.ours = ours
        self.retry_after_s = retry_after_s


class Connection:
    """One live connection between this side and its peer, after both hellos."""

    def __init__(
        self, transport: Transport, peer: Peer, theirs: Hello, generation: int, opened_at: float
    ) -> None:
        self.transport = transport
        self.peer = peer
        self.theirs = theirs
        self.generation = generation
        self.scheduler = Scheduler(trio.current_time(), self._on_ready)
        self.meter = ReceivedMeter()
        self._compressor = Compressor()
        self._decompressor = Decompressor()
        self._ready = Signal()
        # Its deadline is moved while it waits: cheaper than to wake it for a look at the clock.
        self._look_scope = trio.CancelScope()
        self._ended: ConnectionEnded | None = None
        self._goodbye = True
        self._scope = trio.CancelScope()
        self._control = FrameQueue()
        self._commands = FrameQueue()
        register = self.scheduler.register
        self._control_handle = register(Lane.CONTROL, self._control)
        self.heartbeat = Heartbeat(
            peer.environment,
            self.scheduler,
            theirs,
            opened_at,
            lambda: self.unacknowledged,
            peer.quiet_s,
        )
        self._topics = TopicTraffic(peer, self.scheduler, self.send_control)
        self._received_handle = register(Lane.CONTROL, Pull(self._pull_received))
        self._commands_handle = register(Lane.COMMAND, self._commands)
        self.requester = Requester(
            theirs.limits.requests_in_flight,
            peer.limits,
            self.send_control,
            lambda: self._requests_handle.wake(),
        )
        self._requests_handle = register(Lane.COMMAND, self.requester)
        self._acks_handle = register(Lane.CONTROL, Pull(peer.durable.pull_acks))
        self._channel_handles = {
            name: register(
                Lane.COMMAND if name in _COMMAND_CHANNELS else Lane.EVENT,
                Pull(partial(peer.durable.pull, name)),
            )
            for name in peer.durable.statistics()
        }
        self._responder: Responder | None = None
        self._streams = StreamTraffic(peer, theirs, self.scheduler, self.send_control, self.send_command_lane)
        self._tamper = peer.tampering() if peer.tampering is not None else None
        self._dispatch: dict[type, Callable[..., None]] = {
            Message: peer.durable.on_message,
            Skip: peer.durable.on_skip,
            Ack: peer.durable.on_ack,
            Chunk: self.requester.on_chunk,
            Received: self._on_received,
            Request: self._on_request,
            Response: self.requester.on_response,
            Error: self.requester.on_error,
            Credit: self._on_credit,
            Cancel: self._on_cancel,
            Push: self._on_push,
            Ping: self.heartbeat.on_ping,
            Pong: self.heartbeat.on_pong,
            Bye: self._on_bye,
            Hello: self._on_second_hello,
            Refuse: self._on_bye,  # what it saw in our hello
            **dict.fromkeys((Update, Fresh, SyncPart), self._topics.on_data),
            **dict.fromkeys((StateAck, SyncRequest), self._topics.on_answer),
            **self._streams.dispatch,
        }

    def __repr__(self) -> str:
        return f"<Connection {self.peer.site} {self.transport!r}>"

    # --- what services use ---------------------------------------------------------------------------------------

    async def request(self, method: str, params: Mapping[str, Any], *, body_bytes_max: int) -> Answer:
        """Ask the peer; see Requester.request."""
        return await self.requester.request(method, params, body_bytes_max=body_bytes_max)

    def push(self, method: str, result: Mapping[str, Any], body: bytes) -> bool:
        """Queue a push. Return False when too many wait already: what changes next will be pushed instead."""
        return self._responder is not None and self._responder.push(method, result, body)

    def send_control(self, frame: Frame) -> None:
        """Queue a small frame on the control lane."""
        self._control.push(frame)
        self._control_handle.wake()

    def send_command_lane(self, frame: Frame) -> None:
        """Queue a small frame on the command lane."""
        self._commands.push(frame)
        self._commands_handle.wake()

    async def probe(self) -> bool:
        """Ping the peer and return True as soon as anything comes back. The caller's scope bounds the wait."""
        # Not one of the heartbeat's: id 0 asks for a pong, which needs no bookkeeping.
        self.send_control(Ping(0, int(trio.current_time() * 1e6)))
        await self.heartbeat.wait_received()
        return True

    def end(
        self, code: int, words: str, *, ours: bool = True, retry_after_s: float = 0.0, goodbye: bool = True
    ) -> None:
        """End this connection: `run` says goodbye with this code and returns. The first end holds.

        Without `goodbye` the socket is dropped at once: nobody is there to hear it, and whoever takes this
        connection's place waits for its end.
        """
        self._goodbye = self._goodbye and goodbye
        if self._ended is None:
            self._ended = ConnectionEnded(code, words, ours=ours, retry_after_s=retry_after_s)
        self._scope.cancel(reason=words)

    @property
    def liveness(self) -> Liveness:
        """What is known of the peer's being there, and of the round trip."""
        return self.heartbeat.liveness

    def peer_utc_now(self) -> float:
        """Return the peer's UTC in seconds; see Heartbeat."""
        return self.heartbeat.peer_utc_now()

    def peer_utc_at_most(self) -> float:
        """Return the latest that the peer's UTC can be now: ages reckoned with it are never too small."""
        return self.heartbeat.peer_utc_at_most()

    @property
    def has_pushed_all(self) -> bool:
        """Has everything that was pushed left this machine, as far as the kernel can say?"""
        waits = 0 if self._responder is None else self._responder.pushes
        queue = self.transport.kernel_queue()
        return not waits and (queue is None or queue[0] == 0)

    @property
    def unacknowledged(self) -> bool:
        """Is anything on its way that the peer must answer?"""
        return (
            self.scheduler.cap.under_way_bytes > 0
            or self.peer.durable.unacknowledged
            or self.requester.in_flight > 0
        )

    # --- its life ------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> ConnectionEnded:
        """Live until the connection ends, and return why. Cancelling it says goodbye (1 s at most) and goes on.

        `started()` means usable: channels attached, the peer may be asked.
        """
        try:
            with self._scope:
                await self._attach_channels()
                async with trio.open_nursery() as nursery:
                    self._begin(nursery)
                    nursery.start_soon(self.transport.receive_each, self._take)
                    nursery.start_soon(self._write)
                    nursery.start_soon(self.heartbeat.run)
                    nursery.start_soon(self._look)
                    nursery.start_soon(self.peer.durable.run)
                    if self.peer.takes_streams:
                        nursery.start_soon(self._streams.run)
                    if self._tamper is not None:
                        nursery.start_soon(self._tamper.run, self.send_control, self._act_upon)
                    self.peer.connected(self)
                    task_status.started()
        except* TransportClosed as group:
            closed = lone(group)
            code, words = (closed.code, closed.words) if isinstance(closed, TransportClosed) else (1006, "")
            self.end(code, words or "the connection was lost", ours=False)
        except* RemoteProtocolError as group:
            broken = lone(group)
            code = broken.code if isinstance(broken, RemoteProtocolError) else CloseCode.PROTOCOL_ERROR
            self.end(code, str(broken), goodbye=code != CloseCode.PEER_SILENT)
        except* StorageError as group:
            if (
                group.split(lambda exc: isinstance(exc, StorageError) and exc.fault is StorageFault.CLOSED)[1]
                is None
            ):
                self.end(CloseCode.GOING_AWAY, "this side is stopping")
            else:
                self.end(CloseCode.INTERNAL, f"the store failed: {leaves(group)[0]}")
        except* Exception as group:
            # A bug of ours: the peer must not read it as a normal end, and this site must not take others down.
            _log.error("connection.crashed", site=self.peer.site, exc_info=group)
            self.end(CloseCode.INTERNAL, "internal error")
        finally:
            self.requester.close()
            self._streams.end()
            self.peer.durable.detach(self.generation)
            self.peer.disconnected(self)
            ended = self._ended or ConnectionEnded(CloseCode.GOING_AWAY, "this side is stopping", ours=True)
            if not self._goodbye:
                self.transport.abort()
            with trio.CancelScope(shield=True):  # bounded: aclose takes 1 s at most
                if ended.ours and ended.retry_after_s:
                    await self._say_bye(ended)
                await self.transport.aclose(ended.code if ended.ours else CloseCode.NORMAL, ended.words)
        return ended

    async def _say_bye(self, ended: ConnectionEnded) -> None:
        """Say when to come back, which a close code cannot. A peer that does not take it within 0.5 s is left without."""
        bye = Bye(ended.code, ended.words, int(ended.retry_after_s * 1000))
        with trio.move_on_after(_BYE_S), contextlib.suppress(TransportClosed):
            await self.transport.send(opening_message(bye))

    async def _attach_channels(self) -> None:
        """Give the reliable channels this connection. They log what that means for each."""
        theirs = self.theirs
        await self.peer.durable.attach(
            theirs.out,
            theirs.committed,
            self.generation,
            theirs=theirs.limits,
            ours=self.peer.limits,
            wake=self._wake_channel,
        )

    def _wake_channel(self, channel: str | None) -> None:
        (self._acks_handle if channel is None else self._channel_handles[channel]).wake()

    def _begin(self, nursery: trio.Nursery) -> None:
        """Attach the topics and the handlers, which outlive connections, to this one."""
        peer = self.peer
        self._responder = Responder(
            peer.handlers, nursery, self.scheduler, peer.limits, self.theirs.limits, self.send_command_lane,
            lambda: self.liveness.round_trips.smoothed_s / 2, peer.limiter,
        )  # fmt: skip
        self._topics.begin(self.theirs)
        self._streams.begin()

    # --- reader --------------------------------------------------------------------------------------------------

    def _take(self, message: bytes) -> float:
        """Act upon one message, whole; return how many seconds to wait before the next one is read."""
        now = trio.current_time()
        payload, counted = self._decompressor.unwrap(message)
        if counted:
            self._count(now, len(message))
        frames: Sequence[Frame] = decode_frames(payload)
        if self._tamper is not None and not (frames := self._tamper.incoming(frames)):
            return 0.0
        if self.heartbeat.received(now):
            self._topics.unsteady(now)
        for frame in frames:
            self._dispatch[type(frame)](frame)
        self.heartbeat.taken(now)
        return self.peer.limiter.on_bytes(len(payload), now)

    def _act_upon(self, frame: Frame) -> None:
        self._dispatch[type(frame)](frame)

    def _count(self, now: float, size: int) -> None:
        self.meter.counted(now, size)
        due_at = self.meter.due_at()
        if due_at is not None and due_at <= now:
            self._received_handle.wake()
        else:
            self._received_handle.ride()
            if due_at is not None and due_at < self._look_scope.deadline:
                self._look_scope.deadline = due_at

    def _pull_received(self, now: float, max_bytes: int) -> bytes | None:
        received = self.meter.take(now)
        return None if received is None else encode_frame(received)

    def _on_push(self, frame: Push) -> None:
        handler = self.peer.on_push.get(frame.method)
        if handler is None:
            self.send_control(Cancel(frame.id))
        else:
            self.requester.on_push(frame, handler)

    def _on_received(self, frame: Received) -> None:
        self.scheduler.on_received(trio.current_time(), frame.total, frame.hold_us)

    def _on_request(self, frame: Request) -> None:
        assert self._responder is not None
        self._responder.on_request(frame)

    def _on_credit(self, frame: Credit) -> None:
        assert self._responder is not None
        self._responder.on_credit(frame)

    def _on_cancel(self, frame: Cancel) -> None:
        assert self._responder is not None
        self._responder.on_cancel(frame)

    def _on_bye(self, frame: Bye | Refuse) -> None:
        self.end(frame.code, frame.words, ours=False, retry_after_s=frame.retry_after_ms / 1000)

    def _on_second_hello(self, frame: Frame) -> None:
        raise RemoteProtocolError("an opening frame after the opening")

    # --- writer --------------------------------------------------------------------------------------------------

    def _on_ready(self) -> None:
        self._ready.set()

    async def _write(self) -> None:
        await self.transport.wait_room()
        while True:
            # Cleared before the choice is made, so that what becomes ready behind it is not missed.
            self._ready.clear()
            now = trio.current_time()
            pick = self.scheduler.pick(now)
            if pick is None:
                look_at = self._look_again_at(now)
                if look_at != self._look_scope.deadline:
                    self._look_scope.deadline = look_at
                await self._ready.wait()
                continue  # nothing was written since there was room
            data = pick.data
            if self._tamper is not None and self._tamper.is_armed:
                data = b"".join(map(encode_frame, self._tamper.outgoing(decode_frames(data))))
                if not data:
                    continue
            message = self._compressor.wrap(data, counted=pick.counted, compress=pick.compress)
            self.scheduler.sent(now, len(message), pick.counted)
            self.heartbeat.writing(now, asks=pick.lanes != (Lane.CONTROL,))
            await self.transport.send(message)
            self.heartbeat.written()
            await self.transport.wait_room()

    def _look_again_at(self, now: float) -> float:
        """When something becomes due without anybody waking the writer."""
        look_at = math.inf
        for at in (self.scheduler.next_wake(now), self.meter.due_at()):
            # What is due already has been woken: if it did not go, it waits for something else than time.
            if at is not None and now < at < look_at:
                look_at = at
        for at in self._topics.wake_times(now):
            # A topic that is awake names no time. One that became due while something else was written was not woken.
            if at is not None and at < look_at:
                look_at = at
        return look_at

    async def _look(self) -> None:
        """Wake what has become due by time alone. A task of its own, so that the writer waits without a deadline."""
        while True:
            with trio.move_on_at(self._look_again_at(trio.current_time())) as self._look_scope:
                await trio.sleep_forever()
            self._wake_what_is_due()
            self._on_ready()

    def _wake_what_is_due(self) -> None:
        now = trio.current_time()
        due_at = self.meter.due_at()
        if due_at is not None and due_at <= now:
            self._received_handle.wake()
        self._topics.tick(now)
