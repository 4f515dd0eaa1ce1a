"""What was freed goes back to the system, also from between what is kept."""

import gc
import os
from pathlib import Path

import pytest
import trio

from daemons.ops import memory


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.skipif(memory._malloc_trim() is None, reason="another C library than glibc")
async def test_freed_blocks_between_kept_ones_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "EVERY_S", 0.01)
    fragmented = [bytes(60_000) if index % 2 else bytes(90_000) for index in range(2000)]
    del fragmented[::2]
    before = _resident_bytes()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(memory.give_back_memory)
        with trio.fail_after(20):
            while _resident_bytes() > before - 20_000_000:
                await trio.sleep(0.02)
        nursery.cancel_scope.cancel()


def test_a_process_looks_for_garbage_rarely_but_it_looks() -> None:
    before = gc.get_threshold()
    try:
        memory.look_for_garbage_rarely()
        assert gc.isenabled()
        assert gc.get_threshold()[0] > 2_000
        collections = gc.get_stats()[0]["collections"]
        kept = [[] for _ in range(2 * gc.get_threshold()[0])]  # type: ignore[var-annotated]
        assert gc.get_stats()[0]["collections"] > collections
        del kept
    finally:
        gc.set_threshold(*before)
