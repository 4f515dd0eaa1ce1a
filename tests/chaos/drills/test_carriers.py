"""What carries a drill's faults: a relay by its API, and several carriers as one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from chaos.carrier import CarrierError, NotCarried
from chaos.drills.joined import JoinedCarriers
from chaos.drills.relaycarrier import RelayCarrier
from chaos.drills.watch import read_labels, read_metric
from chaos.faults import CaptivePortal, DelayAcks, Latency, Placed, Silence, Stream
from chaos.proxy.board import Board, open_board
from chaos.proxy.http import serve_unix_api
from chaos.scenario import Deed
from daemons.ops.ask import Place
from tests.chaos.drills.fakes import FakeCarrier

KILL = Deed("kill", "hub")


@asynccontextmanager
async def relay(folder: Path) -> AsyncIterator[tuple[Board, RelayCarrier]]:
    async with open_board(seed="1") as board, trio.open_nursery() as nursery:
        await nursery.start(serve_unix_api, board, folder / "relay.sock")
        server = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        nursery.start_soon(trio.serve_listeners, _echo, [server])
        port = server.socket.getsockname()[1]
        await board.create("wan", "127.0.0.1:0", f"127.0.0.1:{port}")
        yield board, RelayCarrier(Place(folder / "relay.sock"), {"uplink": "wan"})
        nursery.cancel_scope.cancel()


async def _echo(stream: trio.SocketStream) -> None:
    async for piece in stream:
        await stream.send_all(piece)


async def dial(board: Board) -> trio.SocketStream:
    stream = await trio.open_tcp_stream("127.0.0.1", board.get("wan").port)
    await stream.send_all(b"x")
    return stream


async def test_a_relay_places_changes_counts_and_ends(tmp_path: Path) -> None:
    async with relay(tmp_path) as (board, carrier):
        await carrier.place("late", "uplink", Placed("x", Latency(0.01), Stream.UPSTREAM, 0.75), 20)
        (placed,) = board.get("wan").placed.values()
        assert placed == Placed("drill.late", Latency(0.01), Stream.UPSTREAM, 0.75)
        await carrier.place("late", "uplink", Placed("x", Latency(0.02), Stream.UPSTREAM), 20)
        (placed,) = board.get("wan").placed.values()
        assert placed.fault == Latency(0.02)
        assert await carrier.touched("late") == 0
        stream = await dial(board)
        assert await stream.receive_some() == b"x"
        assert await carrier.touched("late") == 1
        assert await carrier.left_over() == ["late on the relay's wan"]
        await carrier.remove("late")
        assert not board.get("wan").placed
        assert await carrier.touched("late") == 1  # also after its end
        await carrier.remove("late")
        await carrier.remove("never placed")
        await stream.aclose()


async def test_a_fault_at_the_door_meets_only_those_who_come(tmp_path: Path) -> None:
    async with relay(tmp_path) as (board, carrier):
        stream = await dial(board)
        assert await stream.receive_some() == b"x"
        await carrier.place("portal", "uplink", Placed("x", CaptivePortal()), 20)
        assert await carrier.touched("portal") == 0
        other = await dial(board)
        assert (await other.receive_some()).startswith(b"HTTP/1.1 200")
        assert await carrier.touched("portal") == 1
        await stream.aclose()
        await other.aclose()


async def test_leases_are_the_relays_and_another_heals_what_is_left(tmp_path: Path) -> None:
    async with relay(tmp_path) as (board, carrier):
        board.place("wan", Placed("own", Latency(0.001)))
        await carrier.place("cut", "uplink", Placed("x", Silence()), 0.2)
        for _ in range(3):
            await trio.sleep(0.1)
            await carrier.renew()
        assert "drill.cut" in board.get("wan").placed
        with trio.fail_after(5):
            while "drill.cut" in board.get("wan").placed:
                await trio.sleep(0.02)
        await carrier.remove("cut")  # its lease was faster
        await carrier.place("cut", "uplink", Placed("x", Silence()), 20)
        another = RelayCarrier(Place(tmp_path / "relay.sock"), {"uplink": "wan"})
        assert await another.left_over() == ["cut on the relay's wan"]
        await another.reset()
        await another.reset()
        assert list(board.get("wan").placed) == ["own"]


async def test_what_a_relay_cannot_carry_it_says(tmp_path: Path) -> None:
    async with relay(tmp_path) as (_, carrier):
        with pytest.raises(NotCarried, match="no origin, only uplink"):
            await carrier.place("a", "origin", Placed("x", Silence()), 20)
        with pytest.raises(NotCarried, match="does not carry delay_acks"):
            await carrier.place("a", "uplink", Placed("x", DelayAcks(0.1)), 20)
        with pytest.raises(NotCarried, match="kill is done to a machine"):
            await carrier.deed("a", KILL, 20)
        wrong = RelayCarrier(Place(tmp_path / "relay.sock"), {"uplink": "lan"})
        with pytest.raises(CarrierError, match="proxy not found"):
            await wrong.place("a", "uplink", Placed("x", Silence()), 20)
        gone = RelayCarrier(Place(tmp_path / "gone.sock"), {"uplink": "wan"})
        with pytest.raises(CarrierError, match="no daemon listens there"):
            await gone.left_over()


async def test_joined_each_step_goes_to_who_carries_it(tmp_path: Path) -> None:
    async with relay(tmp_path) as (board, carrier):
        other = FakeCarrier()
        other.refused = {"silence"}
        joined = JoinedCarriers([carrier, other])
        await joined.place("cut", "uplink", Placed("x", Silence()), 20)
        await joined.deed("kill", KILL, 20)
        assert (list(board.get("wan").placed), list(other.placed)) == (["drill.cut"], ["kill"])
        assert (await joined.touched("kill"), await joined.touched("nobody")) == (1, 0)
        assert await joined.left_over() == ["cut on the relay's wan", "kill"]
        with pytest.raises(NotCarried, match="no origin, only uplink; a: silence is not carried"):
            await joined.place("a", "origin", Placed("x", Silence()), 20)
        await joined.remove("kill")
        await joined.renew()
        await joined.reset()
        assert await joined.left_over() == []


def test_figures_are_read_of_prometheus_text() -> None:
    text = (
        "# HELP pitlink_a Words.\n# TYPE pitlink_a gauge\n"
        'pitlink_a{site="n",channel="event"} 3\npitlink_a{site="s",channel="event"} 4\n'
        'pitlink_a_more{site="n"} 100\npitlink_b 1.5\n'
    )
    assert read_metric(text, "pitlink_a") == 7
    assert read_metric(text, 'pitlink_a{site="n"}') == 3
    assert read_metric(text, 'pitlink_a{channel="event",site="s"}') == 4
    assert read_metric(text, 'pitlink_a{site="x"}') is None
    assert read_metric(text, "pitlink_b") == 1.5
    assert read_metric(text, "no such thing") is None
    assert read_labels(text, "pitlink_a") == {"site": "n", "channel": "event"}
    assert read_labels(text, "pitlink_none") == {}
