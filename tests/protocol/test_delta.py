"""Bodies whole and as deltas: small, exact, bounded."""

import json
import os
import random
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.delta import apply_delta, compress_body, decompress_body, is_compressed, make_delta
from protocol.zstd import CompressionParameter, ZstdCompressor, ZstdDict

bodies = st.binary(max_size=200) | st.sampled_from([b"", b"[]", b"lap" * 5000, os.urandom(3000)])

REFUSED = r"zstd|more than"


def race(laps: int, seed: int = 1) -> bytes:
    """Return a race file in FPVTrackside's shape."""
    rng = random.Random(seed)

    def guid() -> str:
        return f"{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}-4000-8000-{rng.getrandbits(48):012x}"

    rows = [
        {
            "Detection": guid(),
            "LengthSeconds": round(rng.uniform(20, 60), 7),
            "LapNumber": number,
            "StartTime": f"2025/01/29 19:{number:02}:00.494",
            "EndTime": f"2025/01/29 19:{number:02}:42.{rng.randrange(1000):03}",
            "ID": guid(),
            "ExternalID": 0,
        }
        for number in range(laps)
    ]
    return json.dumps([{"Laps": rows, "ID": guid()}], indent=2).replace("\n", "\r\n").encode()


@given(bodies, bodies)
def test_bodies_survive(base: bytes, body: bytes) -> None:
    assert decompress_body(compress_body(body), len(body)) == body
    assert apply_delta(base, make_delta(base, body), len(body)) == body
    assert apply_delta(base, make_delta(base, base + body), len(base + body) + 999) == base + body


@given(st.binary(max_size=400), st.binary(max_size=40))
def test_any_bytes_are_a_body_or_refused(data: bytes, base: bytes) -> None:
    attempts: list[Callable[[], bytes]] = [
        lambda: decompress_body(data, 500),
        lambda: apply_delta(base, data, 500),
    ]
    for attempt in attempts:
        try:
            assert len(attempt()) <= 500
        except ValueError:
            pass


@pytest.mark.parametrize("laps", [60, 140])
def test_one_field_changed(laps: int) -> None:
    base = race(laps)
    assert len(base) > 17_000
    for number in (0, laps // 2, laps - 1):
        row = json.loads(base)[0]["Laps"][number]
        body = base.replace(str(row["LengthSeconds"]).encode(), b"21.0815421")
        assert body != base
        delta = make_delta(base, body)
        assert len(delta) <= 60
        assert apply_delta(base, delta, len(body)) == body


def test_one_lap_more_costs_what_is_new_in_it() -> None:
    base, body = race(60), race(61)
    assert len(make_delta(base, body)) < 200
    assert len(compress_body(body)) > 1500


def test_two_large_versions_of_what_does_not_compress() -> None:
    base = random.Random(5).randbytes(2 << 20)
    body = base[: 1 << 20] + b"changed" + base[1 << 20 :]
    delta = make_delta(base, body)
    assert len(delta) < 20_000
    assert apply_delta(base, delta, len(body)) == body


def test_a_wrong_base_a_torn_frame_and_too_much_are_refused() -> None:
    base = race(60)
    body = base.replace(b"42", b"43")
    delta, whole = make_delta(base, body), compress_body(body)
    wrong = base.replace(b"Laps", b"Naps")
    attempts: list[Callable[[], bytes]] = [
        lambda: apply_delta(wrong, delta, len(body)),
        lambda: apply_delta(b"", delta, len(body)),
        lambda: apply_delta(base, delta[:-1], len(body)),
        lambda: apply_delta(base, delta + b"x", len(body)),
        lambda: apply_delta(base, delta, len(body) - 1),
        lambda: decompress_body(whole[: len(whole) // 2], len(body)),
        lambda: decompress_body(whole[:-1] + bytes((whole[-1] ^ 1,)), len(body)),
        lambda: decompress_body(whole + whole, 2 * len(body)),
        lambda: decompress_body(whole, len(body) - 1),
        lambda: decompress_body(b"", 10),
    ]
    for attempt in attempts:
        with pytest.raises(ValueError, match=REFUSED):
            attempt()


def test_bombs() -> None:
    bomb = compress_body(bytes(200_000_000))
    assert len(bomb) < 20_000
    with pytest.raises(ValueError, match=REFUSED):
        decompress_body(bomb, 1_000_000)
    options: dict[int, int] = {CompressionParameter.window_log: 27}
    base = race(60)
    for window in (
        ZstdCompressor(options=options),
        ZstdCompressor(options=options, zstd_dict=ZstdDict(base, is_raw=True)),
    ):
        frame = window.compress(b"small") + window.flush()
        with pytest.raises(ValueError, match="zstd"):
            apply_delta(base, frame, 1_000_000)


@pytest.mark.parametrize(
    ("body", "content_type", "compressed"),
    [
        (race(3), "application/json", False),
        (b"", None, False),
        (b"<svg>", "image/svg+xml", False),
        (b"\x89PNG\r\n", None, True),
        (b"\xff\xd8\xff\xe0", "text/html", True),
        (b"RIFF1234WEBPVP8 ", None, True),
        (b"RIFF1234WAVEfmt ", None, False),
        (b"\x00\x00\x00\x18ftypmp42", None, True),
        (zlib.compress(b"x", wbits=31), "application/json", True),
        (compress_body(b"x"), None, True),
        (b"anything", "Video/MP4", True),
    ],
)
def test_what_is_compressed_already(body: bytes, content_type: str | None, compressed: bool) -> None:
    assert is_compressed(body, content_type) is compressed
