"""What the line to a hub bears: how long it may be silent before something on the way forgets it, and what it carries up."""

import json
from collections.abc import Sequence

import trio

from daemons.link.doctor.asking import Answer, Unreached, open_asker
from daemons.link.doctor.way import Way
from daemons.ops.doctor.finding import Finding, bad, good, skipped, warning

__all__ = ["SILENCES_S", "UPLINK_PATH", "idle_time", "uplink_rate"]

SILENCES_S = (8.0, 15.0, 30.0)
"""Tried side by side. The link is never silent for longer than 20 s; a daemon that serves HTTP bears 75."""

LINK_SILENCE_S = 20.0

UPLINK_PATH = "/api/uplink"
_SIZES = (2 * 1024, 16 * 1024, 64 * 1024, 256 * 1024, 1000 * 1024)
_LONG_ENOUGH_S = 1.0
_RATE_S = 25.0
RATE_WARNING = 100_000.0  # bits a second
RATE_BAD = 8_000.0


async def idle_time(way: Way, silences_s: Sequence[float] = SILENCES_S) -> Finding:
    """Find out how long a connection may be silent. Takes as long as the longest silence."""
    survived: dict[float, bool] = {}

    async def try_one(silence_s: float) -> None:
        try:
            async with open_asker(way.address, way.context) as asker:
                await asker.ask("GET", "/healthz")
                await trio.sleep(silence_s)
                try:
                    await asker.ask("GET", "/healthz")
                    survived[silence_s] = True
                except Unreached:
                    survived[silence_s] = False
        except Unreached:
            pass  # not the silence's fault

    async with trio.open_nursery() as nursery:
        for silence_s in silences_s:
            nursery.start_soon(try_one, silence_s)
    if not survived:
        return skipped("idle timeout", "no connection could be held")
    cut = min((s for s, lived in survived.items() if not lived), default=None)
    longest = max((s for s, lived in survived.items() if lived and (cut is None or s < cut)), default=0.0)
    if cut is None:
        return good("idle timeout", f"a connection that is silent for {longest:g} s lives on")
    words = f"a connection that is silent for {cut:g} s is cut" + (
        f" (for {longest:g} s it lives)" if longest else ""
    )
    remedy = "raise the idle timeout of the reverse proxy, router or VPN on the way (nginx: proxy_read_timeout) to 60 s or more"
    if cut <= LINK_SILENCE_S:
        return bad("idle timeout", words + ": the link would drop again and again", remedy)
    return warning("idle timeout", words + ": the link says something more often than that", remedy)


async def uplink_rate(way: Way) -> Finding:
    """Send more and more to the hub until it takes a second, and say what the line carries. 25 s at most."""
    rate: float | None = None
    why = "there was no time"
    with trio.move_on_after(_RATE_S):
        try:
            async with open_asker(way.address, way.context) as asker:
                first = await asker.ask("GET", "/healthz")
                round_trip_s = first.received_at - first.sent_at
                for size in _SIZES:
                    answer = await asker.ask("POST", UPLINK_PATH, body=bytes(size))
                    if answer.status != 200:
                        why = _words_of(answer)
                        break
                    took_s = answer.received_at - answer.sent_at
                    rate = size * 8 / max(took_s - round_trip_s, took_s / 10, 1e-6)
                    if took_s > _LONG_ENOUGH_S:
                        break
        except Unreached as exc:
            why = str(exc)
    if rate is None:
        return skipped("uplink", f"not measured: {why}")
    words = f"about {_in_words(rate)} towards the hub"
    if rate < RATE_BAD:
        return bad(
            "uplink",
            f"{words}: even results hardly get through",
            "a better place for the antenna, or another uplink",
        )
    if rate < RATE_WARNING:
        return warning(
            "uplink",
            f"{words}: live results get through, large files take long",
            "keep other traffic off this uplink during races",
        )
    return good("uplink", words)


def _words_of(answer: Answer) -> str:
    if answer.status == 404:
        return "this hub is too old for it"
    try:
        return str(json.loads(answer.body)["words"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status}"


def _in_words(bits_a_second: float) -> str:
    if bits_a_second >= 1e6:
        return f"{bits_a_second / 1e6:.1f} Mbit/s"
    return f"{bits_a_second / 1e3:.0f} kbit/s"
