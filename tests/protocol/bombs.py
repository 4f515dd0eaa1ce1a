"""Bombs, and the child process that takes them: small inputs made to cost seconds or gigabytes.

Run as a program it limits its address space, feeds every bomb to every decoder, and prints one JSON line
each: {"bomb", "target", "outcome", "ms" of CPU}. What it must not do is raise anything but the error of that
decoder.
"""

import json
import resource
import struct
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from protocol import cbor, messages
from protocol.canonical import canonicalize
from protocol.codec import decode_frames
from protocol.delta import apply_delta, decompress_body
from protocol.errors import RemoteProtocolError
from protocol.frames import MESSAGE_BYTES_MAX
from protocol.segments import Decompressor
from protocol.zstd import CompressionParameter, ZstdCompressor

SPARE_BYTES = 64 * 1024 * 1024
LIMIT_MS = 50.0
KIB = 1024


def head(major: int, count: int) -> bytes:
    return struct.pack(">BQ", (major << 5) | 27, count)


def bignum(size: int) -> bytes:
    return b"\xc2" + head(2, size) + b"\xff" * size


def _laughs(levels: int) -> bytes:
    """Billion laughs by shared references: every level holds the one below twice."""
    inner = b"\xd8\x1c\x80"
    for level in range(levels):
        inner = b"\xd8\x1c\x82" + inner + b"\xd8\x1d" + bytes((level if level < 24 else 0,))
    return inner


def _many(item: bytes, size: int) -> bytes:
    count = (size - 9) // len(item)
    return head(4, count) + item * count


def cbor_bombs(size: int) -> Iterator[tuple[str, bytes]]:
    """Yield bombs of at most `size` bytes (chaos.md 5.2 and more)."""
    mantissa = bignum(size - 40)
    half = bignum(size // 2 - 40)
    key = b"\xc2\x50"
    yield "decimal with a bignum mantissa", b"\xc4\x82\x01" + mantissa
    yield "bigfloat with a bignum mantissa", b"\xc5\x82\x01" + mantissa
    yield "decimal 1E+999999999", b"\xc4\x82\x1a\x3b\x9a\xc9\xff\x01"
    yield "rational of two bignums", b"\xd8\x1e\x82" + half + half
    yield "bignum", mantissa
    yield "bignum of 8 KiB", bignum(8 * KIB)
    keys = [key + (number * (2**61 - 1)).to_bytes(16, "big") + b"\x00" for number in range((size - 9) // 19)]
    yield "map with colliding bignum keys", head(5, len(keys)) + b"".join(keys)
    numbers = [head(0, number) + b"\x00" for number in range((size - 9) // 10)]
    yield "map with integer keys", head(5, len(numbers)) + b"".join(numbers)
    yield "set of bignums", b"\xd9\x01\x02" + head(4, len(keys)) + b"".join(part[:-1] for part in keys)
    yield "MIME messages", _many(b"\xd8\x24\x60", size)
    yield "regexes", _many(b"\xd8\x23\x66(a+)+$", size)
    yield "dates", _many(b"\xc1\xfb\x7e\x37\xe4\x3c\x88\x00\x75\x9c", size)
    yield "billion laughs", _laughs(24)
    yield "cycle", bytes.fromhex("d81c81d81d00")
    yield "string references", b"\xd9\x01\x00\x82" + head(2, size // 2) + bytes(size // 2) + b"\xd8\x19\x00"
    yield "empty arrays", _many(b"\x80", size)
    yield "empty maps", _many(b"\xa0", size)
    yield "arrays of one", _many(b"\x81\x80", size)
    yield "empty arrays as a sequence", b"\x80" * size
    yield "zeros as a sequence", b"\x00" * size
    for deep in (
        b"\x81",
        b"\x9f",
        b"\xa1",
        b"\xbf",
        b"\xa1\x60",
        b"\xc6",
        b"\xd9\xd9\xf7",
        b"\xd8\x1c",
        b"\x5f",
    ):
        yield f"depth of {deep.hex()}", (deep * size)[:size]
    for major in (2, 3, 4, 5):
        for count in (2**32, 2**63, 2**64 - 1, size):
            yield f"length {count} of major {major}", head(major, count)
    yield (
        "heads that each claim the rest",
        b"".join(head(4, size - 9 * number) for number in range(size // 9)),
    )
    yield "a map with one key again and again", head(5, (size - 9) // 3) + b"\x61a\x00" * ((size - 9) // 3)
    yield "trailing garbage", b"\x00\x00"


def frame_bombs() -> Iterator[tuple[str, bytes]]:
    for name, array in {
        "credits": b"\x83\x18\x29\x00\x00",
        "cancels": b"\x82\x18\x23\x00",
        "unknown frames": b"\x81\x18\x80",
        "acks": b"\x84\x11\x61c\x00\x00",
    }.items():
        yield f"{name} by the thousand", array * min(cbor.SEQUENCE_ITEMS_MAX, MESSAGE_BYTES_MAX // len(array))
    yield "bytes(3000000000)", b"\x87\x10\x61c\x00\x00\x61t\x01\x1a\xb2\xd0\x5e\x00"
    position = b"\x84\x61c\x00\x00\x00"
    hello = (
        b"\x8b\x00\x01\x01\x00\x61s\x61s\x48instance\x01\x61x\x82\x01\x02\xa1\x63out\x99\x08\xfc"
        + position * 2300
    )
    yield "hellos full of positions", hello * 4
    yield (
        "updates full of keys",
        (b"\x88\x18\x18\x61t\x00\x00\xa0\x99\x3e\x80" + b"\x60" * 16_000 + b"\x48digest!!\x00") * 4,
    )
    params = b"\x85\x18\x20\x00\x61f\x00\xa1\x61a\x99\x3e\x80" + b"\x80" * 16_000
    yield "requests full of empty arrays", params * 4
    yield "a frame of 60 KiB", b"\x84\x18\x28\x00\x00\x59\xf0\x00" + bytes(0xF000)


def zstd_frame(data: bytes, *, ends: bool, window_log: int) -> bytes:
    compressor = ZstdCompressor(options={int(CompressionParameter.window_log): window_log})
    out = [compressor.compress(data) for _ in range(64)]
    return b"".join(out) + compressor.flush(
        ZstdCompressor.FLUSH_FRAME if ends else ZstdCompressor.FLUSH_BLOCK
    )


def zstd_bombs() -> Iterator[tuple[str, bytes]]:
    nothing = bytes(4 << 20)
    yield "256 MiB of zeros, open", zstd_frame(nothing, ends=False, window_log=17)
    yield "256 MiB of zeros, ended", zstd_frame(nothing, ends=True, window_log=17)
    yield "a window of 128 MiB", zstd_frame(b"x", ends=False, window_log=27)
    yield "a window of 2 GiB", b"\x28\xb5\x2f\xfd\x00\xa8" + b"\x02\x00\x80x"
    yield "a content size of 2^63", b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 8 + b"\x02\x00\x80x"
    yield "blocks of nothing", b"\x28\xb5\x2f\xfd\x00\x38" + bytes(60 * KIB)
    yield "run length blocks", b"\x28\xb5\x2f\xfd\x00\x38" + b"\x02\x00\x10x" * (15 * KIB)
    yield "a skippable frame of 4 GiB", b"\x50\x2a\x4d\x18\xff\xff\xff\xff" + bytes(100)
    yield "skippable frames", b"\x50\x2a\x4d\x18\x00\x00\x00\x00" * (8 * KIB)
    yield "an unknown dictionary", b"\x28\xb5\x2f\xfd\x03\x38\x01\x00\x00\x00" + b"\x01\x00\x00"


def json_bombs() -> Iterator[tuple[str, bytes]]:
    size = 64 * KIB
    for deep in (b"[", b'{"a":', b"[1e-7,", b'{"\\ud83d\\ude00":'):
        yield f"depth of {deep.decode()}", deep * (size // len(deep))
    yield "a number of 64 KiB", b"9" * size
    yield "a fraction of 64 KiB", b"0." + b"1" * size
    yield "an exponent of 64 KiB", b"1e" + b"9" * size
    yield "tiny numbers", b"[" + b"1e-7," * (size // 6) + b"1]"
    yield "empty arrays", b"[" + b"[]," * (size // 4) + b"1]"


Target = tuple[str, Callable[[bytes], Any], type[Exception]]
CBOR: list[Target] = [
    ("decode", cbor.decode, RemoteProtocolError),
    ("decode_frames", decode_frames, RemoteProtocolError),
    ("unwrap", lambda data: decode_frames(Decompressor().unwrap(b"\x00" + data)[0]), RemoteProtocolError),
    ("decode_body", lambda data: messages.decode_body("origin.found", 1, data), messages.UnknownBody),
]
ZSTD: list[Target] = [
    ("unwrap", lambda data: decode_frames(Decompressor().unwrap(b"\x01" + data)[0]), RemoteProtocolError),
    ("decompress_body", lambda data: decompress_body(data, 1 << 20), ValueError),
    ("apply_delta", lambda data: apply_delta(b"base" * 5000, data, 1 << 20), ValueError),
]
JSON: list[Target] = [("canonicalize", canonicalize, ValueError)]


def attempts() -> Iterator[tuple[str, bytes, Target]]:
    for size in (MESSAGE_BYTES_MAX, 1024 * KIB):
        for name, bomb in cbor_bombs(size):
            for target in CBOR:
                yield f"{name}, {size // KIB} KiB", bomb, target
    for bombs, targets in ((frame_bombs(), CBOR), (zstd_bombs(), ZSTD), (json_bombs(), JSON)):
        for name, bomb in bombs:
            for target in targets:
                yield name, bomb, target


def detonate(bomb: bytes, decode: Callable[[bytes], Any], expected: type[Exception]) -> tuple[str, float]:
    started = time.process_time()
    try:
        decode(bomb)
        outcome = "accepted"
    except expected as exc:
        outcome = f"refused: {exc}"
    except BaseException as exc:  # MemoryError above all: it is to be reported, not to end the run
        outcome = f"FAILED: {type(exc).__name__}"
    return outcome, (time.process_time() - started) * 1000


def main() -> None:
    everything = list(attempts())
    with open("/proc/self/statm", encoding="ascii") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE_BYTES, used + SPARE_BYTES))
    for name, bomb, (target, decode, expected) in everything:
        # The fastest of five where it matters: other processes slow this one down, its memory and its caches are
        # theirs too. A decoder that is slow is slow five times.
        outcome, ms = detonate(bomb, decode, expected)
        for _ in range(4):
            if ms < LIMIT_MS / 5:
                break
            ms = min(ms, detonate(bomb, decode, expected)[1])
        print(json.dumps({"bomb": name, "target": target, "outcome": outcome, "ms": ms}))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
