"""The front's clocks: every wait ends, whatever the client does. In memory, under a clock that jumps."""

from typing import Any

import pytest
import trio
import trio.testing

from daemons.web.front import Front, FrontConfig
from tests.conftest import ErrorLogs
from tests.daemons.web.fronts import Client, Events, in_memory, make_site, starlette_app

EVENT_STREAM = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream")],
}


async def test_a_silent_first_connection_is_closed(autojump_clock: trio.testing.MockClock) -> None:
    async with in_memory(starlette_app(), config=FrontConfig(header_timeout_s=7)) as (_, connect):
        start = trio.current_time()
        assert await connect().at_end()
        assert trio.current_time() - start == 7


async def test_a_head_that_drips_is_late_however_it_drips(autojump_clock: trio.testing.MockClock) -> None:
    config = FrontConfig(header_timeout_s=10, idle_timeout_s=60, linger_s=0.1)
    async with in_memory(starlette_app(), config=config) as (front, connect):
        client = connect()
        assert (await client.get("/"))[0] == 200
        await trio.sleep(50)  # idle is another clock
        start = trio.current_time()
        await client.send(b"GET / HTTP/1.1\r\nhost: x\r\n")
        async with trio.open_nursery() as nursery:

            async def drip() -> None:
                try:
                    while True:
                        await client.send(b"a: b\r\n")
                        await trio.sleep(1)
                except trio.BrokenResourceError:
                    pass

            nursery.start_soon(drip)
            assert (await client.response())[0] == 408
            assert trio.current_time() - start == pytest.approx(10)
            assert await client.at_end()
        assert front.statistics.open == 0


async def test_an_idle_connection_is_closed_without_words(autojump_clock: trio.testing.MockClock) -> None:
    async with in_memory(starlette_app(), config=FrontConfig(idle_timeout_s=60)) as (_, connect):
        client = connect()
        assert (await client.get("/"))[0] == 200
        start = trio.current_time()
        assert await client.at_end()
        assert trio.current_time() - start == 60


async def test_a_body_may_be_slow_but_not_silent(autojump_clock: trio.testing.MockClock) -> None:
    async with in_memory(starlette_app(), config=FrontConfig(body_timeout_s=5, linger_s=0.1)) as (
        front,
        connect,
    ):
        client = connect()
        await client.send(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\n")
        for _ in range(6):
            await trio.sleep(4)
            await client.send(b"a")
        assert (await client.response())[2] == b"aaaaaa"
        await client.send(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\naaa")
        assert (await client.response())[0] == 408
        assert await client.at_end()
        assert front.statistics.failures == 0  # the client's fault is nobody's ERROR


async def test_a_body_that_drips_has_an_end(autojump_clock: trio.testing.MockClock) -> None:
    config = FrontConfig(body_timeout_s=20, body_allowance_s=60, linger_s=0.1)
    async with in_memory(starlette_app(), config=config) as (_, connect):
        client = connect()
        start = trio.current_time()
        await client.send(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
        async with trio.open_nursery() as nursery:

            async def drip() -> None:
                try:
                    while True:
                        await client.send(b"x")
                        await trio.sleep(15)
                except trio.BrokenResourceError:
                    pass

            nursery.start_soon(drip)
            assert (await client.response())[0] == 408
            assert 60 <= trio.current_time() - start < 61
            assert await client.at_end()


async def test_a_long_body_over_a_slow_line_gets_there(autojump_clock: trio.testing.MockClock) -> None:
    config = FrontConfig(body_timeout_s=20, body_allowance_s=60, body_bytes_max=10**6)
    async with in_memory(starlette_app(), config=config) as (_, connect):
        client = connect()
        await client.send(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n")
        for _ in range(90):
            await trio.sleep(2)
            await client.send(b"x" * 10_000)
        assert len((await client.response())[2]) == 900_000


async def test_a_client_that_leaves_inside_its_body_is_no_error() -> None:
    async with in_memory(starlette_app()) as (front, connect):
        client = connect()
        await client.send(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\naaa")
        await client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert (front.statistics.open, front.statistics.failures) == (0, 0)


class Stalled(trio.abc.Stream):
    """A client that sent one request and never reads: writes to it block for ever."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.writing = trio.Event()
        self.closed = trio.Event()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self.request:
            data, self.request = self.request, b""
            return data
        await trio.sleep_forever()
        raise AssertionError

    async def send_all(self, data: Any) -> None:
        self.writing.set()
        await trio.sleep_forever()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.sleep_forever()

    async def aclose(self) -> None:
        self.closed.set()


async def test_a_reader_that_stalls_is_given_up_and_send_raises_oserror(
    autojump_clock: trio.testing.MockClock,
) -> None:
    raised: list[BaseException] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send(EVENT_STREAM)
        except BaseException as exc:
            raised.append(exc)
            raise

    front = Front(make_site(app, config=FrontConfig(write_timeout_s=20)))
    stream = Stalled(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    start = trio.current_time()
    await front.handle(stream)
    assert trio.current_time() - start == 20
    assert isinstance(raised[0], OSError)
    assert stream.closed.is_set()
    assert (front.statistics.write_timeouts, front.statistics.failures, front.statistics.open) == (1, 0, 0)


async def test_events_reach_the_client_and_its_leaving_reaches_the_handler() -> None:
    app = Events()
    async with in_memory(app) as (front, connect):
        client = connect()
        await client.send(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked()
        assert b"text/event-stream" in await client.stream.receive_some()  # before any event
        for number in range(2):
            await app.send_event.send(b"data: %d\n\n" % number)
            assert b"data: %d\n\n" % number in await client.stream.receive_some()
        await client.stream.aclose()
        await app.ended.wait()
        assert app.left.is_set()
        await trio.testing.wait_all_tasks_blocked()
        assert (front.statistics.open, front.statistics.failures) == (0, 0)


async def test_what_a_client_pipelines_behind_a_stream_is_kept() -> None:
    app = Events()
    async with in_memory(app) as (_, connect):
        client = connect()
        await client.send(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked()
        await client.send(b"GET /events HTTP/1.1\r\nhost: y\r\n\r\n")  # read by the watcher of the first
        await trio.testing.wait_all_tasks_blocked()
        assert not app.left.is_set()
        await app.send_event.send(b"one")
        await app.send_event.aclose()
        status, _, body = await client.response()
        assert (status, body) == (200, b"one")
        assert (await client.response())[:1] == (200,)


async def test_is_disconnected_polls_without_waiting() -> None:
    async with in_memory(starlette_app()) as (_, connect):
        client = connect()
        assert (await client.get("/disconnected"))[2] == b"False"
        assert (await client.get("/disconnected"))[2] == b"False"


async def test_a_client_that_floods_behind_a_stream_is_read_no_further() -> None:
    front = Front(make_site(Events(), config=FrontConfig(header_bytes_max=1024)))
    ours, theirs = trio.testing.lockstep_stream_pair()  # a send ends when it has been read
    taken = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(front.handle, theirs)
        await ours.send_all(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await ours.receive_some()

        async def flood() -> None:
            nonlocal taken
            while True:
                await ours.send_all(b"x" * 500)
                taken += 500

        nursery.start_soon(flood)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert 1024 <= taken <= 2048


# --- the end -----------------------------------------------------------------------------------------------


async def serve(front: Front, nursery: trio.Nursery, *streams: trio.abc.Stream) -> None:
    """Run `front` on a listener that gives out `streams` and then blocks."""

    left = list(streams)

    class Listener(trio.abc.Listener[Any]):
        async def accept(self) -> Any:
            await trio.lowlevel.checkpoint()
            return left.pop(0) if left else await trio.sleep_forever()

        async def aclose(self) -> None:
            await trio.lowlevel.checkpoint()

    await nursery.start(lambda task_status: front.run([Listener()], task_status=task_status))
    await trio.testing.wait_all_tasks_blocked()


async def test_draining_ends_idle_connections_now_and_busy_ones_behind_their_answer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    release = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await release.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    front = Front(make_site(app, config=FrontConfig(drain_s=5)))
    (idle, a), (busy, b), (fresh, c) = (trio.testing.memory_stream_pair() for _ in range(3))
    async with trio.open_nursery() as nursery:
        await serve(front, nursery, a, b, c)
        await busy.send_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET /never HTTP/1.1\r\nhost: x\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked()
        start = trio.current_time()
        nursery.start_soon(front.drain)
        assert await Client(idle).at_end()
        assert await Client(fresh).at_end()
        assert trio.current_time() == start
        await trio.sleep(2)
        release.set()
        client = Client(busy)
        status, headers, _ = await client.response()
        assert (status, headers["connection"]) == (200, "close")
        assert await client.at_end()
    assert trio.current_time() == start + 2


async def test_draining_is_bounded_whatever_clients_and_handlers_do(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def never(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/hang":
            await trio.sleep_forever()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 1_000_000})

    front = Front(make_site(never, config=FrontConfig(drain_s=3, write_timeout_s=1000)))
    streams = [Stalled(b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n" % path) for path in (b"/", b"/hang", b"/")]
    async with trio.open_nursery() as nursery:
        await serve(front, nursery, *streams)
        start = trio.current_time()
        await front.drain()
        assert trio.current_time() - start == 3
    assert all(stream.closed.is_set() for stream in streams)


async def test_draining_tells_a_stream_to_end(autojump_clock: trio.testing.MockClock) -> None:
    app = Events()
    front = Front(make_site(app, config=FrontConfig(drain_s=5)))
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        await serve(front, nursery, theirs)
        client = Client(ours)
        await client.send(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked()
        start = trio.current_time()
        await front.drain()
        assert trio.current_time() == start
        assert app.left.is_set()
        assert (await client.response())[0] == 200  # whole: the handler ended it


async def test_cancelling_closes_everything_at_once(autojump_clock: trio.testing.MockClock) -> None:
    front = Front(make_site(Events()))
    stream = Stalled(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        await serve(front, nursery, stream)
        nursery.cancel_scope.cancel()
    assert trio.current_time() == start
    assert stream.closed.is_set()


async def test_a_failure_beside_a_cancellation_does_not_reach_the_other_connections(
    error_logs: ErrorLogs, autojump_clock: trio.testing.MockClock
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                await trio.sleep_forever()
            finally:
                raise LookupError("in the handler's clean-up")

    front = Front(make_site(app, config=FrontConfig(drain_s=1)))
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        await serve(front, nursery, theirs)
        await ours.send_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked()
        await front.drain()
    error_logs.expect("request.failed")
