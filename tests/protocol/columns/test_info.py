"""The session info travels as what changed since the one before."""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.columns import ColumnsError, decode_info, encode_info
from protocol.irsdk import BadLayout, Header

TEXT = b"---\nWeekendInfo:\n TrackName: sebring\n" + b"".join(
    b" - CarIdx: %d\n   UserName: driver %d\n   LastTime: %d.%d\n" % (n, n * n, 60 + n % 7, n * 31)
    for n in range(60)
)


@given(st.binary(max_size=300), st.none() | st.binary(max_size=300))
def test_it_comes_back(text: bytes, before: bytes | None) -> None:
    assert decode_info(encode_info(text, before), before, bytes_max=300) == text


def test_a_change_takes_few_bytes() -> None:
    after = TEXT.replace(b"LastTime: 61.31\n", b"LastTime: 59.9\n")
    assert after != TEXT
    packed = encode_info(after, TEXT)
    assert len(packed) < 60 < 500 < len(encode_info(after, None))
    assert decode_info(packed, TEXT, bytes_max=len(after)) == after


def test_it_is_not_made_of_another_text_than_the_one_before() -> None:
    packed = encode_info(TEXT + b" more", TEXT)
    for other in (TEXT[::-1], TEXT[5:], TEXT.replace(b"driver", b"river"), None, b""):
        with pytest.raises(ColumnsError, match="session info"):
            decode_info(packed, other, bytes_max=1 << 20)


@given(st.binary(max_size=60), st.sampled_from([None, TEXT]))
def test_noise(data: bytes, before: bytes | None) -> None:
    for front in (b"", b"\xc2", b"\xc3\x20"):
        try:
            decode_info(front + data, before, bytes_max=1000)
        except ColumnsError:
            pass


def test_a_bomb_is_not_opened() -> None:
    bomb = encode_info(bytes(1 << 25), None)
    assert len(bomb) < 5000
    tracemalloc.start()
    try:
        with pytest.raises(ColumnsError, match="are allowed"):
            decode_info(bomb, None, bytes_max=1 << 20)
        with pytest.raises(ColumnsError, match="as long as it says"):
            decode_info(bomb[:1] + b"\x10" + bomb[5:], None, bytes_max=1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_infos_of_recordings(samples: Path) -> None:
    before = None
    for path in sorted((samples / "iracing").iterdir()):
        data = path.read_bytes()
        try:
            header = Header.read(data)
        except BadLayout:
            continue
        text = data[header.session_info_at :][: header.session_info_bytes].split(b"\0")[0]
        packed = encode_info(text, before)
        assert decode_info(packed, before, bytes_max=1 << 20) == text
        assert len(encode_info(text.replace(b"ResultsOfficial: 0", b"ResultsOfficial: 1", 1), text)) < 500
        before = text
    assert before
