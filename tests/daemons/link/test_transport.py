"""The WebSocket, over memory streams; the far end is wsproto alone.

What ends a connection leaves the transport as one exception that its caller knows, whatever else happens meanwhile.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import trio
import trio.testing
import wsproto
from trio.testing import MemoryReceiveStream, MemorySendStream, MockClock, memory_stream_pair
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

from daemons.link.transport import (
    SUBPROTOCOL,
    SharedStream,
    TransportClosed,
    UpgradeRefused,
    WebSocketTransport,
    client_transport,
)
from protocol.errors import RemoteProtocolError

GONE = (TransportClosed, trio.BrokenResourceError)
Duplex = trio.StapledStream[MemorySendStream, MemoryReceiveStream]


async def upgrade(stream: trio.abc.Stream) -> None:
    async with client_transport(stream, "hub", "/control", []):
        raise AssertionError("nobody has answered")


async def test_a_far_end_that_says_nothing_more_in_the_handshake(autojump_clock: MockClock) -> None:
    ours, theirs = memory_stream_pair()
    await theirs.send_eof()
    with pytest.raises(TransportClosed):
        await upgrade(ours)


async def test_a_far_end_that_is_gone_before_the_handshake(autojump_clock: MockClock) -> None:
    ours, theirs = memory_stream_pair()
    await theirs.aclose()
    with pytest.raises(GONE):
        await upgrade(ours)


async def test_a_deadline_that_passes_while_it_ends(autojump_clock: MockClock) -> None:
    ours, theirs = memory_stream_pair()
    await theirs.send_eof()
    with trio.CancelScope() as scope:
        with pytest.raises(TransportClosed):
            await upgrade(_Observed(ours, scope))
    assert scope.cancel_called


class FarEnd:
    """The other end of a stream, in wsproto's words."""

    def __init__(self, stream: Duplex, *, client: bool) -> None:
        kind = wsproto.ConnectionType.CLIENT if client else wsproto.ConnectionType.SERVER
        self.stream = stream
        self.ws = wsproto.WSConnection(kind)

    async def say(self, *events: Event) -> None:
        """Send all of it at once."""
        await self.stream.send_all(b"".join(self.ws.send(event) for event in events))

    async def hear(self) -> Event:
        """Return the next event; None at the end."""
        while True:
            for event in self.ws.events():
                return event
            data = await self.stream.receive_some(65536)
            if not data:
                raise EOFError
            self.ws.receive_data(bytes(data))


@asynccontextmanager
async def hub_and(
    answer: Callable[[], list[Event]] = lambda: [AcceptConnection(subprotocol=SUBPROTOCOL)],
) -> AsyncIterator[tuple[WebSocketTransport, FarEnd]]:
    """Hold a transport of ours, and the far end that answered its upgrade."""
    ours, theirs = memory_stream_pair()
    far = FarEnd(theirs, client=False)

    async def serve() -> None:
        assert isinstance(await far.hear(), Request)
        await far.say(*answer())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with client_transport(ours, "hub", "/control", []) as transport:
            yield transport, far


async def test_messages_both_ways_and_one_right_behind_the_answer(autojump_clock: MockClock) -> None:
    accepted: list[Event] = [AcceptConnection(subprotocol=SUBPROTOCOL), BytesMessage(data=b"early")]
    async with hub_and(lambda: accepted) as (transport, far):
        assert await transport.receive() == b"early"
        await transport.send(b"up")
        assert await far.hear() == BytesMessage(data=b"up")
        await far.say(
            BytesMessage(data=b"in ", message_finished=False),
            BytesMessage(data=b"pieces"),
            BytesMessage(data=b"whole"),
        )
        assert [await transport.receive(), await transport.receive()] == [b"in pieces", b"whole"]
        assert (transport.messages_in, transport.messages_out) == (3, 1)


async def test_pings_are_answered(autojump_clock: MockClock) -> None:
    async with hub_and() as (transport, far):
        await far.say(Ping(payload=b"1"), BytesMessage(data=b"x"))
        assert await transport.receive() == b"x"
        assert await far.hear() == Pong(payload=b"1")


async def test_who_waits_for_room_keeps_nobody_from_sending_and_none_sends_twice(
    autojump_clock: MockClock,
) -> None:
    inner = _Narrow()
    shared = SharedStream(inner)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shared.wait_send_all_might_not_block)
        await trio.testing.wait_all_tasks_blocked()
        for data in (b"first", b"given up", b"second"):
            scope = trio.CancelScope()

            async def send(data: bytes = data, scope: trio.CancelScope = scope) -> None:
                with scope:
                    await shared.send_all(data)

            nursery.start_soon(send)
            await trio.testing.wait_all_tasks_blocked()
            if data == b"given up":
                scope.cancel()
        assert inner.sent == []
        inner.room.set()
    assert inner.sent == [b"first", b"second"]
    await shared.send_all(b"third")
    assert inner.sent == [b"first", b"second", b"third"]


async def test_a_close_is_answered_and_says_why(autojump_clock: MockClock) -> None:
    async with hub_and() as (transport, far):
        await far.say(BytesMessage(data=b"last"), CloseConnection(code=4007, reason="stopping"))
        assert await transport.receive() == b"last"
        for act in (transport.receive, lambda: transport.send(b"too late")):
            with pytest.raises(TransportClosed, match="4007 stopping") as caught:
                await act()
            assert (caught.value.code, caught.value.words) == (4007, "stopping")
        answer = await far.hear()
        assert isinstance(answer, CloseConnection) and answer.code == 4007


async def test_goodbye_waits_for_the_answer_a_second_at_most(autojump_clock: MockClock) -> None:
    for answers in (True, False):
        async with hub_and() as (transport, far), trio.open_nursery() as nursery:

            async def answer(answers: bool = answers, far: FarEnd = far) -> None:
                await far.say(BytesMessage(data=b"unread"))
                goodbye = await far.hear()
                assert isinstance(goodbye, CloseConnection)
                assert (goodbye.code, goodbye.reason) == (4001, "superseded")
                if answers:
                    await trio.sleep(0.3)
                    await far.say(goodbye.response())

            began = trio.current_time()
            nursery.start_soon(answer)
            await transport.aclose(4001, "superseded")
            assert trio.current_time() - began == pytest.approx(0.3 if answers else 1.0)


async def test_a_text_message_breaks_the_rules(autojump_clock: MockClock) -> None:
    async with hub_and() as (transport, far):
        await far.say(BytesMessage(data=b"good"), TextMessage(data="hello"))
        assert await transport.receive() == b"good"
        with pytest.raises(RemoteProtocolError, match="binary only"):
            await transport.receive()


async def test_messages_are_taken_in_order_those_that_came_before_too(autojump_clock: MockClock) -> None:
    accepted: list[Event] = [AcceptConnection(subprotocol=SUBPROTOCOL), BytesMessage(data=b"0")]
    async with hub_and(lambda: accepted) as (transport, far), trio.open_nursery() as nursery:
        await far.say(*(BytesMessage(data=b"%d" % number) for number in range(1, 5)))
        await trio.testing.wait_all_tasks_blocked()
        taken: list[tuple[bytes, float]] = []

        def take(message: bytes) -> float:
            taken.append((message, trio.current_time()))
            return 1.0 if message == b"9" else 0.0

        nursery.start_soon(transport.receive_each, take)
        await far.say(*(BytesMessage(data=b"%d" % number) for number in range(5, 100)))
        await trio.sleep(2)
        assert [message for message, _ in taken] == [b"%d" % number for number in range(100)]
        assert [later[1] - sooner[1] for sooner, later in pairwise(taken)] == [0.0] * 9 + [1.0] + [0.0] * 89
        assert transport.messages_in == 100
        nursery.cancel_scope.cancel()


async def test_what_taking_a_message_raises_ends_the_taking_and_not_the_transport(
    autojump_clock: MockClock,
) -> None:
    taken: list[bytes] = []

    def take(message: bytes) -> float:
        taken.append(message)
        if message == b"bad":
            raise RemoteProtocolError("a bad one")
        return 0.0

    for bad in (BytesMessage(data=b"bad"), TextMessage(data="hello")):
        async with hub_and() as (transport, far), trio.open_nursery() as nursery:
            nursery.start_soon(far.say, BytesMessage(data=b"good"), bad, BytesMessage(data=b"behind"))
            with pytest.raises(RemoteProtocolError, match=r"a bad one|binary only"):
                await transport.receive_each(take)
            nursery.start_soon(transport.aclose, 4000, "why")
            goodbye = await far.hear()
            assert isinstance(goodbye, CloseConnection)
            assert (goodbye.code, goodbye.reason) == (4000, "why")
            await far.say(goodbye.response())
    assert taken == [b"good", b"bad", b"good"]


async def test_a_message_too_large_ends_the_connection(autojump_clock: MockClock) -> None:
    async with hub_and() as (transport, far), trio.open_nursery() as nursery:
        nursery.start_soon(far.say, BytesMessage(data=bytes(1 << 18)))
        with pytest.raises(TransportClosed, match="1009"):
            await transport.receive()
        goodbye = await far.hear()
        assert isinstance(goodbye, CloseConnection) and goodbye.code == 1009


async def test_a_refusal_has_its_status_its_headers_and_its_words(autojump_clock: MockClock) -> None:
    refusal: list[Event] = [
        RejectConnection(status_code=401, headers=[(b"WWW-Authenticate", b"Pitlink nonce=x")], has_body=True),
        RejectData(data=b"who ", body_finished=False),
        RejectData(data=b"are you?"),
    ]
    with pytest.RaisesGroup(UpgradeRefused) as caught:
        async with hub_and(lambda: refusal):
            raise AssertionError("it was refused")
    refused = caught.value.exceptions[0]
    assert isinstance(refused, UpgradeRefused)
    assert (refused.status, refused.body) == (401, b"who are you?")
    assert refused.header(b"www-authenticate") == "Pitlink nonce=x"


async def test_what_answers_must_speak_pitlink(autojump_clock: MockClock) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(TransportClosed, match="does not speak pitlink")):
        async with hub_and(lambda: [AcceptConnection()]):
            raise AssertionError("it does not")


class _Narrow(trio.abc.Stream):
    """A stream without room until `room` is set, that bears one task at a time, as Trio's do."""

    def __init__(self) -> None:
        self.room = trio.Event()
        self.sent: list[bytes] = []
        self._busy = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.wait_send_all_might_not_block()
        self.sent.append(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        if self._busy:
            raise trio.BusyResourceError
        self._busy = True
        await self.room.wait()
        self._busy = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError


class _Observed(trio.abc.Stream):
    """A stream whose closing cancels `scope`: that is the moment between what went wrong and its being told."""

    def __init__(self, inner: Duplex, scope: trio.CancelScope) -> None:
        self._inner = inner
        self._scope = scope

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        self._scope.cancel()
        await self._inner.aclose()
