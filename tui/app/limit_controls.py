"""A daemon's limits, changed from the screen: for a time, or for good, and taken back."""

import json
from collections.abc import Iterator
from typing import Any

from attrs import frozen

from tui.app.control import LIFETIMES_S, Control, Lasting, Question, seconds, until_words
from tui.app.deeds import Deed
from tui.model import DaemonView, Limit, Model, SiteView
from tui.model.words import daemon_name

__all__ = ["limit_control", "limit_controls", "limit_words"]

LASTS_S = 900.0
FOR_GOOD = "for good, restarts too (takes the role admin)"
ASKS = "name, value (none: back), how long"


def limit_controls(model: Model, view: DaemonView, site: SiteView | None) -> Iterator[tuple[str, Control]]:
    """Yield the control that sets a limit of a daemon, also on the row of a site that is a daemon of its own."""
    if view.limits and (site is None or not view.is_hub):
        yield "limits.set", limit_control(view)


def limit_control(view: DaemonView, given: str = "") -> Control:
    """Return the control that sets a limit; `given`: what is typed already."""
    made = _Limits(view)
    names = tuple(limit.name for limit in view.limits)
    return Control("limit", f"Set a limit of {made.name}", made.typed, ASKS, given, names)


def limit_words(value: Any) -> str:
    """Return a limit as it is typed."""
    return f"{value:.15g}" if isinstance(value, float) else json.dumps(value)


@frozen
class _Limits:
    view: DaemonView

    @property
    def name(self) -> str:
        return daemon_name(self.view)

    def typed(self, typed: str) -> Question:
        """Raises ValueError, in words."""
        name, _, rest = typed.partition(" ")
        limit = next((limit for limit in self.view.limits if limit.name == name), None)
        if limit is None:
            raise ValueError(f"{name!r} is no limit of {self.name}")
        value, lasts = _read(rest.strip())
        if value is None:
            return self.back(limit)
        return self.to(limit, value, seconds(lasts.strip(), "a limit") or LASTS_S)

    def to(self, limit: Limit, value: Any, for_s: float | None) -> Question:
        """Return what sets it."""
        was, lasts = limit_words(limit.value), {} if for_s is None else {"for_s": for_s}
        lines = (
            f"1 limit of {self.name}: {limit.name} is {limit_words(value)} instead of {was},"
            f" {until_words(for_s, FOR_GOOD)}.",
            f"The config says {limit_words(limit.configured)}. What is under way is not ended.",
        )
        title = f"limit {limit.name} of {self.name} {limit_words(value)}"
        undo = self._as_it_was(limit, is_for_a_time=for_s is not None)
        deed = self._deed("limits.set", title, limit, undo, value=value, **lasts)
        again = Lasting((*LIFETIMES_S, None), for_s, lambda chosen: self.to(limit, value, chosen), FOR_GOOD)
        return Question(deed, lines, "Set", again)

    def back(self, limit: Limit) -> Question:
        """Return what takes back that it was changed: for a time, or else for good."""
        if not limit.is_changed and limit.until_utc is None:
            raise ValueError(f"{limit.name} is as configured: {limit_words(limit.value)}")
        undo = self._as_it_was(limit, is_for_a_time=False)
        title = f"limit {limit.name} of {self.name} as before"
        if limit.until_utc is not None:
            lines = (
                f"1 limit of {self.name}: {limit.name} is what it was before it was changed for a time.",
            )
            return Question(self._deed("limits.lift", title, limit, undo), lines, "Take back")
        lines = (f"1 limit of {self.name}: {limit.name} is {limit_words(limit.configured)}, as configured.",)
        return Question(self._deed("limits.set", title, limit, undo), lines, "Take back")

    def _as_it_was(self, limit: Limit, *, is_for_a_time: bool) -> Deed:
        """Return what has a limit hold again as it does now."""
        title = f"limit {limit.name} of {self.name} {limit_words(limit.value)}, as it was"
        left_s = self.view.left(limit.until_utc, self.view.at)
        if left_s is not None:
            lasts = float(max(1, round(left_s)))
            return self._deed("limits.set", title, limit, None, value=limit.value, for_s=lasts)
        if is_for_a_time:
            return self._deed("limits.lift", title, limit, None)
        kept = {"value": limit.value} if limit.is_changed else {}
        return self._deed("limits.set", title, limit, None, **kept)

    def _deed(self, action: str, title: str, limit: Limit, undo: Deed | None, **more: Any) -> Deed:
        params = {"name": limit.name, **more}
        return Deed(self.view.daemon, action, params, title, f"{limit.name} of {self.name}", undo)


def _read(typed: str) -> tuple[Any, str]:
    """Return the value at the beginning, None for none, and what follows it. Raises ValueError."""
    if not typed:
        return None, ""
    try:
        value, end = json.JSONDecoder().raw_decode(typed)
    except ValueError:
        raise ValueError(f'{typed!r} is no number such as 8, or table such as {{"purge": 1}}') from None
    rest = typed[end:]
    if rest and not rest.startswith(" "):
        raise ValueError(f"{typed!r}: a space comes between the value and the time")
    return value, rest
