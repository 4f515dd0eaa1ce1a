"""The frames: every CBOR array `[kind, …]` that can cross the link, as frozen values.

Required fields stand in the array in order; a frame with optional fields ends with one map of them, in which unknown
keys are ignored. A kind ≥ 128 that is unknown is ignored, any other unknown kind is a protocol error. `wire.cddl` is
the normative form; `tests/protocol/test_wire_cddl.py` holds the two together.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import Factory, field, frozen

FRAME_BYTES_MAX = 16 * 1024
"""An encoded frame is at most this long; whatever is larger travels as chunks."""

MESSAGE_BYTES_MAX = 64 * 1024
"""A decoded WebSocket message (all its frames, after decompression) is at most this long."""

SITE_NAME_MAX = 64


# --- opening: frozen for ever, uncompressed ----------------------------------------------------------------------


@frozen
class OutPosition:
    """What a sender still holds of one epoch of one channel: [first_held, next)."""

    channel: str
    epoch: int
    first_held: int
    next: int


@frozen
class InPosition:
    """The highest sequence number a receiver has committed in one epoch of one channel."""

    channel: str
    epoch: int
    committed: int


@frozen
class TopicPosition:
    """Where a replica of a state topic stands. `digest`: 8 bytes, big-endian."""

    topic: str
    epoch: int
    seq: int
    digest: bytes


@frozen
class ClockSample:
    """The sender's clocks at one moment, in µs; `boot` changes when the machine restarts."""

    monotonic_us: int
    utc_us: int
    boot: bytes = b""
    synchronised: bool = False


@frozen
class Limits:
    """What a side accepts. Bytes, counts."""

    body_bytes: int = 8 * 1024 * 1024
    requests_in_flight: int = 8
    initial_credit_bytes: int = 64 * 1024
    window_messages: int = 1024
    window_bytes: int = (
        1024 * 1024
    )  # with 1 KB messages and an fsync of 4 ms, 256 KiB would halve the throughput


@frozen
class Hello:
    """The first frame each way. `instance` is random per process start, `attempt` counts its connections."""

    kind: ClassVar[int] = 0
    major_min: int
    major_max: int
    minor: int
    role: str
    site: str
    instance: bytes
    attempt: int
    software: str
    clock: ClockSample
    features: list[str] = Factory(list)
    limits: Limits = field(factory=Limits)
    out: list[OutPosition] = Factory(list)
    committed: list[InPosition] = Factory(list)
    topics: list[TopicPosition] = Factory(list)
    nonce: str = ""  # the hub's, for the site's next upgrade


@frozen
class Refuse:
    """The hub will not serve this connection; sent instead of a hello, then closed with `code`."""

    kind: ClassVar[int] = 1
    code: int
    words: str
    retry_after_ms: int = 0


@frozen
class Bye:
    """An announced end. `retry_after_ms` says when to come back."""

    kind: ClassVar[int] = 2
    code: int
    words: str
    retry_after_ms: int = 0


# --- liveness ----------------------------------------------------------------------------------------------------


@frozen
class Ping:
    kind: ClassVar[int] = 8
    id: int
    monotonic_us: int


@frozen
class Pong:
    """Answers ping `id`: the answerer's monotonic clock when it came and when this left, its UTC at leaving (0: unknown)."""

    kind: ClassVar[int] = 9
    id: int
    received_us: int
    sent_us: int
    utc_us: int


# --- reliable ----------------------------------------------------------------------------------------------------


@frozen
class Message:
    """One reliable message. `body` is its durable CBOR body, `version` the body's schema version."""

    kind: ClassVar[int] = 16
    channel: str
    epoch: int
    seq: int
    type: str
    version: int
    body: bytes


@frozen
class Ack:
    """The effects of all messages ≤ `seq` of this epoch are committed (or committed as refused)."""

    kind: ClassVar[int] = 17
    channel: str
    epoch: int
    seq: int


@frozen
class Skip:
    """Stands in the place of messages `first`…`last`, which will never come."""

    kind: ClassVar[int] = 18
    channel: str
    epoch: int
    first: int
    last: int
    reason: str


# --- state -------------------------------------------------------------------------------------------------------


@frozen
class Update:
    """A flush of a topic: encoded rows that changed, keys that went. `digest` is the table's after applying it.

    `max_silence_ms`: once `as_of_us` is older than this the source is to be called silent; 0: as said before.
    """

    kind: ClassVar[int] = 24
    topic: str
    epoch: int
    seq: int
    rows: Mapping[str, bytes]
    removed: list[str]
    digest: bytes
    as_of_us: int
    max_silence_ms: int = 0


@frozen
class StateAck:
    kind: ClassVar[int] = 25
    topic: str
    epoch: int
    seq: int


@frozen
class Fresh:
    """Nothing changed since flush `seq`; the source was read successfully at `as_of_us` (UTC of the sender, µs)."""

    kind: ClassVar[int] = 26
    topic: str
    epoch: int
    seq: int
    as_of_us: int


@frozen
class SyncRequest:
    kind: ClassVar[int] = 27
    topic: str
    reason: str


@frozen
class SyncPart:
    """Part `index` of a whole table at (epoch, seq); the last one carries the digest of all of it."""

    kind: ClassVar[int] = 28
    topic: str
    epoch: int
    seq: int
    index: int
    last: bool
    rows: Mapping[str, bytes]
    digest: bytes
    as_of_us: int
    max_silence_ms: int = 0


# --- request -----------------------------------------------------------------------------------------------------


@frozen
class Request:
    """Ask the peer. `deadline_ms` is what remains, stamped when the writer picks the frame."""

    kind: ClassVar[int] = 32
    id: int
    method: str
    deadline_ms: int
    params: Mapping[str, Any]


@frozen
class Response:
    """The answer to request `id`. `body_bytes`: length of the encoded body that follows as chunks, or is in `inline`."""

    kind: ClassVar[int] = 33
    id: int
    result: Mapping[str, Any]
    body_bytes: int = 0
    inline: bytes = b""


@frozen
class Error:
    kind: ClassVar[int] = 34
    id: int
    code: str
    words: str


@frozen
class Cancel:
    kind: ClassVar[int] = 35
    id: int


@frozen
class Push:
    """Tell the peer what it did not ask for now: a watched body that changed.

    `id` counts down from −1 per connection and side, so that chunks, credit and cancel of a push never meet those of a
    request. The rest is as in a Response.
    """

    kind: ClassVar[int] = 36
    id: int
    method: str
    result: Mapping[str, Any]
    body_bytes: int = 0
    inline: bytes = b""


# --- bodies ------------------------------------------------------------------------------------------------------


@frozen
class Chunk:
    """Bytes of the body that answers request `id`, from `offset` of its encoded form."""

    kind: ClassVar[int] = 40
    id: int
    offset: int
    data: bytes


@frozen
class Credit:
    """The body of request `id` may be sent up to byte `upto` (cumulative, granted from what was consumed)."""

    kind: ClassVar[int] = 41
    id: int
    upto: int


@frozen
class Received:
    """`total` bytes of counted messages have arrived on this connection; the last of them `hold_us` ago."""

    kind: ClassVar[int] = 42
    total: int
    hold_us: int


# --- streams -----------------------------------------------------------------------------------------------------


@frozen
class Batch:
    """A piece of a live entry: `data` from `offset` of its `total` bytes. Never sent again: a number left out is lost.

    `entry`: what kind of entry, a number of the wing's; `as_of_us`: the sender's UTC of what is newest in it, 0: unknown.
    """

    kind: ClassVar[int] = 48
    stream: bytes
    number: int
    entry: int
    as_of_us: int
    offset: int
    total: int
    data: bytes


@frozen
class Fill:
    """A piece of an archive's entry, as in a Batch. Entries come in order, each until it is durable at the peer.

    `lost`: so many numbers in front of this one will never come.
    """

    kind: ClassVar[int] = 49
    stream: bytes
    number: int
    entry: int
    as_of_us: int
    offset: int
    total: int
    data: bytes
    lost: int = 0


@frozen
class Offer:
    """There is an archive of that name here: from which number on is it wanted? Answered with a Filled."""

    kind: ClassVar[int] = 50
    stream: bytes


@frozen
class Filled:
    """All entries of the archive below `next` are durable. With `words` no more is taken, for `retry_after_ms`."""

    kind: ClassVar[int] = 51
    stream: bytes
    next: int
    words: str = ""
    retry_after_ms: int = 0


@frozen
class Wish:
    """What is wanted live now; `body` belongs to the wing. The last one of a name holds."""

    kind: ClassVar[int] = 52
    name: str
    body: bytes


@frozen
class Datagrams:
    """Live batches may come as datagrams to this UDP port of the sender, sealed with this key under this id."""

    kind: ClassVar[int] = 53
    port: int
    id: bytes
    key: bytes


@frozen
class Arrived:
    """So many datagrams have arrived on this connection and were let in."""

    kind: ClassVar[int] = 54
    total: int


Frame = (
    Hello | Refuse | Bye | Ping | Pong | Message | Ack | Skip | Update | StateAck | Fresh | SyncRequest | SyncPart
    | Request | Response | Error | Cancel | Push | Chunk | Credit | Received | Batch | Fill | Offer | Filled | Wish
    | Datagrams | Arrived
)  # fmt: skip
