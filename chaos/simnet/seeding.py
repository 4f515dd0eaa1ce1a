"""Every source of randomness and wall time of the process, tied to a seed and to virtual time.

What third parties read behind our backs: wsproto's masks and nonces (`os.urandom`), trio-websocket's pings
(`random`), `uuid`, `secrets`, httpcore's keep-alive (`time.monotonic`), the time of a log record
(`time.time`). Code that took a reference before (`from time import monotonic`) and code in C escape; our own
takes both injected.
"""

import contextlib
import gc
import os
import random
import time
from collections.abc import Callable, Iterator, MutableSequence
from typing import Any

import trio._core._run as trio_run


@contextlib.contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute for the length of a `with`."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


class _Shuffler(random.Random):
    """Trio's source of randomness. Most rounds of a simulation have one task to shuffle."""

    def shuffle(self, x: MutableSequence[Any]) -> None:
        if len(x) > 1:
            super().shuffle(x)


@contextlib.contextmanager
def seeded_process(seed: int) -> Iterator[None]:
    """Seed `random`, `os.urandom` (with it `uuid`, `secrets`) and Trio's scheduler; restore all of it after.

    Trio's scheduler is made deterministic by the flag that Hypothesis sets when it is imported; set here, a
    run is the same with and without Hypothesis, and Hypothesis' own resetting of the scheduler's state cannot
    make every example run one schedule. The garbage collector is off: a collection at a moment that depends
    on the process' past would run finalizers of async generators there.
    """
    entropy = random.Random(f"{seed}/urandom")
    random_state = random.getstate()
    collecting = gc.isenabled()
    with contextlib.ExitStack() as stack:
        stack.enter_context(replaced(os, "urandom", entropy.randbytes))
        stack.enter_context(replaced(random, "_urandom", entropy.randbytes))
        stack.enter_context(replaced(trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True))
        stack.enter_context(replaced(trio_run, "_r", _Shuffler(f"{seed}/scheduler")))
        random.seed(f"{seed}/random")
        gc.collect()
        gc.disable()
        gc.freeze()
        try:
            yield
        finally:
            gc.unfreeze()
            random.setstate(random_state)
            if collecting:
                gc.enable()


@contextlib.contextmanager
def virtual_wall_clock(utc_now: Callable[[], float], monotonic: Callable[[], float]) -> Iterator[None]:
    """Let `time.time` and `time.monotonic` tell virtual time. `perf_counter` stays real, for measuring."""
    with replaced(time, "time", utc_now), replaced(time, "monotonic", monotonic):
        yield
