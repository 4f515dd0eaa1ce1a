"""What the query of a request says, bounded; what cannot be read is refused in words."""

import math
from collections.abc import Sequence

from attrs import frozen
from starlette.requests import Request

from daemons.telemetry.web.channels import CHANNELS
from daemons.web.access import BadRequest

__all__ = ["Query"]

TEXT_CHARS_MAX = 128


@frozen
class Query:
    """Everything raises BadRequest for what is there and is not what it should be."""

    request: Request

    def text(self, name: str, default: str) -> str:
        found = self.request.query_params.getlist(name)
        if not found:
            return default
        if len(found) > 1 or len(found[0]) > TEXT_CHARS_MAX:
            raise BadRequest(f"{name} is one text of at most {TEXT_CHARS_MAX} characters")
        return found[0]

    def number(self, name: str, default: float, lowest: float, highest: float) -> float:
        text = self.text(name, "")
        if not text:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not lowest <= value <= highest:
            raise BadRequest(f"{name} is a number, {lowest:g} to {highest:g}")
        return value

    def names(self, name: str, default: Sequence[str], most: int) -> tuple[str, ...]:
        """Return a list of different names, as `a,b,c`."""
        found = self.request.query_params.getlist(name)
        if not found:
            return tuple(default)
        given = tuple(dict.fromkeys(one for one in ",".join(found)[: 64 * TEXT_CHARS_MAX].split(",") if one))
        if len(given) > most or any(len(one) > TEXT_CHARS_MAX for one in given):
            raise BadRequest(f"{name} is a list of at most {most} names with commas between")
        return given

    def channels(self, default: Sequence[str] = tuple(CHANNELS)) -> tuple[str, ...]:
        """Return the channels that are asked for, by their shown names."""
        names = self.names("channels", default, len(CHANNELS) + 8)
        if unknown := [name for name in names if name not in CHANNELS]:
            raise BadRequest(f"{unknown[0][:40]!r} is none of {', '.join(CHANNELS)}")
        return names
