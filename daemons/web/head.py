"""What a request says before its body, and the two ways in which it can fail before any handler is asked."""

from attrs import frozen


@frozen
class Head:
    """A request head. Names are lower case; `target` is as sent."""

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    version: str = "1.1"

    def header(self, name: str) -> str | None:
        """Return the value of the first header of that name (any case), or None."""
        wanted = name.lower().encode("latin-1")
        for key, value in self.headers:
            if key == wanted:
                return value.decode("latin-1")
        return None

    def header_list(self, name: str) -> list[str]:
        """Return the comma-separated members of every header of that name, stripped."""
        wanted = name.lower().encode("latin-1")
        lines = [value.decode("latin-1") for key, value in self.headers if key == wanted]
        return [part.strip() for line in lines for part in line.split(",") if part.strip()]

    @property
    def has_body(self) -> bool:
        """Whether a body (even an empty one) follows by its framing."""
        return self.header("transfer-encoding") is not None or self.header("content-length") not in (
            None,
            "0",
        )

    @property
    def keeps_alive(self) -> bool:
        """Whether the client lets the connection go on after the answer."""
        return self.version == "1.1" and "close" not in map(str.lower, self.header_list("connection"))


class HttpError(Exception):
    """The request cannot be served: answer with this status and these words, then close."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status} {words}")
        self.status = status
        self.words = words


class PeerGone(Exception):
    """The peer closed or broke the connection in the middle of something, or took too long to read."""
