"""The session info, text that changes a little at a time: each one is compressed with the one before as dictionary."""

from protocol.columns.bounded import Reader, varint
from protocol.columns.values import ColumnsError
from protocol.zstd import (
    CompressionParameter,
    DecompressionParameter,
    ZstdCompressor,
    ZstdDecompressor,
    ZstdDict,
    ZstdError,
)

__all__ = ["decode_info", "encode_info"]

ALONE, AFTER = 0xC2, 0xC3
"""The first byte: of an info that stands alone, and of one that needs the info before it."""

# The checksum tells another text before it: with a raw dictionary zstd decodes, to something else.
_OPTIONS = {int(CompressionParameter.compression_level): 9, int(CompressionParameter.checksum_flag): 1}
_DICTIONARY_BYTES_MIN = 8
_WINDOW_LOG_MAX = 23


def encode_info(text: bytes, before: bytes | None) -> bytes:
    """Return `text` compressed; with the text `before` it when the receiver has that."""
    if before is None or len(before) < _DICTIONARY_BYTES_MIN:
        kind, dictionary = ALONE, None
    else:
        kind, dictionary = AFTER, ZstdDict(before, is_raw=True).as_prefix
    packed = ZstdCompressor(options=_OPTIONS, zstd_dict=dictionary).compress(text, ZstdCompressor.FLUSH_FRAME)
    return b"".join([bytes([kind]), varint(len(text)), packed])


def decode_info(data: bytes, before: bytes | None, *, bytes_max: int) -> bytes:
    """Return the text that `encode_info` was given, with the same `before`. Raises ColumnsError, also for one of more
    than `bytes_max` and for one that needs another text before it."""
    reader = Reader(data)
    kind = reader.byte()
    size = reader.varint()
    if kind not in (ALONE, AFTER):
        raise ColumnsError(f"not a session info: begins with {kind}")
    if size > bytes_max:
        raise ColumnsError(f"a session info of {size} bytes; {bytes_max} are allowed")
    dictionary = None
    if kind == AFTER:
        if before is None or len(before) < _DICTIONARY_BYTES_MIN:
            raise ColumnsError("a session info that needs the one before it")
        dictionary = ZstdDict(before, is_raw=True).as_prefix
    options = {int(DecompressionParameter.window_log_max): _WINDOW_LOG_MAX}
    decompressor = ZstdDecompressor(dictionary, options)
    try:
        text = decompressor.decompress(reader.rest(), size + 1)
    except ZstdError:
        raise ColumnsError("a session info that is not zstd, or not after this text") from None
    if len(text) != size or not decompressor.eof or decompressor.unused_data:
        raise ColumnsError("a session info that is not as long as it says")
    return text
