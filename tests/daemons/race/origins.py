"""What tests of the origin client share: it beside the stand-in, or before a raw server."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, Quirks
from daemons.race.origin import LocalOrigin, OriginLimits, OriginState
from protocol.errors import ErrorCode, RequestError

EVENT = "3a96b1b6-7b6b-43a8-b93e-d918f43607d2"
RACE = f"/events/{EVENT}/6e46456c-bdb1-4e4a-9c79-e69dea809e5e/Race.json"
RESULTS = f"/events/{EVENT}/Results.json"
UTC_S = 1_780_000_000.0
QUICK = OriginLimits(requests_in_10_s=5000, read_again_after_s=(0.01, 0.03))
CALM = Quirks(relisten_s=0.01)


def make_tree() -> EventTree:
    return EventTree(
        {
            f"events/{EVENT}/Event.json": b'[{"ID": "x"}]',
            RACE: b'[{"ID": "r", "Laps": []}]\r\n',
            "httpfiles/Channels.json": b"[]",
        }
    )


def opened(quirks: Quirks = CALM) -> FPVTrackside:
    """Return a stand-in with an event open."""
    double = FPVTrackside(make_tree(), quirks)
    double.open_event()
    return double


@asynccontextmanager
async def running(
    url: str,
    limits: OriginLimits | None = None,
    on_state: Callable[[str, str], None] | None = None,
    *,
    race_is_live: bool = True,
) -> AsyncIterator[LocalOrigin]:
    """Run an origin client against `url`."""
    origin = LocalOrigin(url, utc_now=lambda: UTC_S, limits=limits or OriginLimits(), on_state=on_state)
    origin.race_is_live = race_is_live
    async with trio.open_nursery() as nursery:
        await nursery.start(origin.run)
        yield origin
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def beside(
    double: FPVTrackside,
    limits: OriginLimits | None = None,
    on_state: Callable[[str, str], None] | None = None,
    *,
    url: str | None = None,
    aborts: int = 0,
    race_is_live: bool = True,
) -> AsyncIterator[LocalOrigin]:
    """Serve the stand-in and run an origin client against it; its manners are asserted at the end."""
    async with trio.open_nursery() as nursery:
        await nursery.start(double.serve)
        async with running(url or double.url, limits, on_state, race_is_live=race_is_live) as origin:
            yield origin
        nursery.cancel_scope.cancel()
    double.assert_well_mannered(aborts=aborts, in_10_s=40 if limits is not QUICK else None)


@asynccontextmanager
async def raw_server(handler: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncIterator[str]:
    """Serve each connection, its request head read, with `handler`; yields the URL."""

    async def serve(stream: trio.SocketStream) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            part = await stream.receive_some()
            if not part:
                return
            head += part
        try:
            await handler(stream)
        except trio.BrokenResourceError:
            pass

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        port = next(o.socket.getsockname()[1] for o in listeners)
        yield f"http://localhost:{port}"
        nursery.cancel_scope.cancel()


async def fails(origin: LocalOrigin, path: str, code: ErrorCode) -> str:
    """Fetch `path`, which must fail with `code`; return the words."""
    with pytest.raises(RequestError) as caught:
        await origin.fetch(path)
    assert caught.value.code is code, caught.value
    return caught.value.words


def state_of(origin: LocalOrigin) -> OriginState:
    """Return its state; a call, because a type checker takes a property for as good as constant."""
    return origin.state


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds that nobody announces, at most 5 s."""
    with trio.fail_after(5):
        while not condition():
            await trio.sleep(0.005)
