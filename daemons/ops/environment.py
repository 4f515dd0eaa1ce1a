"""Where the outside world comes in: wall clock and randomness, in one value that the simulation replaces."""

import os
import random
import time
from collections.abc import Callable

from attrs import frozen


def _boot_id() -> bytes:
    """Return the kernel's boot id, or random bytes where there is none: two boots must never look like
    one.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read().strip().replace(b"-", b"")[:32]
    except OSError:
        return os.urandom(16).hex().encode()


@frozen
class Environment:
    """What a daemon takes from outside itself, beside files and sockets.

    `utc_now` gives UTC seconds, `urandom(n)` n random bytes, `rand` a float in [0, 1). Durations are never
    taken from here but from `trio.current_time()`.
    """

    utc_now: Callable[[], float] = time.time
    urandom: Callable[[int], bytes] = os.urandom
    rand: Callable[[], float] = random.random
    boot_id: Callable[[], bytes] = _boot_id

    def new_epoch(self) -> int:
        """Mint a number that names an epoch: 62 random bits, never 0."""
        return int.from_bytes(self.urandom(8), "big") >> 2 | 1
