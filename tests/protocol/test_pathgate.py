"""The path gate against a corpus of attacks and what Hypothesis finds."""

import ntpath
import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.errors import ErrorCode, RequestError
from protocol.pathgate import DEFAULT_RULES, PATH_BYTES_MAX, PathGate, Rule, normalise_path, wire_path

EVENT = "/events/3a96b1b6-7b6b-43a8-b93e-d918f43607d2"

ALLOWED = [
    "/",
    "/current",
    f"{EVENT}/Event.json",
    f"{EVENT}/6e46456c-bdb1-4e4a-9c79-e69dea809e5e/Race.json",
    "/httpfiles/Channels.json",
    "/httpfiles/EventManager.js",
    "/events/Grünes Tal 2026/レース.json",
    "/events/a+b&c=d;e@f!$'()~x/Event.json",
    "/events/..leading/dots.are...inside/x.json",
]

DENIED = [
    "/events",
    "/events.json",
    "/eventsx/a.json",
    "/EVENTS/a.json",
    "/httpfiles",
    "/data/profile.xml",
    "/OBSRemoteControl.xml",
    "/current/x",
    "/events/../data/x.xml",
    "/events/./x.json",
    "/events/%2e%2e/data/x.xml",
    "/events/%2E%2e/x",
    "/events/.%2e/x",
    "/events/..%2fdata/x.xml",
    "/events/..%5C..%5Cdata%5Cx.xml",
    "/events/..\\..\\data\\x.xml",
    "/events/a\\b",
    "/events/a%5cb",
    "/C:%5CWindows%5Cwin.ini",
    "/events/C:/Windows/win.ini",
    "/events/C%3A/x",
    "/events/x.json:stream",
    "/events/x.json::$DATA",
    "/events/%252e%252e/x",
    "/events/%2541.json",
    "/events/%25/x",
    "/events/100%25/x",
    "/events/%00/x",
    "/events/x.json%00.html",
    "/events/a%0ab",
    "/events/a%0d%0aHost:%20x",
    "/events/a\tb",
    "/events/a%7Fb",
    "/events/a%C2%85b",  # NEL, a control of C1
    "/events/.. /x",
    "/events/..%20/x",
    "/events/.../x",
    "/events/x.json.",
    "/events/x.json%20",
    "/events/x.json. .",
    "/events/CON",
    "/events/nul.json",
    "/events/NUL .json",
    "/events/Com1.json",
    "/events/COM%C2%B9",  # superscript one: a device as well
    "/events/lpt9/x.json",
    "/events/CONOUT$",
    f"{EVENT}/PILOTS~1.JSO",
    f"{EVENT}/Pil%E2%80%8Bots.json",  # zero-width space: HFS+ does not see it
    "/events/a%EF%BC%8Fb",  # full-width slash
    "/events/a%EF%BC%BCb",  # full-width backslash
    "/events/%E2%80%A5/x",  # two-dot leader
    "/events/%E2%80%A4%E2%80%A4/x",
    "/events/c%EF%BC%9Ax",  # full-width colon
    "/events/%EF%BC%85x",  # full-width percent
    "/events/a%2Ab",
    "/events/a%22b",
    "/events/a%3Cb%3E",
    "/events/a%7Cb",
    "/events/a%3Fb",
    "/events/a%23b",
    "/events/a%C2%A0b",
    "/events/a%E2%80%A8b",
    "/events/a%EF%BF%BFb",
]

MALFORMED = [
    "",
    "events/x.json",
    "http://elsewhere/events/x.json",
    "//elsewhere/x.json",
    "/events//x.json",
    f"{EVENT}/Pilots.json/",
    f"{EVENT}/Pilots.json//",
    "/events/%2Fx",
    "/events/",
    "/current?x=1",
    "/current?",
    "/current#x",
    "/events/%",
    "/events/%4",
    "/events/%zz",
    "/events/%u002e",
    "/events/%C0%AE%C0%AE/x",  # overlong dots
    "/events/%E0%80%AF/x",
    "/events/%FF",
    "/events/%ED%A0%80",  # a surrogate
    "/events/\ud800",
    "/events/" + "x" * PATH_BYTES_MAX,
    "/events/" + "é" * (PATH_BYTES_MAX // 2),
    "/events/" + "%41" * PATH_BYTES_MAX,
]


@pytest.mark.parametrize("path", ALLOWED)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_default_rules_allow(method: str, path: str) -> None:
    assert PathGate().check(method, path) == path
    assert PathGate().check(method, wire_path(path)) == path


@pytest.mark.parametrize("path", DENIED)
def test_default_rules_deny(path: str) -> None:
    with pytest.raises(RequestError) as caught:
        PathGate().check("GET", path)
    assert caught.value.code is ErrorCode.DENIED


@pytest.mark.parametrize("path", DENIED[DENIED.index("/events/../data/x.xml") :])
def test_dangerous_paths_are_denied_by_the_widest_rules_too(path: str) -> None:
    with pytest.raises(RequestError) as caught:
        PathGate([Rule.parse("GET /"), Rule.parse("GET /**")]).check("GET", path)
    assert caught.value.code is ErrorCode.DENIED


def test_a_folder_pattern_does_not_cover_the_folder() -> None:
    assert not Rule.parse("GET /**").covers("/")
    assert not Rule.parse("GET /events/**").covers("/events")
    assert Rule.parse("GET /events/**").covers("/events/a/b")


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: ascii(path)[:40])
def test_malformed_paths_are_bad_requests(path: str) -> None:
    with pytest.raises(RequestError) as caught:
        PathGate().check("GET", path)
    assert caught.value.code is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "get", "GET ", "", "GET,HEAD"]
)
def test_other_methods_are_denied(method: str) -> None:
    with pytest.raises(RequestError) as caught:
        PathGate().check(method, "/current")
    assert caught.value.code is ErrorCode.DENIED


SPICE = [
    "/",
    ".",
    "..",
    "\\",
    "%",
    ":",
    " ",
    "~1",
    "CON",
    "%2e",
    "%2F",
    "%5c",
    "%25",
    "\0",
    "é",
    "／",
    "a",
    "x.json",
]
PATHS = st.one_of(
    st.text(max_size=40),
    st.lists(st.one_of(st.sampled_from(SPICE), st.characters()), max_size=12).map(
        lambda parts: "/events/" + "".join(parts)
    ),
)


@given(PATHS)
@example("/events/%EF%BC%8E%EF%BC%8E/x")
def test_what_passes_is_one_name_of_one_file(raw: str) -> None:
    try:
        path = PathGate().check("GET", raw)
    except RequestError:
        return
    assert path in ("/", "/current") or path.startswith(("/events/", "/httpfiles/"))
    assert PathGate().check("GET", path) == path  # idempotent
    wire = wire_path(path)
    assert wire.isascii()
    assert not set(wire) & set('\\:?#"<>| \r\n')
    # Nobody decodes it to something else: once, twice, with + as a space.
    assert unquote(wire) == unquote(unquote(wire)) == path
    assert unquote(wire.replace("+", " ")) == path
    for form in (path, unicodedata.normalize("NFKC", path), unicodedata.normalize("NFC", path)):
        # Nor does Windows leave the folder.
        full = ntpath.normpath(ntpath.join("C:\\fpv", *form[1:].split("/")))
        assert full == "C:\\fpv" if path == "/" else full.startswith("C:\\fpv\\")
        assert not any(segment in (".", "..") for segment in form.split("/"))


@given(PATHS)
def test_two_spellings_that_pass_differ_on_the_wire_when_they_differ(raw: str) -> None:
    try:
        path = normalise_path(raw)
    except RequestError:
        return
    spelled = "".join(f"%{byte:02x}" if byte != ord("/") else "/" for byte in path.encode())
    assert normalise_path(spelled) == path
    assert normalise_path(wire_path(path)) == path


def test_the_longest_path_passes_escaped_too() -> None:
    path = "/events/" + "é" * ((PATH_BYTES_MAX - len("/events/")) // 2)
    assert normalise_path(wire_path(path)) == path


def test_wire_path_escapes_all_but_unreserved() -> None:
    assert wire_path("/events/Grün & 1+1/x_y-z.~.json") == "/events/Gr%C3%BCn%20%26%201%2B1/x_y-z.~.json"


@pytest.mark.parametrize("path", ["/events/%41.json", "/a/../b", "/a?b", "x", "/a//b"])
def test_wire_path_takes_normalised_paths_only(path: str) -> None:
    with pytest.raises(RequestError):
        wire_path(path)


def test_switching_narrows_and_restores_and_never_widens() -> None:
    gate = PathGate()
    assert gate.switch("/events/**", enabled=False)
    assert not gate.switch("/events/**", enabled=False)
    with pytest.raises(RequestError):
        gate.check("GET", "/events/x.json")
    assert gate.check("GET", "/current") == "/current"
    assert [rule.pattern for rule in gate.rules if not rule.enabled] == ["/events/**"]
    assert "GET,HEAD /events/** (off)" in repr(gate)
    assert gate.switch("/events/**", enabled=True)
    assert gate.check("GET", "/events/x.json") == "/events/x.json"
    for pattern in ("/**", "/data/**", "/events/x.json", ""):
        with pytest.raises(RequestError) as caught:
            gate.switch(pattern, enabled=True)
        assert caught.value.code is ErrorCode.BAD_REQUEST
    assert gate.rules == tuple(DEFAULT_RULES)


def test_a_rule_that_starts_switched_off_can_be_switched_on() -> None:
    gate = PathGate([Rule(frozenset({"GET"}), "/current", enabled=False)])
    with pytest.raises(RequestError):
        gate.check("GET", "/current")
    gate.switch("/current", enabled=True)
    assert gate.check("GET", "/current") == "/current"
    with pytest.raises(RequestError):
        gate.check("HEAD", "/current")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GET",
        "/x",
        "POST /x",
        "GET x",
        "GET /a/../b",
        "GET /a/**/b",
        "GET /a*",
        "GET /a%20b",
        "GET /**x",
        "get /",
    ],
)
def test_rules_that_cannot_be_are_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="allowlist pattern"):
        Rule.parse(text)


def test_the_same_pattern_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        PathGate([Rule.parse("GET /x"), Rule.parse("HEAD /x")])


def test_rules_are_written_as_they_are_read() -> None:
    assert str(Rule.parse(" HEAD,GET  /a b/** ")) == "GET,HEAD /a b/**"
