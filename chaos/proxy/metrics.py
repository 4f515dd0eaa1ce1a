"""The relay's figures in Prometheus' text form, as of this moment: an open connection has been counted already."""

from collections import Counter
from collections.abc import Iterator

from chaos.model.counts import Counts
from chaos.proxy.board import Board

_Sample = tuple[str, float]

_BY_DIRECTION = (
    ("received_bytes_total", "Bytes taken from the sending end.", "received"),
    ("sent_bytes_total", "Bytes handed to the receiving end.", "sent"),
    ("swallowed_bytes_total", "Bytes that a fault let vanish.", "swallowed"),
    ("delay_seconds_total", "Delay added, summed over pieces of the stream.", "delay_s"),
)
_WHOLE = (
    ("connections_total", "Connections taken.", "connections"),
    ("refused_total", "Connections that were refused.", "refused"),
    ("resets_total", "Connections that the relay reset.", "resets"),
    ("leases_ended_total", "Faults that ended because nobody renewed their lease.", "leases_ended"),
)


def metrics_text(board: Board) -> str:
    """Return all of it."""
    counts = {name: proxy.counts for name, proxy in board.proxies.items()}
    lines: list[str] = []
    for name, words, attribute in _WHOLE:
        samples = [(f'proxy="{_safe(proxy)}"', float(getattr(c, attribute))) for proxy, c in counts.items()]
        lines += _family(name, words, "counter", samples)
    for name, words, attribute in _BY_DIRECTION:
        lines += _family(name, words, "counter", list(_directions(counts, attribute)))
    lines += _family(
        "applied_total",
        "Connections that a fault met.",
        "counter",
        [
            (f'proxy="{_safe(proxy)}",type="{kind}"', float(number))
            for proxy, c in counts.items()
            for kind, number in sorted(c.applied.items())
        ],
    )
    lines += _family(
        "open_connections",
        "Connections open now.",
        "gauge",
        [(f'proxy="{_safe(name)}"', float(len(proxy.connections))) for name, proxy in board.proxies.items()],
    )
    lines += _family(
        "enabled",
        "Whether the proxy listens.",
        "gauge",
        [(f'proxy="{_safe(name)}"', float(proxy.enabled)) for name, proxy in board.proxies.items()],
    )
    lines += _family("faults", "Faults that are set.", "gauge", list(_faults(board)))
    return "\n".join(lines) + "\n"


def _directions(counts: dict[str, Counts], attribute: str) -> Iterator[_Sample]:
    for proxy, c in counts.items():
        for stream, value in getattr(c, attribute).items():
            yield f'proxy="{_safe(proxy)}",direction="{stream}"', float(value)


def _faults(board: Board) -> Iterator[_Sample]:
    for name, proxy in board.proxies.items():
        for kind, number in sorted(Counter(one.fault.type for one in proxy.placed.values()).items()):
            yield f'proxy="{_safe(name)}",type="{kind}"', float(number)


def _family(name: str, words: str, kind: str, samples: list[_Sample]) -> list[str]:
    full = f"pitlink_chaos_{name}"
    head = [f"# HELP {full} {words}", f"# TYPE {full} {kind}"]
    return head + [f"{full}{{{labels}}} {value:.15g}" for labels, value in samples]


def _safe(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"")
