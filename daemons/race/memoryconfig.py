"""What an operator can set of the memory of the race."""

from attrs import frozen

from daemons.ops.options import option

__all__ = ["MemoryConfig"]


@frozen
class MemoryConfig:
    """How long versions of race files are kept, and how many bytes of them."""

    days: float = option(
        30.0,
        minimum=0.0,
        maximum=3660.0,
        help="Days without a change after which a race's versions go; 0: none are kept.",
    )
    max_bytes: int = option(
        256 * 1024 * 1024,
        minimum=1024 * 1024,
        maximum=2**40,
        help="What versions may take, packed; past it the contents of the oldest go, their hashes stay.",
    )
