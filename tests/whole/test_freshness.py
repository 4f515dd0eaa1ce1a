"""A lap that FPVTrackside writes is soon an event of the cloud page's stream. How soon is for `bench/freshness.py`."""

from pathlib import Path

import pytest

from bench.freshness import run


@pytest.mark.parametrize("hint", [True, False])
async def test_a_lap_reaches_the_page_of_the_cloud(tmp_path: Path, hint: bool) -> None:
    took_ms = await run(2, hint=hint)
    assert len(took_ms) == 2
    assert min(took_ms) > 0
