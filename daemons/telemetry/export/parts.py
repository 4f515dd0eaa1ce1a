"""What is exported: ticks of recordings, in order of time."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from attrs import frozen

from daemons.telemetry.look import NotKept
from daemons.telemetry.past import Kept, Past
from daemons.telemetry.recording import Recording
from protocol.columns import Batch

__all__ = ["Part", "parts_of", "read"]


@frozen
class Part:
    """Ticks `first` to `last` of a recording, both included."""

    kept: Kept
    recording: Recording
    first: int
    last: int


async def parts_of(past: Past, lap_or_session: str) -> Sequence[Part]:
    """Return what a lap or a session is made of. Raises NotKept."""
    if "." in lap_or_session:
        lap, kept = await past.find_lap(lap_or_session)
        return [Part(kept, await past.open(kept), lap.first_tick, lap.last_tick)]
    recordings = [kept for kept in await past.recordings(lap_or_session) if kept.first_tick >= 0]
    if not recordings:
        raise NotKept("no ticks of this session are here")
    return [Part(kept, await past.open(kept), kept.first_tick, kept.last_tick) for kept in recordings]


async def read(past: Past, part: Part) -> AsyncGenerator[tuple[Batch, int, int], None]:
    """Yield its batches, each with the first and last + 1 of its rows that belong to the part."""
    async with aclosing(past.batches(part.kept, part.first, part.last)) as batches:
        async for batch in batches:
            low, high = batch.ticks.searchsorted((part.first, part.last + 1)).tolist()
            if low < high:
                yield batch, low, high
