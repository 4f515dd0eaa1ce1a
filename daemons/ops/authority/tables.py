"""Every table of the authority file. Each component's migrations stand beside its code; here they are joined."""

from daemons.ops import limits
from daemons.ops.authority import audit, heads, keys, sessions, sites, tokens, users
from daemons.store.migrations import Migration

__all__ = ["AUTHORITY_MIGRATIONS"]

AUTHORITY_MIGRATIONS: tuple[Migration, ...] = (
    *keys.MIGRATIONS,
    *audit.MIGRATIONS,
    *heads.MIGRATIONS,
    *tokens.MIGRATIONS,
    *users.MIGRATIONS,
    *sessions.MIGRATIONS,
    *sites.MIGRATIONS,
    *limits.MIGRATIONS,
)
