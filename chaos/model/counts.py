"""What a relay counts, while connections are open and not when they close."""

from collections import Counter

from attrs import define, field

from chaos.faults import Stream


@define(eq=False)
class Counts:
    """Of one proxy, for ever: they outlive the connections and faults that they tell of."""

    connections: int = 0
    refused: int = 0
    resets: int = 0
    leases_ended: int = 0
    delay_s: dict[Stream, float] = field(factory=lambda: {Stream.UPSTREAM: 0.0, Stream.DOWNSTREAM: 0.0})
    received: dict[Stream, int] = field(factory=lambda: {Stream.UPSTREAM: 0, Stream.DOWNSTREAM: 0})
    sent: dict[Stream, int] = field(factory=lambda: {Stream.UPSTREAM: 0, Stream.DOWNSTREAM: 0})
    swallowed: dict[Stream, int] = field(factory=lambda: {Stream.UPSTREAM: 0, Stream.DOWNSTREAM: 0})
    applied: Counter[str] = field(factory=Counter)
    """By type of fault: connections that a fault met."""
    met: Counter[str] = field(factory=Counter)
    """By name of a fault that is set: connections that it did something to, or will with their next byte."""
