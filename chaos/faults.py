"""The vocabulary of faults: what can be wrong with a connection, as values that say nothing about who does it.

A relay in front of real programs carries them (`chaos.proxy`), and profiles are made of them. As JSON a fault is a
Toxiproxy toxic: `type` and `attributes`, in Toxiproxy's units where Toxiproxy has the type (milliseconds, kB/s,
bytes, microseconds); what Toxiproxy has not are further types and attributes in the same units. In Python times are
seconds, sizes bytes, rates bytes a second.

Nothing in here takes bytes out of the middle of a stream that lives on: TCP cannot do that. A lost segment is a stall
(`Loss`), and what swallows bytes (`Timeout`, `HalfOpen`, `NatTimeout`) ends the connection sooner or later.

Some know what the bytes mean (`knows_messages`): those are for who sees the link's frames, inside of a daemon or in the
simulation, and not for a relay in front of TLS.
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Final

import attrs
from attrs import field, frozen

from chaos.recording import Recording, RecordingError, load_recording

__all__ = [
    "FAULTS",
    "Bandwidth",
    "BitFlip",
    "CaptivePortal",
    "DelayAcks",
    "DuplicateMessage",
    "EatMessage",
    "Fault",
    "FaultError",
    "Fin",
    "HalfOpen",
    "Ignore",
    "Latency",
    "LimitData",
    "LimitTime",
    "Loss",
    "MtuHole",
    "NatTimeout",
    "Outage",
    "Placed",
    "Refuse",
    "ResetPeer",
    "Silence",
    "Slicer",
    "SlowClose",
    "StarveHeartbeats",
    "Stream",
    "Timeout",
    "Trace",
    "read_fault",
    "show_fault",
]

MS: Final = 1000.0
US: Final = 1e6
KB: Final = 1e-3

LARGEST: Final = 1e12
"""Of any attribute: larger is a slip of the pen, and infinity is no JSON."""


class FaultError(ValueError):
    """A fault that cannot be; `args[0]` says why in words."""


class Stream(StrEnum):
    """Which direction. Upstream is from the client, who dials the relay, to the server behind it."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"
    BOTH = "both"

    def covers(self, direction: "Stream") -> bool:
        return self is Stream.BOTH or self is direction


def _number(
    name: str, default: float = 0.0, *, per: float = 1.0, least: float = 0.0, most: float = LARGEST
) -> Any:
    """Declare an attribute called `name` in JSON, where it is `per` times as large; bounds are those of JSON."""
    return field(default=default, metadata={"json": name, "per": per, "least": least, "most": most})


def _text(name: str) -> Any:
    return field(default="", metadata={"json": name, "text_max": 4096})


def _choice(name: str, *choices: str) -> Any:
    return field(default=choices[0], metadata={"json": name, "choices": choices})


@frozen
class Fault:
    """Base of all; `type` is its name in JSON."""

    type: ClassVar[str] = ""
    knows_messages: ClassVar[bool] = False


@frozen
class Latency(Fault):
    """Delay, one way. `jitter_s`: half the width (uniform) or the standard deviation (normal, pareto).

    `correlation` 0…1: how much a draw resembles the one before; `hold_s`: a draw holds for so long.
    """

    type: ClassVar[str] = "latency"
    latency_s: float = _number("latency", per=MS)
    jitter_s: float = _number("jitter", per=MS)
    distribution: str = _choice("distribution", "uniform", "normal", "pareto")
    correlation: float = _number("correlation", most=1)
    hold_s: float = _number("hold", per=MS)


@frozen
class Bandwidth(Fault):
    """A line of this rate that all connections of the relay share; 0 stops it. `queue_bytes`: what waits in the modem
    before the sender is held back; 0: a tenth of a second's worth."""

    type: ClassVar[str] = "bandwidth"
    rate_bytes_s: float = _number("rate", per=KB)
    queue_bytes: float = _number("queue", per=KB)

    @property
    def queue(self) -> int:
        return int(self.queue_bytes) or _queue_of(self.rate_bytes_s)


def _queue_of(rate_bytes_s: float) -> int:
    return max(16 * 1024, int(rate_bytes_s / 10))


@frozen
class Trace(Fault):
    """A line that lets through what a recorded one did (see chaos/recording.py), from `start_s` of the recording on, and
    over again; all connections share it. `file`: a path, with `#NAME` where it holds several."""

    type: ClassVar[str] = "trace"
    file: str = _text("file")
    queue_bytes: float = _number("queue", per=KB)
    start_s: float = _number("start", per=MS)

    def load(self) -> Recording:
        """Read the file, unless it is known. Raises FaultError."""
        if not self.file:
            raise FaultError("file must name a recording")
        try:
            return load_recording(self.file)
        except RecordingError as exc:
            raise FaultError(str(exc)) from exc

    def queue(self, recording: Recording) -> int:
        return int(self.queue_bytes) or _queue_of(recording.mean_bytes_s)


@frozen
class Loss(Fault):
    """Segments lost with this probability: never missing bytes, always a stall, as a kernel has it."""

    type: ClassVar[str] = "loss"
    share: float = _number("loss", most=0.9)


@frozen
class Silence(Fault):
    """Nothing moves, nothing is closed, what is under way waits. New connections hang. Goes on where it stood."""

    type: ClassVar[str] = "silence"


@frozen
class Outage(Fault):
    """Comes and goes: `up_s` well and `down_s` gone in the mean, no outage longer than `most_s` (0: no matter).

    `spread`: drawn from an exponential distribution, or always the mean. `how`: silent, connections reset and refused,
    or the same after an orderly close.
    """

    type: ClassVar[str] = "outage"
    up_s: float = _number("up", 10.0, per=MS, least=1)
    down_s: float = _number("down", 1.0, per=MS, least=1)
    most_s: float = _number("max", per=MS)
    spread: str = _choice("spread", "exponential", "fixed")
    how: str = _choice("how", "silence", "reset", "close")


@frozen
class HalfOpen(Fault):
    """One direction's bytes are taken and vanish. The connections struck are reset when the fault is removed."""

    type: ClassVar[str] = "half_open"


@frozen
class NatTimeout(Fault):
    """Connections that were idle for `idle_s` are forgotten: both directions vanish for good. New ones work."""

    type: ClassVar[str] = "nat_timeout"
    idle_s: float = _number("idle", 30.0, per=MS, least=1)


@frozen
class MtuHole(Fault):
    """What comes in pieces larger than `size_bytes` is stuck, with all behind it, until the fault is removed."""

    type: ClassVar[str] = "mtu_hole"
    size_bytes: float = _number("size", 1400, least=1)


@frozen
class BitFlip(Fault):
    """One bit of a piece of the stream is turned with this probability."""

    type: ClassVar[str] = "bit_flip"
    share: float = _number("share", 0.01, most=1)


@frozen
class Slicer(Fault):
    """The stream comes in slices of about `average_bytes`, give or take `variation_bytes`, `delay_s` apart."""

    type: ClassVar[str] = "slicer"
    average_bytes: float = _number("average_size", 64, least=1)
    variation_bytes: float = _number("size_variation")
    delay_s: float = _number("delay", per=US)


@frozen
class LimitData(Fault):
    """Exactly so many bytes pass, counted from when the fault meets the connection; then it is closed."""

    type: ClassVar[str] = "limit_data"
    limit_bytes: float = _number("bytes")


@frozen
class LimitTime(Fault):
    """The connection is closed after `time_s`, whatever it does."""

    type: ClassVar[str] = "limit_time"
    time_s: float = _number("time", per=MS)


@frozen
class SlowClose(Fault):
    """The end of the stream comes `delay_s` late."""

    type: ClassVar[str] = "slow_close"
    delay_s: float = _number("delay", per=MS)


@frozen
class Timeout(Fault):
    """Bytes vanish; the connection is closed after `timeout_s`, with traffic or without. 0: when the fault is removed."""

    type: ClassVar[str] = "timeout"
    timeout_s: float = _number("timeout", per=MS)


@frozen
class ResetPeer(Fault):
    """Both ends get a real RST `timeout_s` after the fault met the connection, idle or not."""

    type: ClassVar[str] = "reset_peer"
    timeout_s: float = _number("timeout", per=MS)


@frozen
class Fin(Fault):
    """Connections are closed in order as soon as there are any."""

    type: ClassVar[str] = "fin"


@frozen
class Refuse(Fault):
    """New connections are reset at once. Open ones go on."""

    type: ClassVar[str] = "refuse"


@frozen
class Ignore(Fault):
    """New connections are accepted, and nobody answers. They are reset when the fault is removed."""

    type: ClassVar[str] = "ignore"


@frozen
class CaptivePortal(Fault):
    """New connections get a web page with status 200, whatever they ask for, and are closed. Seen without TLS only."""

    type: ClassVar[str] = "captive_portal"


@frozen
class DelayAcks(Fault):
    """Acknowledgements, and nothing else, come `delay_s` late."""

    type: ClassVar[str] = "delay_acks"
    knows_messages: ClassVar[bool] = True
    delay_s: float = _number("delay", 1.0, per=MS)


@frozen
class DuplicateMessage(Fault):
    """Numbered messages come twice, each with this probability; the second one behind what was said meanwhile."""

    type: ClassVar[str] = "duplicate_message"
    knows_messages: ClassVar[bool] = True
    share: float = _number("share", 0.1, most=1)


@frozen
class StarveHeartbeats(Fault):
    """Pings and their answers vanish, and nothing else."""

    type: ClassVar[str] = "starve_heartbeats"
    knows_messages: ClassVar[bool] = True


@frozen
class EatMessage(Fault):
    """Numbered messages vanish, each with this probability, `count` of them at most (0: no matter how many).

    No network does that, a broken middlebox may: the gap in the numbers must be found.
    """

    type: ClassVar[str] = "eat_message"
    knows_messages: ClassVar[bool] = True
    share: float = _number("share", 1.0, most=1)
    count: float = _number("count", 1)


_ALL: tuple[type[Fault], ...] = (
    Latency,
    Bandwidth,
    Trace,
    Loss,
    Silence,
    Outage,
    HalfOpen,
    NatTimeout,
    MtuHole,
    BitFlip,
    Slicer,
    LimitData,
    LimitTime,
    SlowClose,
    Timeout,
    ResetPeer,
    Fin,
    Refuse,
    Ignore,
    CaptivePortal,
    DelayAcks,
    DuplicateMessage,
    StarveHeartbeats,
    EatMessage,
)

FAULTS: Final[Mapping[str, type[Fault]]] = {fault.type: fault for fault in _ALL}


@frozen
class Placed:
    """A fault with a name, in a direction, for a share of the connections (`toxicity` 0…1)."""

    name: str
    fault: Fault
    stream: Stream = Stream.BOTH
    toxicity: float = 1.0


def read_fault(kind: str, attributes: Mapping[str, Any], before: Fault | None = None) -> Fault:
    """Make a fault from JSON; what `attributes` does not say is as in `before`, or the default.

    Attributes that a type does not have are ignored, as Toxiproxy does. Raises FaultError.
    """
    found = FAULTS.get(kind)
    if found is None:
        raise FaultError("invalid toxic type")
    values = {} if before is None else attrs.asdict(before)
    for attribute in attrs.fields(found):
        name = attribute.metadata["json"]
        if name in attributes:
            values[attribute.name] = _read_value(name, attribute.metadata, attributes[name])
    return found(**values)


def _read_value(name: str, rule: Mapping[str, Any], value: Any) -> float | str:
    if "choices" in rule:
        if value not in rule["choices"]:
            raise FaultError(f"{name} must be one of {', '.join(rule['choices'])}")
        return str(value)
    if "text_max" in rule:
        if not isinstance(value, str) or len(value) > rule["text_max"] or not value.isprintable():
            raise FaultError(f"{name} must be a text")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FaultError(f"{name} must be a number")
    if not rule["least"] <= value <= rule["most"] or math.isnan(value):
        raise FaultError(f"{name} must be {rule['least']:g} to {rule['most']:g}")
    return float(value) / float(rule["per"])


def show_fault(fault: Fault) -> dict[str, Any]:
    """Return a fault's attributes as JSON has them. Whole numbers are integers: clients of Toxiproxy want them so."""
    shown: dict[str, Any] = {}
    for attribute in attrs.fields(type(fault)):
        value = getattr(fault, attribute.name)
        if not isinstance(value, str):
            value = round(value * attribute.metadata["per"], 6)
            value = int(value) if value == int(value) else value
        shown[attribute.metadata["json"]] = value
    return shown
