"""A few thousand of the path tricks; `python -m tests.paths --count 1000000` tries more."""

from urllib.parse import quote, unquote

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.pathgate import PathGate
from tests import paths
from tests.protocol.test_pathgate import ALLOWED, DENIED, MALFORMED


def test_tricks_open_no_other_file() -> None:
    outcomes = paths.run(10_000, 1)
    assert outcomes.total() >= 10_000
    assert min(outcomes[name] for name in ("passed", "DENIED", "BAD_REQUEST")) > 100


@pytest.mark.parametrize("path", ALLOWED + DENIED + MALFORMED, ids=lambda path: ascii(path)[:40])
def test_every_spelling_of_a_known_path(path: str) -> None:
    for raw in paths.spellings(path):
        paths.check(raw)


def _careless(gate: PathGate, method: str, raw: str) -> str:
    """What a gate was once: a prefix, behind a check for two dots."""
    path = unquote(raw)
    if ".." in path or not path.startswith(("/events/", "/httpfiles/")):
        raise RequestError(ErrorCode.DENIED, "")
    return path


@pytest.mark.parametrize(
    "trick", ["/events/C:\\x", "/events/a%5cb", "/events/Pilots.json%20", "/events//x", "/events/a%00"]
)
def test_a_careless_gate_is_found_out(monkeypatch: pytest.MonkeyPatch, trick: str) -> None:
    monkeypatch.setattr(PathGate, "check", _careless)
    monkeypatch.setattr(paths, "wire_path", lambda path: quote(path, safe="/"))
    with pytest.raises(AssertionError):
        paths.check(trick)
