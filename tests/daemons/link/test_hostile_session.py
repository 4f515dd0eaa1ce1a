"""Whatever a peer sends after its hello: the connection goes on or ends with a protocol error, within its bounds."""

from collections import Counter
from pathlib import Path

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.codec import encode_frame
from protocol.errors import LocalProtocolError
from protocol.frames import Frame
from tests.fuzz.inputs import messages_from
from tests.fuzz.session import Sessions, open_sessions
from tests.protocol.anyframe import frames


async def test_any_frames_and_any_bytes_end_a_connection_in_order_or_not_at_all(tmp_path: Path) -> None:
    async with open_sessions(tmp_path) as sessions:
        _try(sessions)
        await trio.lowlevel.checkpoint()


def _try(sessions: Sessions) -> None:
    ended: Counter[bool] = Counter()

    @settings(max_examples=300, database=None)
    @given(st.lists(frames, max_size=6))
    def of_frames(given_frames: list[Frame]) -> None:
        session = sessions.begin()
        for frame in given_frames:
            try:
                message = b"\x02" + encode_frame(frame)
            except LocalProtocolError:  # longer than a frame may be
                continue
            goes_on = session.take(message)
            ended[goes_on] += 1
            if not goes_on:
                break

    @settings(max_examples=700, database=None)
    @given(st.binary(max_size=300))
    def of_bytes(data: bytes) -> None:
        session = sessions.begin()
        for message in messages_from(data):
            goes_on = session.take(message)
            ended[goes_on] += 1
            if not goes_on:
                break

    of_frames()
    of_bytes()
    assert ended[True] > 30
    assert ended[False] > 30
