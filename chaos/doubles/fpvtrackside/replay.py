"""A recorded event as it came to be: its races start, gain laps and end in the recorded order and rhythm.

At the end every file is byte for byte the recorded one. On the way a Race.json is the recorded row with the
laps and detections of later left out. What cannot be read that way (another version's shape, a torn file) is
there as recorded from the start.
"""

import json
from collections.abc import Iterator
from typing import Any

import attrs
import trio

from .clock import NO_TIME, parse_local
from .notify import Notifier
from .recorded import latest_event
from .server import FPVTrackside
from .shapes import Row, dump
from .tree import EventTree

__all__ = ["Replay", "Step"]

FIRST_S = 2.0  # from the opening of the event to the first race


@attrs.frozen
class Step:
    """A write that the recording implies, at a moment of its own time."""

    at_s: float
    race: str
    path: str
    body: bytes
    occasion: str  # "start", "lap", "end" or "result"
    hint: str | None  # the notification that goes with it


class Replay:
    """Play a recording on a double, `speed` times as fast; no pause is longer than `gap_max_s` of real time.

    The double's own tree should be empty; `recorded` is not changed. `event_id` is by default the one opened
    last.
    """

    def __init__(
        self,
        double: FPVTrackside,
        recorded: EventTree,
        speed: float = 1.0,
        *,
        event_id: str | None = None,
        gap_max_s: float = 8.0,
        notifier: Notifier | None = None,
    ) -> None:
        if speed <= 0:
            raise ValueError("speed must be above 0")
        self._double = double
        self._recorded = recorded
        self._speed = speed
        self._event_id = latest_event(recorded) if event_id is None else event_id
        self._gap_max_s = gap_max_s
        self._notifier = notifier

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open the event and play it; returns when every file is as recorded. Starts when it is open."""
        steps = self._unroll()
        self._double.open_event(self._event_id)
        task_status.started()
        await trio.sleep(FIRST_S / self._speed)
        for number, step in enumerate(steps):
            if number:
                pause_s = (step.at_s - steps[number - 1].at_s) / self._speed
                await trio.sleep(min(max(pause_s, 0.0), self._gap_max_s))
            await self._play(step)

    def _unroll(self) -> list[Step]:
        """Fill the tree with the state before the first race, and return what is to come, in order."""
        steps: list[Step] = []
        prefix = f"events/{self._event_id}/"
        for path in self._recorded.paths():
            body = self._recorded.read(path) or b""
            race_steps = list(_steps(path, body, self._recorded)) if path.startswith(prefix) else []
            steps += race_steps
            if not race_steps:
                self._double.tree.add_missing([(path, body)])
        for step in steps:
            if step.occasion == "start":
                self._double.tree.add_missing([(step.path, _pending(step.body))])
            elif step.occasion == "result":
                self._double.tree.remove(step.path)
        return sorted(steps, key=lambda step: step.at_s)

    async def _play(self, step: Step) -> None:
        double = self._double
        if step.occasion == "start":
            double.current_race = double.live_race = step.race
        torn_s = double.quirks.torn_write_s
        await double.tree.write(step.path, step.body, torn_s=torn_s, occasion=step.occasion)
        if step.occasion == "end":
            double.current_race = double.live_race = None
        if self._notifier is not None and step.hint is not None:
            self._notifier.notify_nowait(step.hint)


def _steps(path: str, body: bytes, recorded: EventTree) -> Iterator[Step]:
    """Yield the writes that led to a recorded Race.json, and to the Result.json beside it.

    None for other files, and for races that were never started.
    """
    if not path.endswith("/Race.json"):
        return
    race = path.split("/")[-2]
    try:
        row: Row = json.loads(body.decode("utf-8-sig"))[0]
        start_s = parse_local(row["Start"])
        end_s = parse_local(row["End"])
        laps = [(_time(lap["EndTime"]), lap) for lap in row["Laps"]]
        detections = [(_time(detection["Time"]), detection) for detection in row["Detections"]]
    except (ValueError, LookupError, TypeError):
        return
    if start_s is None:
        return

    def at(moment_s: float) -> bytes:
        seen: dict[str, Any] = {
            "Laps": [lap for at_s, lap in laps if at_s <= moment_s],
            "Detections": [detection for at_s, detection in detections if at_s <= moment_s],
            "End": NO_TIME,
        }
        return dump([{**row, **seen}])

    yield Step(start_s, race, path, at(start_s), "start", "RaceStart")
    lap_times = sorted({at_s for at_s, _ in laps if at_s > start_s and (end_s is None or at_s < end_s)})
    for lap_s in lap_times:
        yield Step(lap_s, race, path, at(lap_s), "lap", "DetectionExt")
    last_s = end_s if end_s is not None else max([start_s, *lap_times])
    yield Step(last_s, race, path, body, "end" if end_s is not None else "lap", "RaceEnd")
    result_path = path.removesuffix("Race.json") + "Result.json"
    result = recorded.read(result_path)
    if result is not None:
        yield Step(last_s, race, result_path, result, "result", "RaceResult")


def _pending(started: bytes) -> bytes:
    """Return a Race.json as it was before its start."""
    row = json.loads(started)[0]
    return dump([{**row, "Laps": [], "Detections": [], "Start": NO_TIME, "End": NO_TIME}])


def _time(text: str) -> float:
    seconds = parse_local(text)
    if seconds is None:
        raise ValueError("a lap without a time")
    return seconds
