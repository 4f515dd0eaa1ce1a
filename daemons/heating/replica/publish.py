"""What the site tells of its house: two state topics, set after every step of control, sent as the link has room."""

from collections.abc import Mapping

import trio
from attrs import define, field

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

    def __attrs_post_init__(self) -> None:
        epoch = self.environment.new_epoch
        self.publishers = {
            topic: Publisher(topic, epoch(), self.batch_s, max_silence_s=self.silence_s)
            for topic in (rows.TOPIC, planrows.TOPIC)
        }

    def tell(self, state: HouseState, settings: Settings, capacity_days: int | None = None) -> None:
        """Say how the house stands after a step of control: everything in it is as of `state.at`."""
        if settings is not self._settings:
            self._settings = settings
            self._set(planrows.TOPIC, {**planrows.plan_rows(self.plant), **planrows.settings_rows(settings)})
        self._set(rows.TOPIC, rows.state_rows(rows.Told(state, self.clock, capacity_days)))
        self.publishers[rows.TOPIC].read_at(round(self.clock.utc(state.at) * 1e6))

    def _set(self, topic: str, table: Mapping[str, bytes]) -> None:
        publisher, now = self.publishers[topic], trio.current_time()
        for key in self._told.get(topic, frozenset()) - table.keys():
            publisher.remove(key, now)
        for key, row in table.items():
            publisher.set(key, row, now)
        self._told[topic] = frozenset(table)
