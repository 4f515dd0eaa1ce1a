"""What a fetch says across the link, and how a body is encoded for it. Both ends of the exchange, pure.

Three ways a body travels: not at all (the hub holds it), whole (zstd, unless it is compressed already), or as a delta
against a body that the hub holds. A validator or digest is shortened where it is only compared with one that the
other side has whole; the digest in an answer is whole, because it is what the reassembled body is checked against.
"""

import re
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

from attrs import Factory, frozen
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from daemons.race.fetched import Fetched
from protocol.canonical import digest_of
from protocol.convert import make_converter
from protocol.delta import apply_delta, compress_body, decompress_body, is_compressed, make_delta
from protocol.errors import ErrorCode, RequestError

SHORT_BYTES = 12
"""How much of a validator or digest is sent where it is only compared: 96 bits."""

MAX_BASES = 4
TRACE_BYTES = 16
AGE_MS_MAX = 2**40
"""35 years: what a laptop's clock can be set back by, and still a date when taken off today's."""

READ_US_MAX = 2**53

_NAME_BYTES_MAX = 33  # a validator: a version byte and a sha256
_CONTENT_TYPE = re.compile(r"[\x20-\x7e]{0,255}")


class Form(IntEnum):
    """How the body of an answer is encoded."""

    SAME = 0  # nothing follows: the hub's copy is still good
    RAW = 1
    ZSTD = 2
    DELTA = 3


@frozen
class Ask:
    """Params of `fetch`: what is wanted and what the hub already holds."""

    path: str
    method: str = "GET"
    validator: bytes = b""  # shortened
    bases: list[bytes] = Factory(list)  # shortened digests of bodies the hub holds, best first
    resume: bytes = b""  # the whole digest of a body of which `offset` raw bytes have arrived
    offset: int = 0
    trace: bytes = b""  # of the caller's request, for the site's log


@frozen
class Told:
    """Result of `fetch`, and of a pushed change. `size` is of the raw body, `age_ms` how old the copy was when asked.

    `read_us` (of a push): when it was read, in UTC of the site's clock. How long it was under way is not in `age_ms`.
    """

    form: int
    validator: bytes = b""  # omitted with SAME
    digest: bytes = b""
    content_type: str = ""
    size: int = 0
    base: bytes = b""
    offset: int = 0
    age_ms: int = 0
    absent: bool = False
    stale: bool = False
    read_us: int = 0


_converter = make_converter()


def _short_keys(cls: type, names: Mapping[str, str]) -> None:
    renames = {name: override(rename=key, omit_if_default=True) for name, key in names.items()}
    _converter.register_structure_hook(cls, make_dict_structure_fn(cls, _converter, **renames))  # type: ignore[arg-type]
    _converter.register_unstructure_hook(cls, make_dict_unstructure_fn(cls, _converter, **renames))  # type: ignore[arg-type]


_short_keys(
    Ask,
    {"path": "p", "method": "m", "validator": "v", "bases": "b", "resume": "d", "offset": "o", "trace": "i"},
)
_short_keys(
    Told,
    {
        "form": "f", "validator": "v", "digest": "d", "content_type": "t", "size": "n", "base": "b",
        "offset": "o", "age_ms": "a", "absent": "x", "stale": "s", "read_us": "u",
    },
)  # fmt: skip


def to_wire(value: Ask | Told) -> dict[str, Any]:
    """Return the map that crosses the link."""
    fields: dict[str, Any] = _converter.unstructure(value)
    return fields


def ask_from_wire(fields: Mapping[str, Any]) -> Ask:
    """Read the params of a fetch; RequestError(BAD_REQUEST) when they are not."""
    try:
        ask = _converter.structure(fields, Ask)
    except Exception as exc:
        raise RequestError(ErrorCode.BAD_REQUEST, "the params of the fetch are malformed") from exc
    if ask.offset < 0 or len(ask.bases) > MAX_BASES or len(ask.trace) > TRACE_BYTES:
        raise RequestError(ErrorCode.BAD_REQUEST, "the params of the fetch are out of range")
    return ask


def told_from_wire(fields: Mapping[str, Any]) -> Told:
    """Read the result of a fetch; RequestError(INTERNAL) when the site answered nonsense.

    What passes can be used as it is: as a bound of memory, in a date, in a header of HTTP.
    """
    try:
        told = _converter.structure(fields, Told)
    except Exception as exc:
        raise RequestError(ErrorCode.INTERNAL, "the site's answer is malformed") from exc
    in_range = (
        0 <= told.offset <= told.size and 0 <= told.age_ms <= AGE_MS_MAX and 0 <= told.read_us <= READ_US_MAX
    )
    if not in_range or max(len(told.validator), len(told.digest), len(told.base)) > _NAME_BYTES_MAX:
        raise RequestError(ErrorCode.INTERNAL, "the site's answer is out of range")
    if not _CONTENT_TYPE.fullmatch(told.content_type):
        raise RequestError(ErrorCode.INTERNAL, "the site's answer has a content type that is none")
    return told


def shorten(name: bytes) -> bytes:
    """Return the part of a validator or digest that is sent for comparison."""
    return name[:SHORT_BYTES]


def encode_answer(
    fetched: Fetched, ask: Ask, age_s: float, find_body: Callable[[bytes], bytes | None]
) -> tuple[Told, bytes]:
    """Choose the smallest form for `fetched` and encode it (the site's half).

    `find_body(short digest)` returns a body that the site still holds, for deltas.
    """
    age_ms = min(max(0, int(age_s * 1000)), AGE_MS_MAX)
    marks: dict[str, Any] = {"age_ms": age_ms, "absent": fetched.absent, "stale": fetched.stale}
    if ask.validator and shorten(fetched.validator) == ask.validator:
        return Told(Form.SAME, **marks), b""
    about = {
        "validator": fetched.validator,
        "digest": fetched.digest,
        "content_type": _plain(fetched.content_type),
        "size": len(fetched.body),
        **marks,
    }
    body = fetched.body
    if ask.method == "HEAD":
        return Told(Form.SAME, **about), b""
    if ask.resume == fetched.digest and 0 < ask.offset < len(body):
        rest = body[ask.offset :]
        return Told(Form.ZSTD, offset=ask.offset, **about), compress_body(rest)
    if is_compressed(body, fetched.content_type):
        return Told(Form.RAW, **about), body
    whole = compress_body(body)
    best, form, used = (whole, Form.ZSTD, b"") if len(whole) < len(body) else (body, Form.RAW, b"")
    for base in ask.bases:
        known = find_body(base)
        if known is not None:
            delta = make_delta(known, body)
            if len(delta) < len(best):
                best, form, used = delta, Form.DELTA, base
            break
    return Told(form, base=used, **about), best


def _plain(content_type: str | None) -> str:
    """Return a content type that may stand in a header; "" for what the origin made up."""
    return content_type if content_type and _CONTENT_TYPE.fullmatch(content_type) else ""


class WrongBody(Exception):
    """The reassembled body is not the one that the digest names: fetch it again, whole."""


def decode_answer(
    told: Told,
    encoded: bytes,
    *,
    body_bytes_max: int,
    find_body: Callable[[bytes], bytes | None],
    prefix: bytes = b"",
) -> bytes:
    """Return the raw body of an answer (the hub's half), checked against its digest.

    `find_body(short digest)` returns a body the hub holds, `prefix` the raw bytes before `told.offset`. Raises
    WrongBody when the result is not what the digest names, RequestError(TOO_LARGE). `told` is as `told_from_wire`
    lets it pass.
    """
    if told.size > body_bytes_max:
        raise RequestError(
            ErrorCode.TOO_LARGE, f"the body has {told.size} bytes, at most {body_bytes_max} are taken"
        )
    try:
        match told.form:
            case Form.RAW:
                body = encoded
            case Form.ZSTD:
                if len(prefix) < told.offset:
                    raise WrongBody("the beginning of the body is not here")
                body = prefix[: told.offset] + decompress_body(encoded, told.size - told.offset)
            case Form.DELTA:
                base = find_body(told.base)
                if base is None:
                    raise WrongBody("the base of the delta is gone")
                body = apply_delta(base, encoded, told.size)
            case _:
                raise WrongBody("unknown form of a body")
    except ValueError as exc:
        raise WrongBody(str(exc)) from exc
    if digest_of(body) != told.digest:
        raise WrongBody("the digest does not fit")
    return body
