"""A run with everything in it that could differ from process to process; prints its fingerprint.

Run as a program, by the test of determinism: `python -m tests.chaos.simnet.one_run SEED`.
"""

import contextlib
import os
import random
import sys
import time
import uuid

import trio
from trio_websocket import (
    ConnectionClosed,
    HandshakeError,
    WebSocketRequest,
    open_websocket_url,
    serve_websocket,
)

from chaos.simnet import Program, World, random_faults, run_world

BROKEN = (OSError, trio.BrokenResourceError, HandshakeError, ConnectionClosed)


async def hub(world: World) -> None:
    """Answer every message with its time and what is drawn at random."""

    async def answer(request: WebSocketRequest) -> None:
        socket = await request.accept()
        with contextlib.suppress(*BROKEN):
            while True:
                message = await socket.get_message()
                noise = f"{message!r} {uuid.uuid4()} {random.random()} {time.time()} {time.monotonic()}"
                await socket.send_message(noise)
                world.sometimes("answered")

    await serve_websocket(answer, None, 8443, None)


async def edge(name: str) -> None:
    """Talk to the hub, again and again."""
    while True:
        with contextlib.suppress(*BROKEN), trio.move_on_after(30):
            async with open_websocket_url("ws://hub:8443/link", disconnect_timeout=5) as socket:
                for number in range(10):
                    await socket.send_message(f"{name} {number}")
                    await socket.get_message()
                    await socket.ping()
                    await trio.sleep(1)
        await trio.sleep(random.random())


async def main(world: World) -> None:
    """Three minutes of a hub and five edges, with faults."""
    names = [f"edge{number}" for number in range(5)]
    program = Program(world.net, "hub", lambda: hub(world))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(program.run)
        for name in names:
            with world.net.host(name):
                nursery.start_soon(edge, name)
            world.net.link(name, "hub").set(jitter_s=0.01, loss=0.02, split=0.1, rate_bytes_s=50_000)
        with trio.move_on_after(180):
            pairs = [(name, "hub") for name in names]
            await random_faults(
                world.net,
                pairs,
                rate_per_hour=200,
                programs=[program],
                kills_per_hour=60,
                on_fault=lambda struck: world.sometimes(struck.name),
            )
        nursery.cancel_scope.cancel()


def fingerprint(seed: int) -> str:
    """Run it and return its fingerprint."""
    return run_world(seed, main, must_happen=["answered"]).fingerprint


if __name__ == "__main__":
    if os.environ.get("WITH_HYPOTHESIS"):
        __import__("hypothesis")
    print(fingerprint(int(sys.argv[1])))
