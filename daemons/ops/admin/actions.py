"""Actions of the admin API: what a daemon can be told to do, in a registry that its daemon file fills.

    registry.add(Action("limits.set", set_limits, "Set the limits.", params=(Param("name"), Param("value", "number"))))

`run(params, identity)` gets checked params and answers with `Done` (what to audit) or with any JSON-able result.
An action that changes something should do it in `Done.persist` (rows of the authority file, in the audit row's own
transaction) and `Done.apply` (called when that row is durable): then nothing happens that was not audited.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Literal

import apsw
from attrs import define, field, frozen

from daemons.ops.authority.identity import Identity, Role

__all__ = ["Action", "ActionRefused", "Done", "Param", "Registry", "Run"]

Kind = Literal["text", "number", "whole", "flag", "list", "any"]

TEXT_CHARS_MAX = 4096
LIST_ITEMS_MAX = 1024
WHOLE_MAX = 2**63 - 1

_KINDS: dict[Kind, tuple[tuple[type, ...], str]] = {
    "text": ((str,), "a text"),
    "number": ((int, float), "a number"),
    "whole": ((int,), "a whole number"),
    "flag": ((bool,), "true or false"),
    "list": ((list,), "a list of texts"),
    "any": ((object,), "anything that JSON can say"),
}


class ActionRefused(Exception):
    """It cannot be done, and the words say why: safe to show. `status`: the HTTP status that says the same.

    `retry_after_s`: when to try again, for 429 and 503.
    """

    def __init__(self, words: str, status: int = 409, *, retry_after_s: float | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.status = status
        self.retry_after_s = retry_after_s


@frozen
class Param:
    """One parameter. One given is of the kind (a `list`: of texts; `any`: the action judges it). null is not given."""

    name: str
    kind: Kind = "text"
    help: str = ""
    required: bool = True
    default: Any = None

    def read(self, given: Mapping[str, Any]) -> Any:
        """Return the value. Raises ActionRefused (400)."""
        if given.get(self.name) is None:
            if self.required:
                raise ActionRefused(f"{self.name} is missing", 400)
            return self.default
        value = given[self.name]
        kinds, words = _KINDS[self.kind]
        if not _is_sayable(value):
            raise ActionRefused(f"{self.name} must be {words}", 400)
        if self.kind == "any":
            return value  # how long it can be, the request's body bounds
        if not isinstance(value, kinds) or (isinstance(value, bool) and self.kind != "flag"):
            raise ActionRefused(f"{self.name} must be {words}", 400)
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            raise ActionRefused(f"{self.name} must be {words}", 400)
        if isinstance(value, str | list):
            longest = LIST_ITEMS_MAX if isinstance(value, list) else TEXT_CHARS_MAX
            if len(value) > longest or any(len(item) > TEXT_CHARS_MAX for item in value):
                raise ActionRefused(f"{self.name} is too long", 400)
        return value


def _is_sayable(value: Any) -> bool:
    """Can the audit say it? Python's JSON lets NaN, 1e999 and half a character in."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    return not isinstance(value, int) or abs(value) <= WHOLE_MAX


@frozen
class Done:
    """What an action did, or is about to do. `before`, `after`, `target` go to the audit: JSON-able, never a secret.

    `persist(conn)` runs in the audit row's transaction (it may read and write the authority file, and nothing else);
    `apply()` when that is durable. What `apply` raises makes a second row, "failed"; so does cancelling it.
    `outcome`: "begun" for what others are to do; whoever hears what became of it adds a row.
    """

    result: Any = None
    target: str = ""
    before: Any = None
    after: Any = None
    persist: Callable[[apsw.Connection], object] | None = None
    apply: Callable[[], object] | None = None
    outcome: Literal["done", "begun"] = "done"


Run = Callable[[Mapping[str, Any], Identity], Awaitable[Any]]


@frozen
class Action:
    """Something a daemon can be told to do. `run` raises ActionRefused when it cannot be done.

    `site` names the parameter that says at which site it happens (hub): the identity must be let near that one.
    `changes`: False for one that only looks: then it needs no audit row when it is done. `audits`: True for one that
    leaves its own rows.
    """

    name: str
    run: Run
    help: str
    role: Role = Role.OPERATOR
    params: tuple[Param, ...] = ()
    site: str = ""
    changes: bool = True
    audits: bool = False

    def read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters, checked. Raises ActionRefused (400)."""
        names = [param.name for param in self.params]
        for name in given:
            if name not in names:
                takes = ", ".join(names) or "no parameters"
                raise ActionRefused(f"{self.name} has no parameter {name[:64]!r}; it takes {takes}", 400)
        return {param.name: param.read(given) for param in self.params}


@define(eq=False)
class Registry:
    """The actions of one daemon, by name."""

    _actions: dict[str, Action] = field(factory=dict, init=False)

    def add(self, *actions: Action) -> None:
        """Add actions. Raises ValueError for a name that is taken."""
        for action in actions:
            if action.name in self._actions:
                raise ValueError(f"there is an action {action.name!r} already")
            self._actions[action.name] = action

    def get(self, name: str) -> Action | None:
        return self._actions.get(name)

    def __iter__(self) -> Iterator[Action]:
        return iter(sorted(self._actions.values(), key=lambda action: action.name))
