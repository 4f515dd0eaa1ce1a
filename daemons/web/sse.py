"""Server-sent events as bytes (WHATWG HTML §9.2), and as chunks of an HTTP/1.1 body."""

__all__ = ["chunk", "data_of", "event"]


def event(kind: str, data: bytes, id_: str = "") -> bytes:
    """Return one event. `data` and `id_` must hold no line ends."""
    name = b"id: %s\n" % id_.encode() if id_ else b""
    return b"%sevent: %s\ndata: %s\n\n" % (name, kind.encode(), data)


def chunk(data: bytes) -> bytes:
    """Return `data`, which is not empty, as one chunk (RFC 9112 §7.1): made once, it serves every viewer."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def data_of(chunk: bytes) -> bytes:
    """Return what `chunk` was made of."""
    return chunk[chunk.index(b"\r\n") + 2 : -2]
