"""What the site tells of its house: two state topics, set after every step of control, sent as the link has room."""

import math
from collections.abc import Mapping

import trio
from attrs import define, evolve, field

from daemons.heating.plant import Plant
from daemons.heating.replica import planrows, rows
from daemons.heating.settings import Settings
from daemons.heating.state import HouseState
from daemons.ops.environment import Environment
from protocol.topics import Publisher

__all__ = ["BATCH_S", "HousePublisher"]

BATCH_S = 2.0
SILENCE_S = 60.0
"""A house whose control has not gone its round for so long is silent, however well the link does."""


QUIET_S = 45.0
"""Pings of the link go out after so long a silence. There is mostly none: a state, or its age, is told more often."""
BEAT_S = 35.0
"""So often the age alone is told, while nothing else changes: what is shown is never older than it says."""

ROOM_K, PIPE_K = 0.1, 0.5
"""A temperature is told again when it is another by so much than the one told before: sensors flicker by a step."""


GATHER_S = rows.OLD_S
"""Temperatures are told anew so often at most, all at once: as old as a good reading may be without saying so. Whatever
switches, fails or is wished is told at once."""


def steadied(state: HouseState, told: HouseState | None, *, holds: bool) -> HouseState:
    """Return a state whose temperatures are those told before: where they are nearly the same, and all that are known
    where it `holds`. Pure."""
    room_k, pipe_k = (math.inf, math.inf) if holds else (ROOM_K, PIPE_K)
    if told is None or len(told.zones) != len(state.zones):
        return state
    boiler, before = state.boiler, told.boiler
    return evolve(
        state,
        zones=tuple(
            evolve(
                zone,
                celsius=_steady(zone.celsius, known.celsius, room_k),
                supply=_steady(zone.supply, known.supply, pipe_k),
            )
            for zone, known in zip(state.zones, told.zones, strict=True)
        ),
        boiler=evolve(
            boiler,
            flow=_steady(boiler.flow, before.flow, pipe_k),
            back=_steady(boiler.back, before.back, pipe_k),
            target=_steady(boiler.target, before.target, pipe_k),
        ),
        outdoor=_steady(state.outdoor, told.outdoor, room_k),
    )


def _steady(now: float | None, told: float | None, within: float) -> float | None:
    return told if now is not None and told is not None and abs(now - told) < within else now


@define(eq=False)
class HousePublisher:
    """The topics of one house; `publishers` go to its link's `Peer`. Nothing here waits, and nothing is queued: a link that
    is slow or down gets fewer, newer states."""

    plant: Plant
    environment: Environment
    clock: rows.Clock = rows.REAL_TIME
    batch_s: float = BATCH_S
    """How long a first change waits for others, 1 to 5 s; the 100th row is not waited for."""
    silence_s: float = SILENCE_S
    publishers: Mapping[str, Publisher] = field(init=False)
    _told: dict[str, frozenset[str]] = field(factory=dict, init=False)  # keys, by topic
    _settings: Settings | None = field(default=None, init=False)
    _steady: HouseState | None = field(default=None, init=False)
    _gathered_at: float = field(default=-math.inf, init=False)  # when temperatures were told last, monotonic

    def __attrs_post_init__(self) -> None:
        epoch = self.environment.new_epoch
        self.publishers = {
            topic: Publisher(topic, epoch(), self.batch_s, max_silence_s=self.silence_s, beat_s=BEAT_S)
            for topic in (rows.TOPIC, planrows.TOPIC)
        }

    def tell(self, state: HouseState, settings: Settings, capacity_days: int | None = None) -> None:
        """Say how the house stands after a step of control: everything in it is as of `state.at`."""
        if settings is not self._settings:
            self._settings = settings
            self._set(planrows.TOPIC, {**planrows.plan_rows(self.plant), **planrows.settings_rows(settings)})
        now = trio.current_time()
        holds = now - self._gathered_at < GATHER_S
        self._gathered_at = self._gathered_at if holds else now
        self._steady = steadied(state, self._steady, holds=holds)
        self._set(rows.TOPIC, rows.state_rows(rows.Told(self._steady, self.clock, capacity_days)))
        self.publishers[rows.TOPIC].read_at(round(self.clock.utc(state.at) * 1e6))

    def _set(self, topic: str, table: Mapping[str, bytes]) -> None:
        publisher, now = self.publishers[topic], trio.current_time()
        for key in self._told.get(topic, frozenset()) - table.keys():
            publisher.remove(key, now)
        for key, row in table.items():
            publisher.set(key, row, now)
        self._told[topic] = frozenset(table)
