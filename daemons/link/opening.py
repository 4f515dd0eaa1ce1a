"""The opening: what both sides say first, and what makes a hello acceptable."""

import trio
from attrs import frozen

from daemons.link.transport import Transport
from daemons.ops.environment import Environment
from protocol.codec import decode_frames, encode_frame
from protocol.errors import CloseCode, RemoteProtocolError
from protocol.frames import Bye, ClockSample, Hello, Refuse
from protocol.segments import Compressor, Decompressor

MAJOR_MIN = 1
MAJOR_MAX = 1
MINOR = 1


@frozen
class Refused(Exception):
    """The other side will not have this connection, or we not it. `code` is a close code."""

    code: int
    words: str
    retry_after_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.words} ({self.code})"


def clock_sample(environment: Environment) -> ClockSample:
    """Read both clocks now."""
    return ClockSample(
        monotonic_us=int(trio.current_time() * 1e6),
        utc_us=int(environment.utc_now() * 1e6),
        boot=environment.boot_id(),
    )


def opening_message(frame: Hello | Refuse | Bye) -> bytes:
    """Encode a frame of the opening group: alone in its message, never compressed."""
    return Compressor().wrap(encode_frame(frame), counted=False, compress=False)


async def receive_hello(transport: Transport) -> Hello:
    """Wait for the peer's hello.

    Raises Refused when it refuses instead, RemoteProtocolError for anything else, TransportClosed. The caller's
    scope bounds the wait.
    """
    message = await transport.receive()
    if message[:1] != b"\0":
        raise RemoteProtocolError("the opening is neither compressed nor counted")
    payload, _ = Decompressor().unwrap(message)
    frames = decode_frames(payload)
    match frames:
        case [Hello() as hello]:
            return hello
        case [Refuse() | Bye() as refusal]:
            raise Refused(refusal.code, refusal.words, refusal.retry_after_ms / 1000)
    raise RemoteProtocolError("the first message is not a hello")


def check_hello(theirs: Hello, *, role: str, site: str) -> None:
    """Refuse a hello that has no major in common with ours, the wrong role, or another site than was proven."""
    if theirs.major_max < MAJOR_MIN or theirs.major_min > MAJOR_MAX:
        raise Refused(
            CloseCode.INCOMPATIBLE,
            f"no protocol version in common: here {MAJOR_MIN}–{MAJOR_MAX}, there {theirs.major_min}–"
            f"{theirs.major_max} ({theirs.software})",
        )
    if theirs.role != role:
        raise Refused(CloseCode.INCOMPATIBLE, f"a {role!r} was expected, this is a {theirs.role!r}")
    if theirs.site != site:
        raise Refused(
            CloseCode.UNAUTHORISED, f"the hello names site {theirs.site!r}, what was proven is {site!r}"
        )
