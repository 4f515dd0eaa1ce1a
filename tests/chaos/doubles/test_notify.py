"""Notifications: in order, numbered, each tried once within 1.5 s, and no harm done by an absent receiver."""

import json
from typing import Any

import h11
import pytest
import trio
from trio.testing import MockClock

from chaos.doubles.fpvtrackside import EventTree, FPVTrackside, Notifier, Quirks, RaceControl
from chaos.doubles.fpvtrackside.notify import QUEUE_MAX


class Receiver:
    """Take PUTs on a port of its own. `status` 0 means: never answer."""

    def __init__(self, status: int = 200, keep_alive: bool = True) -> None:
        self.status = status
        self.keep_alive = keep_alive
        self.events: list[Any] = []
        self.connections = 0
        self.came = trio.Event()

    async def serve(self, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        task_status.started(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(self._connection, listeners)

    async def _connection(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        parser = h11.Connection(h11.SERVER)
        body = b""
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                parser.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.Request):
                assert event.method == b"PUT"
            elif isinstance(event, h11.EndOfMessage):
                self.events.append(json.loads(body))
                self.came.set()
                self.came = trio.Event()
                body = b""
                if not self.status:
                    await trio.sleep_forever()
                await stream.send_all(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % self.status)
                if not self.keep_alive:
                    return
                parser.send(h11.Response(status_code=self.status, headers=[("Content-Length", "0")]))
                parser.send(h11.EndOfMessage())
                parser.start_next_cycle()
            else:
                return

    async def until(self, count: int) -> None:
        """Wait for that many events."""
        with trio.fail_after(30):
            while len(self.events) < count:
                await self.came.wait()


def _notifier(port: int) -> Notifier:
    return Notifier(f"http://127.0.0.1:{port}/hints", lambda: 1_777_593_600.25)


async def test_race_is_told_in_order() -> None:
    receiver = Receiver()
    async with trio.open_nursery() as nursery:
        notifier = _notifier(await nursery.start(receiver.serve))
        await nursery.start(notifier.run)
        await receiver.until(1)
        control = RaceControl(FPVTrackside(EventTree(), Quirks(torn_write_s=0)), notifier=notifier)
        await control.open_event(pilots=2)
        race = await control.add_race(await control.add_round(), [row["ID"] for row in control.pilots])
        await control.start_race(race)
        await control.add_lap(race, race.pilots[1])
        await control.end_race(race)
        await receiver.until(8)
        nursery.cancel_scope.cancel()
    assert [event["type"] for event in receiver.events] == [
        "Hello",
        "RaceLoaded",
        "RacePreStart",
        "RaceStart",
        "DetectionExt",
        "RaceResult",
        "RaceResult",
        "RaceEnd",
    ]
    assert [event["seq"] for event in receiver.events] == list(range(1, 9))
    assert receiver.events[0]["ts"] == "2026-05-01T00:00:00.250Z"
    detection = receiver.events[4]
    assert (detection["pilotName"], detection["isLapEnd"], detection["round"]) == ("Zoë", True, 1)
    assert receiver.events[5]["pilots"] == []
    assert len(receiver.events[6]["pilots"]) == 2
    assert notifier.delivered == 7
    assert receiver.connections == 2


async def test_hint_before_the_write_when_switched(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = EventTree()
    notifier = _notifier(1)
    control = RaceControl(FPVTrackside(tree, Quirks(hint_lead_s=0.01)), notifier=notifier)
    await control.open_event(pilots=2)
    race = await control.add_race(await control.add_round(), [control.pilots[0]["ID"]])
    writes_seen: list[tuple[str, int]] = []

    def note(kind: str, fields: Any = None) -> None:
        writes_seen.append((kind, len(tree.writes)))

    monkeypatch.setattr(notifier, "notify_nowait", note)
    before = len(tree.writes)
    await control.start_race(race)
    assert writes_seen[-1] == ("RaceStart", before)
    assert len(tree.writes) == before + 1


async def test_silent_receiver_costs_1500_ms_an_event_and_no_second_try(autojump_clock: MockClock) -> None:
    receiver = Receiver(status=0)
    async with trio.open_nursery() as nursery:
        notifier = _notifier(await nursery.start(receiver.serve))
        notifier.notify_nowait("RaceStart")
        notifier.notify_nowait("RaceEnd")
        began = trio.current_time()
        await nursery.start(notifier.run)
        await receiver.until(3)
        assert trio.current_time() - began == pytest.approx(1.5)
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    kinds = [event["type"] for event in receiver.events]
    assert (kinds.count("RaceStart"), kinds.count("RaceEnd")) == (1, 1)
    assert kinds.count("Hello") >= 3
    assert (notifier.delivered, notifier.failed) == (0, 2)


async def test_nobody_listens_and_then_somebody_does(autojump_clock: MockClock) -> None:
    receiver = Receiver()
    with trio.socket.socket() as unused:
        await unused.bind(("127.0.0.1", 0))
        async with trio.open_nursery() as nursery:
            notifier = _notifier(unused.getsockname()[1])
            nursery.start_soon(notifier.run)
            notifier.notify_nowait("RaceStart")
            await trio.sleep(5)
            assert notifier.failed == 1
            nursery.cancel_scope.cancel()
    assert receiver.events == []


async def test_closed_connection_is_replaced() -> None:
    receiver = Receiver(keep_alive=False)
    async with trio.open_nursery() as nursery:
        notifier = _notifier(await nursery.start(receiver.serve))
        await nursery.start(notifier.run)
        for count in range(1, 4):
            notifier.notify_nowait("RaceStart")
            await receiver.until(count + 1)
        nursery.cancel_scope.cancel()
    assert notifier.failed == 0


def test_full_queue_drops_the_newest() -> None:
    notifier = _notifier(1)
    for _ in range(QUEUE_MAX + 3):
        notifier.notify_nowait("RaceStart")
    assert notifier.dropped == 3


def test_url_must_be_plain_http() -> None:
    with pytest.raises(ValueError, match="http://host"):
        Notifier("https://example.com/", lambda: 0.0)
