"""What the terminal is told of a driver: over the real admin socket into the terminal's own model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio
from attrs import evolve
from starlette.applications import Starlette

from daemons.ops.admin.follow import Told
from daemons.ops.admin.routes import admin_routes
from daemons.ops.client import ADMIN_SOCKET, AdminClient, AdminError
from daemons.telemetry.told import _Telling, driver_told, follow
from daemons.web.adminsocket import held_by_peer, open_admin_socket, serve_admin
from tests.daemons.ops.admin.office import open_office, sources
from tests.daemons.telemetry.web.fake import LAP_S, FakeLook
from tui.feed.carlook import CarLook
from tui.model import Model


def utc_now() -> float:
    return datetime.now(UTC).timestamp()


@asynccontextmanager
async def told_on_a_socket(look: FakeLook, folder: Path) -> AsyncIterator[AdminClient]:
    async with open_office(folder) as office, trio.open_nursery() as nursery:
        told = evolve(sources(office), follows={"telemetry": follow(lambda: look, utc_now)})
        app = Starlette(routes=admin_routes(office.desk, told, held_by_peer))
        front = await nursery.start(serve_admin, open_admin_socket(folder / ADMIN_SOCKET), app)
        yield AdminClient(folder / ADMIN_SOCKET)
        await front.drain()


async def until_told(look: FakeLook) -> None:
    with trio.fail_after(30):
        while not look.readers:
            await trio.sleep(0.01)


async def test_samples_cars_and_track_reach_the_terminals_model(tmp_path: Path) -> None:
    look, model = FakeLook(), Model()
    look.add("anna", sectors=(0.0, 0.33, 0.66))
    for _ in range(round(1.3 * LAP_S * 2)):  # a lap and a third, kept in the ring
        look.feed("anna", 30)
    model.measured("team", "telemetry", driver_told(look.state("anna"), utc_now()), 0.0)
    async with told_on_a_socket(look, tmp_path) as client, trio.open_nursery() as nursery:
        car = CarLook("team", model, trio.current_time)
        nursery.start_soon(car.run, client)
        assert not look.readers  # nobody looks: nothing is subscribed
        car.want(["anna", "somebody else"])
        await until_told(look)
        last = look.feed("anna", 6)
        view = model.services.telemetry["team", "anna"]
        with trio.fail_after(30):
            while view.samples.end <= last.last_tick or view.ours is None or None in view.ours.sectors:
                await trio.sleep(0.05)
                view = model.services.telemetry["team", "anna"]
                if view.samples.end > last.last_tick and (view.ours is None or None in view.ours.sectors):
                    last = look.feed(
                        "anna", 6
                    )  # cars are told twice a second at most: until then it drives on
        car.want([])
        with trio.fail_after(30):
            while look.readers:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    speed = last.columns["Speed"].values[-1]
    assert view.samples.newest("speed_kmh") == pytest.approx(speed * 3.6, abs=0.06)
    angle = last.columns["SteeringWheelAngle"].values[-1]
    assert view.samples.newest("steering_deg") == pytest.approx(-angle * 57.2958, abs=0.06)  # left: negative
    assert view.track is not None
    assert (len(view.track.points), view.track.sectors) == (200, (0.0, 0.33, 0.66))
    assert view.ours is not None
    assert view.ours.name == "Own Car"
    assert view.ours.sectors == pytest.approx((0.33 * LAP_S, 0.33 * LAP_S, 0.34 * LAP_S), abs=0.02)
    assert {car.name for car in view.cars} == {"Ann Ahead", "Bert Behind", "Own Car", "Dora Down"}
    assert view.fuel is not None
    assert view.fuel.laps == pytest.approx(25.0)
    assert view.tyres is not None
    assert view.tyres.wear == pytest.approx((0.97, 0.95, 0.98, 0.96))
    assert (view.lost, view.of) == (9, 3609)


async def test_a_driver_that_there_is_not_is_refused_in_words(tmp_path: Path) -> None:
    look = FakeLook()
    look.add("anna")
    async with told_on_a_socket(look, tmp_path) as client:
        for what, params, status in (
            ("telemetry", {"driver": "ben"}, 404),
            ("telemetry", {"driver": "anna", "back_s": "soon"}, 400),
            ("weather", {}, 404),
        ):
            with pytest.raises(AdminError) as refused:
                async with client.follow(what, **params):
                    pass
            assert refused.value.status == status


async def test_a_driver_who_is_put_out_ends_the_stream() -> None:
    look = FakeLook()
    look.add("anna")
    look.feed("anna")
    told = follow(lambda: look, utc_now)({"driver": "anna", "back_s": "5"})
    assert (await anext(told))["driver"] == "anna"
    del look.states["anna"]
    with pytest.raises(StopAsyncIteration):
        await anext(told)


def test_another_recording_has_nothing_of_the_one_before() -> None:
    look = FakeLook()
    look.add("anna", sectors=(0.0, 0.33, 0.66))
    telling = _Telling(look, "anna", utc_now)
    (*_, before) = telling.of(look.feed("anna", 6), 0.0)
    chunk = look.feed("anna", 6)
    speed_only = {"Speed": chunk.columns["Speed"]}
    (same,) = telling.of(evolve(chunk, columns=speed_only), 1.0)
    (other,) = telling.of(evolve(chunk, columns=speed_only, recording=b"s" * 16), 2.0)
    assert len(before["cars"]) == len(same["cars"]) == 4
    assert other["cars"] == []


def test_ticks_that_are_said_to_lie_ages_apart_are_not_drawn() -> None:
    look = FakeLook()
    look.add("anna")
    chunk = look.feed("anna", 3)
    apart = {"Speed": evolve(chunk.columns["Speed"], ticks=np.array([0, 1, 2**40]))}
    (*_, told) = _Telling(look, "anna", utc_now).of(evolve(chunk, columns=apart), 0.0)
    assert "samples" not in told


async def test_channels_of_another_shape_are_left_out() -> None:
    look = FakeLook()
    look.add("anna")
    chunk = look.feed("anna", 6)
    odd = dict(chunk.columns)
    odd["Speed"] = evolve(odd["Speed"], values=odd["Speed"].values[:, None])
    odd["CarIdxLap"] = evolve(odd["CarIdxLap"], values=odd["CarIdxLap"].values[:, 0])
    look.rings["anna"] = [evolve(chunk, columns=odd)]
    told = follow(lambda: look, utc_now)({"driver": "anna", "back_s": "5"})
    await anext(told)
    coming = [one async for one in _some(told, 2)]
    assert not any("samples" in one for one in coming)
    assert any("cars" in one for one in coming)
    await told.aclose()


async def _some(told: Told, count: int) -> AsyncIterator[Any]:
    for _ in range(count):
        yield await anext(told)
