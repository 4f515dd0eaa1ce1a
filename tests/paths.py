"""Path tricks on the gate, as many as wanted: `python -m tests.paths --count 1000000`.

Hypothesis makes a path of pieces that have opened other servers; each is spelled in every way that somebody on the way
could read differently (escaped, escaped twice, overlong, full width, with the other slash, ...). What the gate lets
through is then resolved as FPVTrackside resolves it on Windows and on macOS, by code that knows nothing of the gate: it
must be one file, of that name, inside the folder, and the privacy filter must know it by every name it goes by.
"""

import argparse
import ntpath
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote, unquote, unquote_to_bytes

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from daemons.race.privacy import is_private
from protocol.errors import ErrorCode, RequestError
from protocol.pathgate import PathGate, Rule, wire_path

__all__ = ["PATHS", "check", "spellings"]

FOLDER = "C:\\fpv"
EVENT = "3a96b1b6-7b6b-43a8-b93e-d918f43607d2"
PIECES = [
    "events", "httpfiles", "current", "data", "Pilots.json", "PILOTS~1.JSO", "Race.json", EVENT, "..", ".", "...",
    "", " ", "~", "a", "x.json", "x.json::$DATA", "x.json:s", "C:", "c:\\", "\\\\host\\share", "\\", "CON", "nul.txt",
    "COM1", "com¹", "LPT9", "CONIN$", "aux.json", "OBSRemoteControl.xml", "..;", ";a=b", "a;b", ".. ", "..\t", "\0",
    "\r\n", "\n", "?", "#", "*", "<", "|", '"', "%", "%2e", "%2e%2e", "%2f", "%5c", "%00", "%252e%252e%252f", "%u002e",
    "%c0%ae", "%c0%af", "%e0%80%ae", "%ff", "%EF%BC%8F", "．．", "／", "＼", "：", "％", "‥", "․․", "∕", "⁄", "\u200b",
    "\u00ad", "\ufeff", "\u202e", "\u0085", "\u2028", "é", "e\u0301", "İ", "ſ", "ﬀ", "ß", "Å", "\U0001f3c1", "\ud800",
    "Pilotſ.json", "pilots.json.", "pilots.json ", "Pilots.JSON", "ｐilots.json", "pi\u200blots.json",
]  # fmt: skip
_PIECE = st.one_of(st.sampled_from(PIECES), st.sampled_from(PIECES), st.text(max_size=6))
PATHS = st.builds(
    lambda start, pieces, slash: start + slash.join(pieces),
    st.sampled_from(
        ["/", "", "/events/", "/httpfiles/", f"/events/{EVENT}/", "//", "http://x/", "/events/../"]
    ),
    st.lists(_PIECE, max_size=5),
    st.sampled_from(["/", "/", "/", "\\", "%2f", "%5C", "//", "/./", ""]),
)
WIDEST = PathGate([Rule.parse("GET,HEAD /"), Rule.parse("GET,HEAD /**")])
DEFAULT = PathGate()
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/%")


def _escaped(char: str, form: str) -> str:
    return "".join(form % byte for byte in char.encode("utf-8", "surrogatepass"))


def spellings(path: str) -> Iterator[str]:
    """Yield the path and what it could be written as: some fifty more."""
    yield path
    yield quote(path, safe="/", errors="surrogatepass")
    yield quote(quote(path, safe="/", errors="surrogatepass"), safe="/")
    yield "".join(_escaped(char, "%%%02x") if char != "/" else char for char in path)
    yield "".join(_escaped(char, "%%%02X") for char in path)
    yield "".join(_escaped(char, "%%25%02x") for char in path)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        yield unicodedata.normalize(form, path)
    yield path.upper()
    yield path.lower()
    yield path.swapcase()
    yield path.casefold()
    for slash in ("\\", "%2f", "%5c", "%255c", "%c0%af", "／", "＼", "//", "/./", "/x/../", "/;/"):
        yield path.replace("/", slash)
        yield "/" + path[1:].replace("/", slash)
        yield path[::-1].replace("/", slash[::-1], 1)[::-1]
    for dot in ("%2e", "%252e", "%c0%ae", "．", "․", "..", "%u002e"):
        yield path.replace(".", dot)
    for end in (
        ".",
        " ",
        "%20",
        "%00",
        "/",
        "\\",
        "?",
        "#",
        "::$DATA",
        ":a",
        "%0d%0a",
        ";.json",
        "~1",
        "\u200b",
    ):
        yield path + end
        yield path.replace(".json", end + ".json")


def _on_windows(wire: str) -> str:
    """Return the file that FPVTrackside opens on Windows: decoded, split on '/', empty ones dropped, combined."""
    full = FOLDER
    for part in unquote_to_bytes(wire).decode("utf-8", "replace").split("/"):
        if part:
            full = ntpath.join(full, part)
    full = ntpath.normpath(full)
    drive, rest = ntpath.splitdrive(full)
    return drive + "\\".join(part.rstrip(". ") for part in rest.split("\\"))


def _on_mac(wire: str) -> str:
    """Return what names a file on APFS and HFS+: decomposed, case folded, without what is not seen."""
    text = unicodedata.normalize("NFD", unquote(wire)).casefold()
    return "".join(char for char in text if unicodedata.category(char) != "Cf")


def check(raw: str) -> str:
    """Ask the gate; return what it said. Raises AssertionError when what passed could be another file."""
    outcome = "passed"
    for gate in (WIDEST, DEFAULT):
        try:
            path = gate.check("GET", raw)
        except RequestError as exc:
            outcome = str(exc.code)
        else:
            _check_passed(path, gate)
            outcome = "passed"
    return outcome


def _check_passed(path: str, gate: PathGate) -> None:
    wire = wire_path(path)
    assert set(wire) <= _UNRESERVED
    assert gate.check("GET", path) == gate.check("GET", wire) == path  # hub and site agree
    assert unquote(wire) == unquote(unquote(wire)) == path
    if gate is DEFAULT:
        assert path in ("/", "/current") or path.startswith(("/events/", "/httpfiles/"))
    if path == "/":
        return
    assert path.isprintable()
    assert _on_windows(wire).split("\\") == [
        *FOLDER.split("\\"),
        *path[1:].split("/"),
    ]  # these very names, inside
    assert ntpath.normpath(unicodedata.normalize("NFKC", _on_windows(wire))).startswith(FOLDER + "\\")
    names = {_on_mac(wire), path.casefold(), unicodedata.normalize("NFKC", path).casefold()}
    if any(name.rpartition("/")[2] == "pilots.json" for name in names):
        assert is_private(path)


def run(count: int, seed_: int) -> Counter[str]:
    """Check at least `count` spellings; return how many of each outcome. Raises AssertionError with the path."""
    outcomes: Counter[str] = Counter()
    each = 70

    @seed(seed_)
    @settings(
        max_examples=max(1, count // each), deadline=None, database=None,
        phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(PATHS)
    def tricks(path: str) -> None:
        for raw in spellings(path):
            outcomes[check(raw)] += 1
        assert outcomes.keys() <= {"passed", ErrorCode.DENIED, ErrorCode.BAD_REQUEST}

    while outcomes.total() < count:
        tricks()
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description="Path tricks on the gate.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    began = time.monotonic()
    outcomes = run(args.count, args.seed)
    took_s = time.monotonic() - began
    print(f"{outcomes.total()} spellings in {took_s:.0f} s, none opened another file: {dict(outcomes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
