"""Bodies in zstd (RFC 8878): whole, or as a delta against a body that the receiver holds.

A delta is a zstd frame with the known body as its prefix dictionary (the idea of RFC 9842). The receiver checks what
comes out against the body's digest; the frame's own checksum stays off the wire because that check is the stronger one.
"""

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["apply_delta", "compress_body", "decompress_body", "decompress_prefix", "is_compressed", "make_delta"]

_LEVEL = 9
_BIG_BYTES = 256 * 1024
_BIG_LEVEL = 3
"""Above _BIG_BYTES the time would be felt."""

_WINDOW_LOG_MAX = 27
_MAGIC = (b"\x1f\x8b", b"PK\x03\x04", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"\x28\xb5\x2f\xfd", b"wOF", b"BZh")
_TYPES = ("image/", "video/", "audio/", "font/woff", "application/zip", "application/gzip")


def is_compressed(body: bytes, content_type: str | None) -> bool:
    """Tell whether compressing again would be waste: by magic number, else by type."""
    if body.startswith(_MAGIC) or body[4:8] == b"ftyp":
        return True
    kind = (content_type or "").lower()
    return kind.startswith(_TYPES) and "svg" not in kind


def _options(size: int, *, known: int = 0) -> dict[int, int]:
    level = _BIG_LEVEL if size + known > _BIG_BYTES else _LEVEL
    options = {
        zstd.CompressionParameter.compression_level: level,
        zstd.CompressionParameter.checksum_flag: 0,
        zstd.CompressionParameter.dict_id_flag: 0,
    }
    if known:
        # The window must reach over the whole known body, wherever in the new one it is needed.
        options[zstd.CompressionParameter.window_log] = max(10, (size + known).bit_length())
    return options


def compress_body(body: bytes) -> bytes:
    """Return the body as a zstd frame."""
    data: bytes = zstd.compress(body, options=_options(len(body)))
    return data


def make_delta(base: bytes, body: bytes) -> bytes:
    """Return what turns `base` into `body`."""
    if not base:
        return compress_body(body)
    known = zstd.ZstdDict(base, is_raw=True).as_prefix
    data: bytes = zstd.compress(body, options=_options(len(body), known=len(base)), zstd_dict=known)
    return data


def _inflate(stream: zstd.ZstdDecompressor, data: bytes, max_bytes: int) -> bytes:
    try:
        body: bytes = stream.decompress(data, max_bytes + 1)
    except (zstd.ZstdError, EOFError) as exc:
        raise ValueError("no zstd frame, or one against another body") from exc
    if len(body) > max_bytes:
        raise ValueError(f"more than {max_bytes} bytes come out")
    return body


def _whole(stream: zstd.ZstdDecompressor, data: bytes, max_bytes: int) -> bytes:
    body = _inflate(stream, data, max_bytes)
    if not stream.eof or stream.unused_data:
        raise ValueError("the frame is cut short, or something follows it")
    return body


def apply_delta(base: bytes, delta: bytes, max_bytes: int) -> bytes:
    """Return the body that `delta` makes of `base`. Raises ValueError: not a delta of it, or over `max_bytes`."""
    if not base:
        return decompress_body(delta, max_bytes)
    options = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG_MAX}
    known = zstd.ZstdDict(base, is_raw=True).as_prefix
    return _whole(zstd.ZstdDecompressor(zstd_dict=known, options=options), delta, max_bytes)


def decompress_body(data: bytes, max_bytes: int) -> bytes:
    """Return the body of a whole frame. Raises ValueError: no frame, torn, or over `max_bytes`."""
    options = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG_MAX}
    return _whole(zstd.ZstdDecompressor(options=options), data, max_bytes)


def decompress_prefix(data: bytes, max_bytes: int) -> bytes:
    """Return as much of a body as the beginning of its frame gives: where a broken transfer goes on from."""
    options = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG_MAX}
    return _inflate(zstd.ZstdDecompressor(options=options), data, max_bytes)
