"""The figures of a hub's desk, for /metrics."""

from collections.abc import Iterator

from daemons.ops.metrics import Labels, Reading
from daemons.pair.desk import CommandDesk

__all__ = ["command_readings"]


def command_readings(desk: CommandDesk, labels: Labels) -> Iterator[Reading]:
    """Yield what became of one site's commands."""
    yield Reading("command_seconds", "From a command's issue to its result.", desk.latency, labels)
    yield Reading("commands_issued", "Commands issued.", desk.issued, labels, is_counter=True)
    words = "Commands refused by the rate of their type."
    yield Reading("commands_limited", words, desk.limited, labels, is_counter=True)
    for status, count in sorted(desk.results.items()):
        pair = (*labels, ("status", status))
        yield Reading("command_results", "Results of commands.", count, pair, is_counter=True)
