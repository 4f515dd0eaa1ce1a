"""Sessions to record: a seeded one that is as long as is wanted, and how two models are compared."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
from attrs import define

from tests.tui.recorded import UTC, five_sites, recorded
from tui.model import Model
from tui.record import Recorder
from tui.record.detach import detached
from tui.record.keyframe import dump

__all__ = ["Clock", "record", "session", "state"]

BEGAN = 5000.0


@define
class Clock:
    """A clock that is set, of the model and of the wall."""

    now: float = BEGAN

    def __call__(self) -> float:
        return self.now

    def utc(self) -> float:
        return UTC + self.now - BEGAN


def state(model: Model) -> dict[str, Any]:
    """Return all that a model holds, but for its version."""
    (values,) = json.loads(dump(detached(model))).values()
    found = dict(zip((field.name for field in attrs.fields(Model)), values, strict=True))
    del found["version"]
    return found


def session(
    seconds: float, seed: int = 1, hz: float = 2.0
) -> Iterator[tuple[float, Callable[[Model], None]]]:
    """Yield what a hub of five sites and a site tell in so many seconds, each with its moment (from 0)."""
    random_ = random.Random(seed)
    hub, pits = five_sites(), recorded("pits")
    yield 0.0, lambda model: model.watch("hub", BEGAN)
    yield 0.0, lambda model: model.watch("pit", BEGAN)
    yield 0.0, lambda model: model.offered("hub", [{"name": "site.pause"}, {"name": "site.reconnect"}])
    audited = 0
    for step in range(int(seconds * hz)):
        at = step / hz
        now, utc = BEGAN + at, UTC + at
        for site in hub["sites"].values():
            site["fetches"] = site.get("fetches", 0) + random_.randrange(3)
            site["cache_hits"] = (site["cache_hits"] or 0) + random_.randrange(5)
            if site["connected"]:
                site["round_trip_s"] = round(random_.lognormvariate(-3, 0.5), 4)
        for name, status in (("hub", hub), ("pit", pits)):
            told = json.loads(json.dumps(status | {"now": utc}))
            yield at, lambda model, name=name, told=told, now=now, utc=utc: model.told(name, told, now, utc)
        for _ in range(random_.randrange(3)):
            line = {
                "at": f"{at:.3f}",
                "event": "fetch.done",
                "path": f"/events/{random_.randrange(99)}",
                "n": step,
            }
            said = {"number": step * 3 + 1, "level": "info", "line": line}
            yield at, lambda model, said=said: model.logged("hub", said)
        if step % 40 == 7:
            audited += 1
            row = {
                "number": audited,
                "at_utc_s": utc,
                "who": "ann",
                "action": "drain",
                "target": "",
                "outcome": "done",
            }
            yield at, lambda model, row=row: model.audited("hub", [row])
        if step % 100 == 50:
            yield at, lambda model, now=now: model.lost("pit", "no answer in 5 s", now, retry_at=now + 3)
        if step % 100 == 55:
            yield at, lambda model: model.acknowledge(model.alarms[0].key)
        if at == int(at):
            yield at, lambda model, now=now: model.tick(now)


def record(path: Path, seconds: float, **other: Any) -> Model:
    """Record a session; return the model that it ended with."""
    clock = Clock()
    with Recorder(path, clock=clock, utc_now=clock.utc, **other) as recorder:
        for at, tell in session(seconds):
            clock.now = BEGAN + at
            tell(recorder.model)
        assert not recorder.failed
        return recorder.model
