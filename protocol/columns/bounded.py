"""Reading numbers and stretches of bytes that a stranger wrote, never behind their end."""

from protocol.columns.values import ColumnsError

__all__ = ["Reader", "signed", "unsigned", "varint"]

_VARINT_BYTES_MAX = 9


def varint(value: int) -> bytes:
    """Return a number from 0 as LEB128: seven bits to a byte, the lowest first, the top bit on all but the last."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def unsigned(value: int) -> int:
    """Return the zigzag of a whole number: 0, -1, 1, -2 are 0, 1, 2, 3."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def signed(value: int) -> int:
    """Return what `unsigned` was given."""
    return value >> 1 ^ -(value & 1)


class Reader:
    """Takes one thing after the other from the front of `data`. Raises ColumnsError for what is not there."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self._at = 0

    def byte(self) -> int:
        """Take one byte."""
        return self.take(1)[0]

    def take(self, size: int) -> memoryview:
        """Take `size` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise ColumnsError(f"a batch that ends {end - len(self._data)} bytes too early")
        self._at, begin = end, self._at
        return self._data[begin:end]

    def varint(self) -> int:
        """Take a number below 2^63."""
        value = 0
        for index in range(_VARINT_BYTES_MAX):
            byte = self.byte()
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                return value
        raise ColumnsError("a number of more than 63 bits")

    def rest(self) -> memoryview:
        """Take all that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """Raise ColumnsError unless everything was taken."""
        left = len(self._data) - self._at
        if left:
            raise ColumnsError(f"{left} bytes behind the end of a batch")
