"""A foreign program reads the document and finds the API to be as it says: few examples here, 200 of every sort and all
that is at the edge of what is allowed by a command (see `apicheck`)."""

import pytest
import trio

from ..apicheck import check

EXAMPLES = 3


@pytest.mark.process
async def test_schemathesis_finds_nothing() -> None:
    with trio.fail_after(240):
        for checked in await check(EXAMPLES, seed=1, phases="fuzzing,stateful"):
            assert checked.code == 0, checked.said[-4000:]
