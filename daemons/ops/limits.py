"""Limits: what a client, a caller and the far end of a link may ask for in a second, and what may be under way.

The config file says where they begin; `LimitTable.set` changes one at run time and keeps it over restarts, in the
authority file; `hold` changes one until it is released, or this process ends. Whoever enforces a limit asks
`LimitTable.now` each time, so a change holds from the next request on. A rate of 0 switches that limit off.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import apsw
import attrs
import structlog
from attrs import define, field, frozen

from daemons.ops.authority.file import AuthorityFile
from daemons.ops.errors import ConfigError, Problem
from daemons.ops.options import facts_of, option
from daemons.store.migrations import Migration

__all__ = ["BURST_S", "MIGRATIONS", "FrontLimits", "HubLimits", "LimitTable", "SiteLimits", "unknown_limit"]

_log = structlog.stdlib.get_logger("pitlink.ops")

MIGRATIONS = (
    Migration("limits", 1, "CREATE TABLE limit_set (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"),
)

MIB = 1024 * 1024
BURST_S = 10.0
"""Limits by type have no burst of their own: so many seconds' worth may come at once."""


def _check_rates(rates: Mapping[str, float]) -> None:
    for type_, rate in rates.items():
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1e6:
            raise ValueError(f"{type_}: 0 to 1000000 a second are possible")


def _rate(default: float, help_: str) -> Any:
    return option(default, minimum=0, maximum=1e12, help=f"{help_} 0: no limit.")


def _burst(default: int, what: str) -> Any:
    return option(default, minimum=1, maximum=2**40, help=f"How many {what} may come at once.")


@frozen
class FrontLimits:
    """What HTTP clients may do, on sites and hubs alike. One client: an IPv4 address, or the /64 of an IPv6 one."""

    requests_per_s: float = _rate(2000.0, "Requests a second of all clients; past it 503, live pages last.")
    requests_burst: int = _burst(4000, "of them")
    client_requests_per_s: float = _rate(500.0, "Requests a second of one client; past it 429.")
    client_requests_burst: int = _burst(5000, "of them")
    client_requests_in_flight: int = option(
        1000,
        minimum=1,
        maximum=100_000,
        help="Requests of one client under way at once, event streams among them; past it 429.",
    )
    client_bytes_per_s: float = _rate(32.0 * MIB, "Bytes a second to and from one client; past it 429.")
    client_bytes_burst: int = _burst(256 * MIB, "bytes")
    client_upgrades_per_s: float = _rate(
        20.0, "Connections a second that one client asks to make a link of; past it 429."
    )
    client_upgrades_burst: int = _burst(400, "of them")


@frozen
class HubLimits(FrontLimits):
    """What callers and sites may do at a hub."""

    caller_fetches_in_flight: int = option(
        16,
        minimum=1,
        maximum=64,
        help="Fetches that one caller may have under way or waiting at one site; past it BUSY.",
    )
    site_fetches_per_s: float = _rate(
        100.0, "Fetches a second asked of one site; past it BUSY, files of finished races first."
    )
    site_fetches_burst: int = _burst(1000, "of them")
    site_fetches_waiting: int = option(
        64,
        minimum=1,
        maximum=1024,
        help="Fetches that wait for one site; past it BUSY, what can best wait first.",
    )
    site_connections_per_s: float = _rate(2.0, "Links a second that one site may open; past it 429.")
    site_connections_burst: int = _burst(30, "of them")
    site_bytes_per_s: float = _rate(16.0 * MIB, "Bytes a second taken from one site; past it it waits.")
    site_bytes_burst: int = _burst(64 * MIB, "bytes")
    commands_per_s: dict[str, float] = option(
        factory=lambda: dict.fromkeys(("pause", "resume", "purge", "allowlist", "reconnect"), 1.0),
        check=_check_rates,
        help=f"Commands a second to one site, by type; past it 429. {BURST_S:g} seconds' worth may come at once.",
    )


@frozen
class SiteLimits(FrontLimits):
    """What the hub may ask of a site."""

    requests_of_hub_per_s: dict[str, float] = option(
        factory=lambda: {"fetch": 100.0, "revalidate": 20.0, "watch": 50.0},
        check=_check_rates,
        help=f"Requests a second of the hub, by type; past it BUSY. {BURST_S:g} seconds' worth may come at once.",
    )
    hub_bytes_per_s: float = _rate(16.0 * MIB, "Bytes a second taken from the hub; past it it waits.")
    hub_bytes_burst: int = _burst(64 * MIB, "bytes")


L = TypeVar("L", bound=attrs.AttrsInstance)


@define(eq=False)
class LimitTable(Generic[L]):
    """The limits in force: options of a config class. `now` is to be read at each use; `configured` is where they go back
    to. `prefix` stands before their names, "fetch." such as in the config.
    """

    configured: L
    authority: AuthorityFile | None = None
    prefix: str = ""
    on_change: list[Callable[[], None]] = field(factory=list)
    now: L = field(init=False)
    _kept: L = field(init=False)
    _held: dict[str, Any] = field(factory=dict, init=False)  # by option, for a time

    def __attrs_post_init__(self) -> None:
        self.now = self._kept = self.configured
        self.load()

    def load(self) -> None:
        """Put in force what was set at run time, by whomever. What this version does not know is left out."""
        if self.authority is not None:
            rows = self.authority.read(lambda conn: list(conn.execute("SELECT name, value FROM limit_set")))
            self._kept = self.configured
            for name, text in rows:
                prefix, dot, option = str(name).rpartition(".")
                if prefix + dot != self.prefix:
                    continue  # another table's
                try:
                    self._kept = self._changed(self._kept, option, json.loads(str(text)))
                except (ConfigError, ValueError):
                    _log.warning("limit.obsolete", name=name)
        limits = self._kept
        for option, value in self._held.items():
            limits = self._changed(limits, option, value)
        if limits != self.now:
            self.now = limits
            for callback in self.on_change:
                callback()

    def get(self) -> dict[str, Any]:
        """Return every limit by name, as it holds now."""
        return {f"{self.prefix}{option}": value for option, value in attrs.asdict(self.now).items()}

    def changed(self) -> dict[str, Any]:
        """Return what the config says of those that hold otherwise now, by name."""
        was = attrs.asdict(self.configured)
        return {
            name: was[name.removeprefix(self.prefix)]
            for name, value in self.get().items()
            if value != was[name.removeprefix(self.prefix)]
        }

    def has(self, name: str) -> bool:
        """Is there such a limit here?"""
        return name in self.get()

    def hold(self, name: str, value: Any) -> None:
        """Have a limit hold until it is released, whatever is kept. Raises ConfigError, in words."""
        self.check(name, value)
        self._held[name.removeprefix(self.prefix)] = value
        self.load()

    def release(self, name: str) -> None:
        """Have what is kept, or configured, hold again."""
        if self._held.pop(name.removeprefix(self.prefix), None) is not None:
            self.load()

    def set_in(self, conn: apsw.Connection, name: str, value: Any) -> Any:
        """Store a limit inside a transaction of the authority file; `load` behind it puts it in force.

        `value` None goes back to the config. Returns the value before. Raises ConfigError, in words.
        """
        before = self.check(name, value)
        if value is None:
            conn.execute("DELETE FROM limit_set WHERE name = ?", (name,))
        else:
            conn.execute("INSERT OR REPLACE INTO limit_set VALUES (?, ?)", (name, json.dumps(value)))
        return before

    def check(self, name: str, value: Any) -> Any:
        """Return the value that `name` has now. Raises ConfigError when there is no such limit or not this value."""
        if not self.has(name):
            raise unknown_limit(name, self.get())
        if value is not None:
            self._changed(self.now, name.removeprefix(self.prefix), value)
        return self.get()[name]

    async def set(self, name: str, value: Any) -> tuple[Any, Any]:
        """Change a limit now and for the starts to come; return (before, after). None goes back to the config.

        Raises ConfigError, in words; StorageError when it cannot be kept, and then it does not hold either.
        """
        before = self.check(name, value)
        if self.authority is None:
            option = name.removeprefix(self.prefix)
            after = getattr(self.configured, option) if value is None else value
            self._kept = self._changed(self._kept, option, after)
        else:
            await self.authority.write(lambda conn: self.set_in(conn, name, value))
        self.load()
        return before, self.get()[name]

    def _changed(self, limits: L, option: str, value: Any) -> L:
        """Return the limits with one changed. Raises ConfigError for a name or a value that cannot be."""
        attribute = attrs.fields_dict(type(limits)).get(option)
        if attribute is None:
            raise unknown_limit(self.prefix + option, self.get())
        words = _why_not(attribute, value)
        if words:
            raise ConfigError([Problem(self.prefix + option, words)])
        changed = {option: float(value) if attribute.type is float else value}
        found: L = attrs.evolve(limits, **changed)  # type: ignore[misc]
        return found


def unknown_limit(name: str, known: Iterable[str]) -> ConfigError:
    """Return what says that there is no such limit."""
    return ConfigError([Problem(name, "is no limit here", f"there are {', '.join(known)}")])


def _why_not(attribute: "attrs.Attribute[Any]", value: Any) -> str:
    """Say in words why an option cannot have this value; "" when it can."""
    facts, kind = facts_of(attribute), attribute.type
    if kind is int and type(value) is not int:
        return f"expected a whole number, got {value!r}"
    if kind is float and (isinstance(value, bool) or not isinstance(value, int | float)):
        return f"expected a number, got {value!r}"
    if kind not in (int, float) and not isinstance(value, dict):
        return f"expected a table of numbers by type, got {value!r}"
    if facts.minimum is not None and not facts.minimum <= value <= (facts.maximum or value):
        return f"{facts.minimum:g} to {facts.maximum:g} are possible, got {value:g}"
    if facts.check is not None:
        try:
            facts.check(value)
        except ValueError as exc:
            return str(exc)
    return ""
