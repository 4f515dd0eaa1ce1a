"""What is recorded is what is replayed: the same model, at the end and at every moment between."""

import inspect
import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.model.test_chaos import fault, listed, note, standing
from tests.tui.record.sessions import BEGAN, Clock, record, session, state
from tests.tui.recorded import UTC, five_sites, recorded
from tests.tui.recorded.crew import Crew
from tests.tui.recorded.house import House
from tests.tui.recorded.race import Race
from tui.model import TAKES, Model
from tui.plain import snapshot
from tui.record import Recorder, Recording, RecordingError, Reel
from tui.record.blocks import BlockKind, pack
from tui.record.detach import detached
from tui.record.keyframe import dump, load

DAEMONS = st.sampled_from(["hub", "pit"])
KEYS = st.sampled_from([("hub", "gone", "gone"), ("hub", "", "feed"), ("pit", "", "feed"), ("x", "y", "z")])
WORDS = st.text(max_size=8)
LINE = st.fixed_dictionaries({
    "number": st.integers(1, 9), "level": st.just("info"), "line": st.dictionaries(WORDS, st.integers() | WORDS, max_size=3),
})  # fmt: skip
AUDIT = st.builds(
    lambda number, words: {
        "number": number, "at_utc_s": UTC + number, "who": words, "action": "drain", "target": "", "outcome": "done",
        "before": {words: None}, "after": [words],
    },
    st.integers(1, 30), WORDS,
)  # fmt: skip
LETTER = {"id": 4, "channel": "event", "seq": 9, "type": "x", "bytes": 10, "error": "no", "at": UTC}
COMMAND = {
    "id": "c1", "issuer": "ann", "issued_at": UTC, "expires_at": UTC + 300, "action": {"do": "pause"}, "status": "SENT",
    "words": None, "decided_at": None,
}  # fmt: skip
KINDS = {
    "faults": [{"type": "latency", "words": "later", "attributes": {"latency": 1}, "choices": {"distribution": ["uniform"]}}],
    "profiles": [{"name": "lte", "words": "a phone", "attributes": {}}],
}  # fmt: skip
PLAYABLE = {
    "drills": [{"which": "cut", "drill": "cut", "length_s": 60, "steps": 3, "proves": "A cut costs nothing.", "problem": ""}],
    "records": [standing(verdict="passed")], "words": "", "into": "reports",
}  # fmt: skip
RACE = Race(5)
MEASURED = st.sampled_from([
    RACE.begin(), *(RACE.advance(at / 10) for at in range(1, 9)), House(5).at(70_000.0), Crew(5).at(17_450.0), {},
])  # fmt: skip
WEEKS = {
    "version": 3,
    "zones": {"a": {"week": [{"day": 0, "minute": 360, "celsius": 20.0}]}},
    "presets": {"away": {}},
}
CALLS: dict[str, Any] = {
    "watch": st.tuples(DAEMONS, st.just("now")),
    "told": st.tuples(DAEMONS, st.sampled_from([five_sites(), recorded("pits"), {}]), st.just("now"), st.just(UTC)),
    "lost": st.tuples(DAEMONS, WORDS, st.just("now")),
    "logged": st.tuples(DAEMONS, LINE | st.just({"dropped": 3}) | st.just({})),
    "audited": st.tuples(DAEMONS, st.lists(AUDIT, max_size=3)),
    "measured": st.tuples(DAEMONS, st.sampled_from(["telemetry", "heating", "team", "other"]), MEASURED, st.just("now")),
    "weeks_told": st.tuples(DAEMONS, WORDS, st.sampled_from([WEEKS, {}, {"zones": 3}])),
    "traced": st.tuples(DAEMONS, WORDS, st.lists(LINE, max_size=2)),
    "chaos_told": st.tuples(DAEMONS, st.sampled_from([listed(), listed(fault(), drills=[note(standing())]), {}]), st.just("now")),
    "chaos_kinds_told": st.tuples(DAEMONS, st.sampled_from([KINDS, {}])),
    "drilled": st.tuples(st.sampled_from([standing(), standing(verdict="passed"), {}]), st.just("now")),
    "drills_listed": st.tuples(st.sampled_from([PLAYABLE, {}]), st.just("now")),
    "drill_said": st.tuples(st.lists(WORDS, max_size=3)),
    "forget_audit": st.tuples(DAEMONS),
    "commanded": st.tuples(DAEMONS, WORDS, st.just([COMMAND])),
    "died": st.tuples(DAEMONS, WORDS, st.just({"count": 1, "oldest": [LETTER]})),
    "ruled": st.tuples(DAEMONS, WORDS, st.just([{"pattern": "/**", "methods": ["GET"], "enabled": True}])),
    "offered": st.tuples(DAEMONS, st.lists(st.fixed_dictionaries({"name": WORDS}), max_size=2)),
    "acknowledge": st.tuples(KEYS),
    "shelve": st.tuples(KEYS, st.just("now"), st.sampled_from([1.0, 600.0])),
    "unshelve": st.tuples(KEYS),
    "tick": st.tuples(st.just("now")),
}  # fmt: skip
STEPS = st.lists(
    st.sampled_from(sorted(CALLS)).flatmap(
        lambda name: st.tuples(st.floats(0.0, 20.0).map(lambda s: round(s, 3)), st.just(name), CALLS[name])
    ),
    max_size=25,
)


def tell(model: Model, name: str, args: tuple[Any, ...], now: float) -> None:
    """Make a call as a feed does: what is refused is the feed's to say."""
    try:
        getattr(model, name)(*(now if arg == "now" else arg for arg in args))
    except (ValueError, KeyError, TypeError):
        pass


@settings(max_examples=60)
@given(STEPS, st.integers(0, 4000), st.lists(st.floats(0.0, 1.2), max_size=6))
def test_every_moment_of_a_replay_is_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any], keyframe_bytes: int, looks: list[float]
) -> None:
    """Whatever is called, whether keyframes are many or none, forward or back: playing up to a moment and turning to it
    give what the model was then."""
    path, clock = tmp_path_factory.mktemp("r") / "r", Clock()
    live, was = Model(), []
    with Recorder(path, clock=clock, utc_now=clock.utc, keyframe_bytes=keyframe_bytes) as recorder:
        for after_s, name, args in steps:
            clock.now += after_s
            tell(recorder.model, name, args, clock.now)
            tell(live, name, args, clock.now)
            was.append((clock.now, state(live)))
        assert (recorder.failed, state(recorder.model)) == ("", state(live))
    with Recording.open(path) as recording:
        assert recording.words == ""
        reel = Reel(recording)
        moments = sorted({round(share * recording.duration_s, 3) for share in looks})
        for at in [*moments, *reversed(moments), recording.duration_s]:
            reel.turn_to(at)
            assert reel.play(at)
            before = [found for now, found in was if now - recording.began <= at + 1e-6]
            assert state(reel.model) == (before[-1] if before else state(Model()))
        assert not reel.left_out


def test_an_hour_is_found_from_keyframes_and_is_the_same_as_played(tmp_path: Path) -> None:
    """Sixteen minutes here, with keyframes as near to each other as those of five hours would be."""
    path = tmp_path / "r"
    live = record(path, 960, keyframe_bytes=500_000)
    with Recording.open(path) as recording:
        played, turned = Reel(recording), Reel(recording)
        assert recording.keyframe_before(900.0) > recording.keyframe_before(500.0) > 0
        marks = {}
        for at in (33.3, 480.0, 481.0, 777.7, recording.duration_s):
            played.play(at)
            marks[at] = state(played.model), snapshot(played.model, BEGAN + at)
        assert marks[recording.duration_s][0] == state(live)
        for at in (777.7, 480.0, recording.duration_s, 33.3, 481.0):
            turned.turn_to(at)
            assert at - turned.position < 140.0 or at == 33.3, "from a keyframe, not from the beginning"
            turned.play(at)
            assert (state(turned.model), snapshot(turned.model, BEGAN + at)) == marks[at]
        assert played.model.version < 100_000 and recording.duration_s == 959.5


def test_what_changes_a_model_is_named() -> None:
    """A method that moves the version and is not named would be missing in every replay."""
    for name, method in inspect.getmembers(Model, inspect.isfunction):
        source = inspect.getsource(method)
        if not name.startswith("_") and ("self._move()" in source or "self._set_feed(" in source):
            assert name in TAKES
    assert set(CALLS) == set(TAKES), "each of them is tried above"


def test_a_model_that_goes_on_leaves_its_copy_as_it_was() -> None:
    live = Model()
    calls = list(session(60))
    for _, call in calls[: len(calls) // 2]:
        call(live)
    copy, was = detached(live), dump(live)
    for _, call in calls[len(calls) // 2 :]:
        call(live)
    assert dump(copy) == was != dump(live)
    again = load(was)
    assert state(again) == state(copy)
    for _, call in calls[len(calls) // 2 :]:
        call(again)
    assert dump(again) == dump(live), "what was read from a keyframe goes on as the model does"


def test_the_file_is_its_owners_and_an_existing_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r"
    record(path, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    with pytest.raises(RecordingError, match="is there already: name a new file"):
        Recorder(path)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RecordingError, match="is there already"):
        Recorder(tmp_path / "link")
    with pytest.raises(RecordingError, match="no recording can be written there: No such file"):
        Recorder(tmp_path / "no" / "r")
    assert path.read_bytes() == before and not (tmp_path / "elsewhere").exists()


def test_what_is_no_recording_is_said_in_words(tmp_path: Path) -> None:
    def refused(data: bytes | None) -> str:
        path = tmp_path / "r"
        path.unlink(missing_ok=True)
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(RecordingError) as told:
            Recording.open(path)
        return str(told.value).removeprefix(f"{path} ")

    def header(**said: Any) -> bytes:
        return pack(BlockKind.HEADER, 0.0, UTC, json.dumps(said).encode())

    assert refused(None) == "cannot be read: No such file or directory"
    assert refused(b"") == "is empty"
    assert refused(b"\x28\xb5\x2f\xfd something else") == "is no recording of pitlink tui --record"
    assert refused(header(pitlink="other", version=1)) == "is no recording of pitlink tui --record"
    assert refused(pack(BlockKind.CALLS, 0.0, UTC, b"")) == "is no recording of pitlink tui --record"
    newer = refused(header(pitlink="recording", version=2, began=0.0, changed="all"))
    assert newer.startswith(
        "was made by a newer pitlink, in version 2 of recordings; this one reads up to 1: "
    )
    whole = header(pitlink="recording", version=1, began=0.0)
    assert "damaged or torn off at its beginning" in refused(whole[:-1])
    with pytest.raises(RecordingError, match="Is a directory"):
        Recording.open(tmp_path)


def test_what_a_newer_pitlink_told_besides_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "r"
    record(path, 1)
    more = [
        {"at": 1.0, "call": "foretold", "args": {}},
        {"at": 1.1, "call": "__init__", "args": {}},
        {"at": 1.2, "call": "watch", "args": {"of": "hub", "now": BEGAN}},
        {"at": 1.3, "call": "watch", "args": {"daemon": "new", "now": BEGAN}},
    ]
    with path.open("ab") as file:
        file.write(pack(BlockKind.CALLS, 1.0, UTC, "\n".join(map(json.dumps, more)).encode()))
    with Recording.open(path) as recording:
        reel = Reel(recording)
        reel.play(recording.duration_s)
        assert reel.left_out == {"foretold", "__init__", "watch"}
        assert "new" in reel.model.feeds and recording.duration_s == 1.3


def test_any_zstd_prints_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "r"
    record(path, 30, keyframe_bytes=100_000)
    zstd = ["zstd", "-dc", str(path)]
    try:
        said = subprocess.run(zstd, capture_output=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("no zstd here")
    header, *lines = map(json.loads, said.splitlines())
    assert header["pitlink"] == "recording" and lines[0]["call"] == "watch"


def test_the_clock_on_the_wall_may_be_set_while_it_is_recorded(tmp_path: Path) -> None:
    """A moment is found by the time that the wall said then."""
    path, clock = tmp_path / "r", Clock()
    ahead_s = 0.0
    with Recorder(path, clock=clock, utc_now=lambda: clock.utc() + ahead_s) as recorder:
        for second in range(100):
            clock.now = BEGAN + second
            ahead_s = 3600.0 if second >= 50 else 0.0  # a laptop that slept
            recorder.model.tick(clock.now)
    with Recording.open(path) as recording:
        assert recording.utc(10.0) == pytest.approx(UTC + 10)
        assert recording.utc(90.0) == pytest.approx(UTC + 3690)
        assert recording.at_utc(UTC + 10) == pytest.approx(10.0)
        assert recording.at_utc(UTC + 3690) == pytest.approx(90.0)
        assert recording.at_utc(UTC - 1) is None and recording.at_utc(UTC + 9999) is None
        asleep = recording.at_utc(UTC + 2000)
        assert asleep is not None and 50.0 <= asleep <= 56.0
