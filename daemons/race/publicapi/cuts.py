"""What each address shows, cut from a site's tree (see `daemons.race.tree`). Pure.

As in the tree an absent key is one that is not known, and there is no null.
"""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

__all__ = [
    "STATES",
    "Missing",
    "Wanted",
    "bests",
    "now",
    "pilot",
    "pilots",
    "race",
    "races",
    "rounds",
    "stages",
    "summary",
]

STATES = ("pending", "live", "done")

Tree = Mapping[str, Any]
Value = dict[str, Any]


class Missing(LookupError):
    """There is no such thing in the tree: `code` for programs, `words` for people."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


@frozen
class Wanted:
    """Which races are asked for; None: any."""

    state: str | None = None
    pilot: str | None = None
    round: str | None = None

    def takes(self, race: Mapping[str, Any]) -> bool:
        return (
            self.state in (None, race["state"])
            and self.round in (None, race.get("round"))
            and (self.pilot is None or self.pilot in race["rows"])
        )


def summary(site: str, tree: Tree, age: Mapping[str, Any]) -> Value:
    """Return a site as it stands in the list of sites."""
    about = tree.get("now", {})
    value = {"site": site, "phase": about.get("phase", "no_event"), "headline": about.get("headline", "")}
    if "event" in tree:
        value["event"] = tree["event"]
    return {
        **value,
        "races": len(tree.get("order", ())),
        "pilots": len(tree.get("pilots", ())),
        "age": dict(age),
    }


def now(tree: Tree, age: Mapping[str, Any]) -> Value:
    """Return what is on: the race that is shown, the one that ended before, and those that come, each as a whole."""
    about, every = tree.get("now", {}), tree.get("races", {})
    value: Value = {"phase": about.get("phase", "no_event"), "headline": about.get("headline", "")}
    for key in ("race", "previous"):
        if about.get(key) in every:
            value[key] = every[about[key]]
    return {**value, "next": [every[key] for key in about.get("next", ()) if key in every], "age": dict(age)}


def races(tree: Tree, wanted: Wanted) -> Value:
    """Return the races in the order in which they are run, without the times of their laps."""
    every = tree.get("races", {})
    ordered = [every[key] for key in tree.get("order", ()) if key in every]
    return {"races": [_short(one) for one in ordered if wanted.takes(one)]}


def _short(one: Mapping[str, Any]) -> Value:
    rows = {
        key: {name: value for name, value in row.items() if name != "lap_times"}
        for key, row in one["rows"].items()
    }
    return {**one, "rows": rows}


def race(tree: Tree, race_id: str) -> Value:
    """Return a race with every lap. Raises Missing."""
    found = tree.get("races", {}).get(race_id)
    if found is None:
        raise Missing("NO_RACE", "there is no such race in this event")
    return dict(found)


def pilots(tree: Tree) -> Value:
    """Return the pilots by name."""
    every = tree.get("pilots", {}).values()
    return {"pilots": sorted(every, key=lambda one: (one["name"].casefold(), one["id"]))}


def pilot(tree: Tree, pilot_id: str) -> Value:
    """Return a pilot: when he flies next and on which channel, what he has flown. Raises Missing."""
    found = tree.get("pilots", {}).get(pilot_id)
    if found is None:
        raise Missing("NO_PILOT", "there is no such pilot in this event")
    return dict(found)


def rounds(tree: Tree) -> Value:
    """Return the rounds in the order in which they are flown, each with the ids of its races in theirs."""
    every = tree.get("races", {})
    of: dict[str, list[str]] = {}
    for key in tree.get("order", ()):
        of.setdefault(every.get(key, {}).get("round", ""), []).append(key)
    ordered = sorted(tree.get("rounds", {}).values(), key=lambda one: (one["order"], one["id"]))
    return {"rounds": [{**one, "races": of.get(one["id"], [])} for one in ordered]}


def stages(tree: Tree) -> Value:
    """Return the stages with their tables, in their order."""
    return {"stages": sorted(tree.get("stages", {}).values(), key=lambda one: (one["order"], one["id"]))}


def bests(tree: Tree) -> Value:
    """Return the best laps and runs of the event, the best first."""
    found = tree.get("bests", {})
    return {"laps": found.get("laps", []), "runs": found.get("runs", [])}
