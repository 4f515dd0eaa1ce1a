"""What an operator can ask a backend by the admin API: sessions and laps that were kept, a replay, a file."""

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any

import numpy as np
from attrs import frozen

from daemons.ops.admin.actions import Action, ActionRefused, Param
from daemons.ops.admin.follow import Follow, Told
from daemons.ops.authority.identity import Identity, Role
from daemons.telemetry.look import Chunk, NotKept
from daemons.telemetry.teamlook import TeamLook
from daemons.telemetry.told import follow
from daemons.telemetry.web.views import lap_json, session_json

__all__ = ["TeamOffice"]

LIMIT_MAX = 200
PIECE_BYTES = 256 * 1024
REPLAY_HZ = 60.0
SPEED_MAX = 1000.0
CHANNELS = (
    "Speed",
    "RPM",
    "Gear",
    "Throttle",
    "Brake",
    "SteeringWheelAngle",
    "LapDistPct",
    "Lap",
    "FuelLevel",
)


@frozen
class TeamOffice:
    """The actions of a backend on what was kept, and what can be followed there."""

    look: TeamLook
    utc_now: Callable[[], float]

    def actions(self) -> list[Action]:
        """Return them all."""
        driver = Param("driver", help="only those that this driver took part in", required=False, default="")
        limit = Param("limit", "whole", "of the newest", required=False, default=20)
        return [
            Action(
                "telemetry.sessions", self._sessions, "List sessions that were kept, the newest first.",
                Role.VIEWER, (driver, limit), changes=False,
            ),
            Action(
                "telemetry.laps", self._laps, "List the laps of a session.",
                Role.VIEWER, (Param("session", help="as telemetry.sessions says it"),), changes=False,
            ),
        ]  # fmt: skip

    def follows(self) -> dict[str, Follow]:
        """Return what can be followed: a driver live, a replay, a file in pieces."""
        return {
            "telemetry": follow(lambda: self.look, self.utc_now),
            "replay": self._replay,
            "export": self._export,
        }

    async def _sessions(self, params: Mapping[str, Any], identity: Identity) -> Any:
        limit = params["limit"]
        if not 1 <= limit <= LIMIT_MAX:
            raise ActionRefused(f"limit is 1 to {LIMIT_MAX}", 400)
        found = await self.look.sessions(driver=params["driver"], limit=limit)
        return {"sessions": [session_json(one) for one in found]}

    async def _laps(self, params: Mapping[str, Any], identity: Identity) -> Any:
        try:
            session = await self.look.session(params["session"])
            laps = await self.look.laps(params["session"])
        except NotKept as exc:
            raise ActionRefused(str(exc), 404) from exc
        return {"session": session_json(session), "laps": [lap_json(lap) for lap in laps]}

    def _replay(self, params: Mapping[str, str]) -> Told:
        session, driver = params.get("session", ""), params.get("driver", "")
        names = tuple(filter(None, params.get("channels", "").split(","))) or CHANNELS
        speed, from_s = _number(params, "speed", 1.0), _number(params, "from_s", 0.0)
        if not 0 < speed <= SPEED_MAX or from_s < 0:
            raise ActionRefused(f"speed is above 0, {SPEED_MAX:g} at most; from_s is 0 or more", 400)
        return self._replayed(session, driver, names, speed, from_s)

    async def _replayed(
        self, session: str, driver: str, names: Sequence[str], speed: float, from_s: float
    ) -> Told:
        try:
            started_us = (await self.look.session(session)).started_us
            from_us = started_us + round(from_s * 1e6)
            chunks = self.look.replay(session, driver, names, REPLAY_HZ, from_us=from_us, speed=speed)
            async with aclosing(chunks) as coming:
                async for chunk in coming:
                    yield _chunk(chunk)
        except NotKept as exc:
            yield {"error": str(exc)}

    def _export(self, params: Mapping[str, str]) -> Told:
        format_, formats = params.get("format", ""), self.look.export_formats
        if format_ not in formats:
            raise ActionRefused(f"format is one of {', '.join(formats)}", 400)
        return self._exported(params.get("of", ""), format_)

    async def _exported(self, of: str, format_: str) -> Told:
        pieces = self.look.export(of, format_)
        try:
            async with aclosing(pieces) as coming:  # type: ignore[type-var]
                async for piece in coming:
                    for at in range(0, len(piece), PIECE_BYTES):
                        yield {"data": base64.b64encode(piece[at : at + PIECE_BYTES]).decode("ascii")}
            yield {"end": True}
        except NotKept as exc:
            yield {"error": str(exc)}


def _number(params: Mapping[str, str], name: str, default: float) -> float:
    with suppress(ValueError):
        value = float(params.get(name, default))
        if math.isfinite(value):
            return value
    raise ActionRefused(f"{name} is a number", 400)


def _chunk(chunk: Chunk) -> dict[str, Any]:
    """Return a chunk as JSON: null for what is not a number."""
    columns = {}
    for name, column in chunk.columns.items():
        values = column.values
        if values.dtype.kind == "f":
            is_known = np.isfinite(values)
            values = values.astype(object)
            values[~is_known] = None  # JSON knows no NaN
        columns[name] = {"ticks": column.ticks.tolist(), "values": values.tolist()}
    return {
        "driver": chunk.driver,
        "recording": chunk.recording.hex(),
        "first_tick": chunk.first_tick,
        "last_tick": chunk.last_tick,
        "taken_us": chunk.taken_us,
        "lost": chunk.lost,
        "columns": columns,
    }
