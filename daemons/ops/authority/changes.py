"""Who is told that who may do what has changed: in the authority file by anybody, or in the file of old tokens."""

from collections.abc import Callable

import structlog
import trio
from attrs import define, field

from daemons.ops.authority.file import AuthorityFile
from daemons.ops.errors import ConfigError
from daemons.ops.tokens import TokenTable
from daemons.store.errors import StorageError

__all__ = ["AuthorityChanges"]

_log = structlog.stdlib.get_logger("pitlink.ops")

TOKENS_LOOK_S = 0.5
TOKENS_LOOK_INLINE_S = 60.0
"""How often the file of old tokens is looked at; not so often in simulations, where nobody edits it."""


@define(eq=False)
class AuthorityChanges:
    """Calls everybody in `told` after each change. Who raises StorageError or ConfigError is called again."""

    authority: AuthorityFile
    tokens: TokenTable
    told: list[Callable[[], None]] = field(factory=list, init=False)
    _again: bool = field(default=False, init=False)

    async def run(self) -> None:
        """Notice changes within 0.5 s, and tell. Never returns."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.authority.watch, self._tell)
            nursery.start_soon(self._watch_tokens)

    def tell_again(self) -> None:
        """Tell everybody once more, soon: somebody could not act on what was told."""
        self._again = True

    def _tell(self) -> None:
        self._again = False
        for on_change in self.told:
            try:
                on_change()
            except (StorageError, ConfigError) as exc:
                _log.warning("authority.unreadable", words=str(exc))
                self._again = True

    async def _watch_tokens(self) -> None:
        known, is_failing = self.tokens.changes, False
        while True:
            await trio.sleep(TOKENS_LOOK_INLINE_S if self.authority.inline else TOKENS_LOOK_S)
            try:
                self.tokens.load()
            except ConfigError as exc:  # while somebody edits it
                if not is_failing:
                    _log.warning("tokens.unreadable", words=str(exc))
                is_failing = True
                continue
            is_failing = False
            if self._again or self.tokens.changes != known:
                known = self.tokens.changes
                self._tell()
