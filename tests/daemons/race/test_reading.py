"""What is believed of answers, and what is kept of them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.race.bodies import Verdict
from daemons.race.fetched import Fetched
from daemons.race.kept import Kept
from daemons.race.originlimits import OriginLimits, OriginStatistics
from daemons.race.reading import CANONICAL_BYTES_MAX, KNOWN_EMPTY_MAX, Answer, Look, Reading
from protocol.errors import ErrorCode, RequestError

PATH = "/events/x/Race.json"


def reading() -> tuple[Reading, OriginStatistics]:
    counts = OriginStatistics()
    return Reading(OriginLimits(), counts), counts


def weigh(into: Reading, *bodies: bytes, path: str = PATH) -> Fetched | RequestError | Look:
    doubts: list[Verdict] = []
    told: Fetched | RequestError | Look = Look(0)
    for number, body in enumerate(bodies):
        assert isinstance(told, Look)
        told = into.weigh(path, Answer(body, None, float(number)), doubts)
    return told


def test_looks_come_soon_and_then_surely() -> None:
    into, _ = reading()
    assert weigh(into, b"") == Look(0.1)
    assert weigh(into, b"", b"") == Look(0.9)
    told = weigh(into, b"", b"", b"")
    assert isinstance(told, Fetched)
    assert told.absent


def test_an_absent_file_of_any_kind_is_an_empty_list() -> None:
    into, _ = reading()
    told = weigh(into, b"", b"", b"", path="/httpfiles/logo.png")
    assert isinstance(told, Fetched)
    assert (told.body, told.absent) == (b"[]", True)


def test_the_stale_copy_keeps_the_time_it_was_read() -> None:
    into, _ = reading()
    good = into.weigh(PATH, Answer(b"[{}]", "text/json", 5.0), [])
    assert isinstance(good, Fetched)
    told = weigh(into, b"", b"", b"")
    assert isinstance(told, Fetched)
    assert (told.body, told.stale, told.fetched_at) == (b"[{}]", True, 5.0)
    again = into.weigh(PATH, Answer(b"[{}]", None, 9.0), [])
    assert isinstance(again, Fetched)
    assert (again.stale, again.fetched_at, again.content_type) == (False, 9.0, None)


def test_what_is_known_to_be_empty_is_bounded() -> None:
    into, counts = reading()
    for number in range(KNOWN_EMPTY_MAX + 10):
        weigh(into, b"", b"", b"", path=f"/events/{number}.json")
    assert counts.absent == KNOWN_EMPTY_MAX + 10
    assert isinstance(weigh(into, b"", path="/events/0.json"), Look)  # forgotten, so looked at anew


def test_the_validator_is_of_the_content_and_of_the_bytes_where_that_would_take_too_long() -> None:
    into, _ = reading()
    small = [into.weigh(PATH, Answer(body, None, 0.0), []) for body in (b'[{"a":1}]', b'[ {"a": 1} ]')]
    blanks = b" " * CANONICAL_BYTES_MAX
    large = [into.weigh(PATH, Answer(b"[" + blanks + end, None, 0.0), []) for end in (b"]", b" ]")]
    names = [told.validator for told in small + large if isinstance(told, Fetched)]
    assert names[0] == names[1]
    assert names[2] != names[3]


BODIES = st.lists(st.sampled_from([b"", b"[", b"[{}]", b"[]", b"<p>", b"3"]), min_size=1, max_size=30)


@settings(max_examples=150)
@given(BODIES)
def test_only_good_bodies_are_ever_given(bodies: list[bytes]) -> None:
    into, counts = reading()
    doubts: list[Verdict] = []
    last_good: bytes | None = None
    for body in bodies:
        told = into.weigh(PATH, Answer(body, None, 0.0), doubts)
        if isinstance(told, Look):
            assert body in (b"", b"[")
            assert len(doubts) < 3
            continue
        if isinstance(told, Fetched):
            assert told.body in (b"[{}]", b"[]")
            if body in (b"[{}]", b"[]"):
                assert (told.body, told.stale, told.absent) == (body, False, False)
                last_good = body
            else:
                assert body == b""
                assert told.stale is (last_good is not None)
                assert told.absent is (last_good is None)
                assert told.body == (last_good or b"[]")
        else:
            assert told.code is ErrorCode.ORIGIN_INVALID
            assert body not in (b"[{}]", b"[]")
        doubts = []
    assert counts.empty == bodies.count(b"")
    assert counts.torn == bodies.count(b"[")


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 60)), max_size=30))
def test_kept_copies_stay_within_their_bound(puts: list[tuple[str, int]]) -> None:
    kept = Kept(100)
    held: dict[str, int] = {}
    for path, size in puts:
        kept.put(Fetched(path, b"x" * size, None, b"", b"", 0.0))
        held[path] = size
        there = [found for name in "abcd" if (found := kept.get(name)) is not None]
        assert kept.bytes == sum(len(found.body) for found in there) <= 100
        assert all(len(found.body) == held[found.path] for found in there)
        assert kept.get(path) is not None


def test_a_copy_that_is_used_stays_longer() -> None:
    kept = Kept(100)
    for path in ("a", "b"):
        kept.put(Fetched(path, b"x" * 40, None, b"", b"", 0.0))
    kept.get("a")
    kept.put(Fetched("c", b"x" * 40, None, b"", b"", 0.0))
    assert kept.get("b") is None
    assert kept.get("a") is not None
