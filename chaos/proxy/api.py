"""The HTTP API of a relay, as clients of Toxiproxy know it: requests in, answers out, nothing of sockets.

Beside Toxiproxy's: `stream` may be "both"; toxics and proxies take `lease_ms` and show what is left of it; `POST /renew`
begins all leases anew; `met` of a toxic counts the connections that it did something to; `GET /metrics` has what happens
while connections are open.
"""

import json
from collections.abc import Mapping
from typing import Any

import trio
from attrs import frozen

from chaos.faults import FAULTS, Fault, FaultError, Placed, Stream, Trace, read_fault, show_fault
from chaos.proxy.board import LEASE_MAX_S, Board, BoardError
from chaos.proxy.metrics import metrics_text
from chaos.proxy.proxy import Proxy

__all__ = ["VERSION", "Answer", "answer"]

VERSION = "2.12.0"
"""Toxiproxy's, whose API this is: its clients look at it."""

NAME_MAX = 200


@frozen
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"


async def answer(board: Board, method: str, path: str, body: bytes) -> Answer:
    """Do what a request asks. `path`: decoded, without a query."""
    try:
        parts = [part for part in path.split("/") if part]
        return await _route(board, "POST" if method == "PATCH" else method, parts, body)
    except BoardError as exc:
        return _json({"error": str(exc), "status": exc.status}, exc.status)
    except FaultError as exc:
        return _json({"error": str(exc), "status": 400}, 400)


async def _route(board: Board, method: str, parts: list[str], body: bytes) -> Answer:
    match method, parts:
        case "GET", ["version"]:
            return _json({"version": VERSION})
        case "GET", ["metrics"]:
            return Answer(200, metrics_text(board).encode(), "text/plain; version=0.0.4; charset=utf-8")
        case "GET", ["proxies"]:
            return _json({name: _show_proxy(board, proxy) for name, proxy in board.proxies.items()})
        case "POST", ["proxies"]:
            return _json(_show_proxy(board, await _create(board, _read(body))), 201)
        case "POST", ["populate"]:
            return await _populate(board, body)
        case "POST", ["reset"]:
            await board.reset()
            return Answer(204)
        case "POST", ["renew"]:
            return _json({"renewed": board.renew()})
        case "GET", ["proxies", name]:
            return _json(_show_proxy(board, board.get(name)))
        case "POST", ["proxies", name]:
            return _json(_show_proxy(board, await _change(board, name, _read(body))))
        case "DELETE", ["proxies", name]:
            board.delete(name)
            return Answer(204)
        case "GET", ["proxies", name, "toxics"]:
            proxy = board.get(name)
            return _json([_show_toxic(board, name, placed) for placed in proxy.placed.values()])
        case "POST", ["proxies", name, "toxics"]:
            return _json(await _add(board, name, _read(body)))
        case "GET", ["proxies", name, "toxics", toxic]:
            return _json(_show_toxic(board, name, _toxic(board, name, toxic)))
        case "POST", ["proxies", name, "toxics", toxic]:
            return _json(await _update(board, name, toxic, _read(body)))
        case "DELETE", ["proxies", name, "toxics", toxic]:
            board.remove(name, toxic)
            return Answer(204)
    raise BoardError(404, "no such route")


# --- proxies ---------------------------------------------------------------------------------------------------------


async def _create(board: Board, asked: Mapping[str, Any]) -> Proxy:
    name, upstream = _text(asked, "name"), _text(asked, "upstream")
    listen = _text(asked, "listen", "127.0.0.1:0")
    return await board.create(name, listen, upstream, enabled=_flag(asked, "enabled", True))


async def _change(board: Board, name: str, asked: Mapping[str, Any]) -> Proxy:
    proxy = board.get(name)
    return await board.change(
        name,
        listen=_text(asked, "listen", proxy.listen),
        upstream=_text(asked, "upstream", proxy.upstream),
        enabled=_flag(asked, "enabled", proxy.enabled),
        lease_s=_lease_s(asked),
    )


async def _populate(board: Board, body: bytes) -> Answer:
    """Make the proxies that are not there yet, and make anew those that differ."""
    asked = _decode(body)
    if not isinstance(asked, list) or not all(isinstance(one, dict) for one in asked):
        raise BoardError(400, "bad request body: a list of proxies is wanted")
    for one in asked:  # all are looked at before any is made
        _text(one, "name"), _text(one, "upstream")
    done = []
    for one in asked:
        known = board.proxies.get(one["name"])
        if known is not None and (known.upstream != one["upstream"] or not _is_at(known, one.get("listen"))):
            board.delete(known.name)
            known = None
        if known is None:
            known = await _create(board, one)
        else:
            await board.change(known.name, enabled=_flag(one, "enabled", True))
        done.append(_show_proxy(board, known))
    return _json({"proxies": done}, 201)


def _is_at(proxy: Proxy, listen: object) -> bool:
    return listen is None or listen == proxy.listen or (isinstance(listen, str) and listen.endswith(":0"))


def _show_proxy(board: Board, proxy: Proxy) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": proxy.name,
        "listen": proxy.listen,
        "upstream": proxy.upstream,
        "enabled": proxy.enabled,
        "toxics": [_show_toxic(board, proxy.name, placed) for placed in proxy.placed.values()],
    }
    return shown | _show_lease(board, proxy.name, None)


# --- toxics ----------------------------------------------------------------------------------------------------------


async def _add(board: Board, proxy: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    kind, stream = _text(asked, "type"), _stream(asked)
    if kind not in FAULTS:
        raise BoardError(400, "invalid toxic type")
    name = _text(asked, "name", f"{kind}_{stream}")
    fault = read_fault(kind, _attributes(asked))
    await _load(fault)
    if name in board.get(proxy).placed:
        raise BoardError(409, "toxic already exists")
    board.place(proxy, Placed(name, fault, stream, _toxicity(asked, 1.0)), _lease_s(asked))
    return _show_toxic(board, proxy, board.get(proxy).placed[name])


async def _update(board: Board, proxy: str, toxic: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    before = _toxic(board, proxy, toxic)
    fault = read_fault(before.fault.type, _attributes(asked), before.fault)
    await _load(fault)
    _toxic(board, proxy, toxic)  # it may have been removed meanwhile
    after = Placed(toxic, fault, before.stream, _toxicity(asked, before.toxicity))
    board.place(proxy, after, _lease_s(asked))
    return _show_toxic(board, proxy, after)


async def _load(fault: Fault) -> None:
    """Read a recording before it is placed: it may be large, and the relay has other things to do."""
    if isinstance(fault, Trace):
        await trio.to_thread.run_sync(fault.load)


def _toxic(board: Board, proxy: str, toxic: str) -> Placed:
    placed = board.get(proxy).placed.get(toxic)
    if placed is None:
        raise BoardError(404, "toxic not found")
    return placed


def _show_toxic(board: Board, proxy: str, placed: Placed) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": placed.name,
        "type": placed.fault.type,
        "stream": placed.stream.value,
        "toxicity": placed.toxicity,
        "attributes": show_fault(placed.fault),
        "met": board.get(proxy).counts.met[placed.name],
    }
    return shown | _show_lease(board, proxy, placed.name)


def _show_lease(board: Board, proxy: str, toxic: str | None) -> dict[str, Any]:
    left_s = board.left_s(proxy, toxic)
    return {} if left_s is None else {"lease_left_ms": round(left_s * 1000)}


# --- reading ---------------------------------------------------------------------------------------------------------


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise BoardError(400, "bad request body: no JSON") from exc


def _read(body: bytes) -> Mapping[str, Any]:
    asked = _decode(body)
    if not isinstance(asked, dict):
        raise BoardError(400, "bad request body: an object is wanted")
    return asked


def _text(asked: Mapping[str, Any], key: str, default: str = "") -> str:
    value = asked.get(key) or default  # Toxiproxy's clients send "" for what they do not say
    if not value:
        raise BoardError(400, f"missing required field: {key}")
    if not isinstance(value, str) or len(value) > NAME_MAX or "/" in value or not value.isprintable():
        raise BoardError(400, f"bad request body: {key} is not right")
    return value


def _flag(asked: Mapping[str, Any], key: str, default: bool) -> bool:
    value = asked.get(key, default)
    if not isinstance(value, bool):
        raise BoardError(400, f"bad request body: {key} must be true or false")
    return value


def _stream(asked: Mapping[str, Any]) -> Stream:
    try:
        return Stream(asked.get("stream") or Stream.DOWNSTREAM)
    except ValueError as exc:
        raise BoardError(400, "stream was invalid, can be either upstream, downstream or both") from exc


def _attributes(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    value = asked.get("attributes") or {}
    if not isinstance(value, dict):
        raise BoardError(400, "bad request body: attributes must be an object")
    return value


def _toxicity(asked: Mapping[str, Any], default: float) -> float:
    value = asked.get("toxicity", default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise BoardError(400, "toxicity must be 0 to 1")
    return float(value)


def _lease_s(asked: Mapping[str, Any]) -> float | None:
    value = asked.get("lease_ms")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LEASE_MAX_S * 1000:
        raise BoardError(400, f"lease_ms must be more than 0, and no more than {LEASE_MAX_S * 1000:g}")
    return float(value) / 1000


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())
