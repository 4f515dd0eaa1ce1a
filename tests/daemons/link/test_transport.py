"""What ends a connection leaves the transport as one exception that its caller knows, whatever else happens meanwhile."""

import pytest
import trio
from trio.testing import MemoryReceiveStream, MemorySendStream, MockClock, memory_stream_pair

from daemons.link.transport import TransportClosed, client_transport

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
