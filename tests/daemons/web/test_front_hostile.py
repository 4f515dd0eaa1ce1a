"""Whatever bytes a client sends: an answer or an end, never a failure of ours, and never without bound."""

import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.web.front import Front, FrontConfig
from tests.daemons.web.fronts import make_site, starlette_app

PIECES = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n",
        b"POST /ignore HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HEAD /stream HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /stream HTTP/1.0\r\n\r\n",
        b"GET /%00%ff/..%2f?%zz HTTP/1.1\r\nhost: x\r\n",
        b"connection: close\r\n",
        b"expect: 100-continue\r\n",
        b"content-length: -1\r\n",
        b"content-length: 99999999999999999999\r\n",
        b"upgrade: websocket\r\nconnection: upgrade\r\n",
        b"transfer-encoding: gzip, chunked\r\n",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"ffffffffffffffffff\r\n",
        b"\r\n",
        b"\r",
        b"\x16\x03\x01\x02\x00\x01",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
)
INPUT = st.lists(st.one_of(PIECES, PIECES, st.binary(max_size=40)), max_size=8)


@given(INPUT)
@settings(max_examples=150)
def test_any_bytes(chunks: list[bytes]) -> None:
    async def main() -> None:
        front = Front(
            make_site(starlette_app(), config=FrontConfig(header_bytes_max=1024, body_bytes_max=1000))
        )
        ours, theirs = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(front.handle, theirs)
            try:
                for chunk in chunks:
                    await ours.send_all(chunk)
                    await trio.testing.wait_all_tasks_blocked()
                await ours.send_eof()
            except trio.BrokenResourceError:
                pass  # refused before the end
            answered = b""
            with trio.fail_after(200):  # every wait of the front ends before
                while data := await ours.receive_some():
                    answered += data
        assert answered == b"" or answered.startswith((b"HTTP/1.1 ", b"HTTP/1.0 "))
        assert (front.statistics.failures, front.statistics.open) == (0, 0)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
