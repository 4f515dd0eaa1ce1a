"""Curves and tracks as text: what is shown after any number of updates is what would be drawn at once."""

import math
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tui.app.markers import ASCII, BLOCK, BRAILLE, Dots
from tui.app.plots import Plot, Scale, spread
from tui.app.trackplot import TrackPlot
from tui.model.samples import SAMPLES_MAX, Samples

KINDS = [BRAILLE, BLOCK, ASCII]
VALUE = st.floats(-20, 120) | st.just(math.nan)


def samples(*batches: Sequence[float], first: int = 0) -> Samples:
    made = Samples(60.0)
    for batch in batches:
        made.add(first, {"throttle": batch})
        first += len(batch)
    return made


def plot(
    dots: Dots = BRAILLE, width: int = 6, height: int = 2, per_dot: int = 3, grows: float = 0.0, step: int = 1
) -> Plot:
    return Plot(dots, width, height, "throttle", Scale(0.0, 100.0, grows), per_dot, step)


def test_a_ramp_and_a_gap_as_they_are_drawn() -> None:
    curve = plot(ASCII, width=4, height=2, per_dot=2)
    curve.update(samples([0, 0, 100, 100, math.nan, math.nan, 50, 50]))
    assert curve.rows == [" :  ", ".: '"]
    curve = plot(BRAILLE, width=2, height=1, per_dot=1)
    curve.update(samples([0, 33, 66, 100]))
    assert curve.rows == ["⣠⠞"]


@given(st.sampled_from(KINDS), st.lists(VALUE, min_size=1, max_size=80), st.data())
def test_no_peak_is_lost(dots: Dots, values: list[float], data: st.DataObject) -> None:
    """The highest and the lowest value in view are drawn, wherever they are."""
    per_dot = data.draw(st.integers(1, 5))
    curve = plot(dots, width=200, height=4, per_dot=per_dot)
    curve.update(samples(values))
    reach = spread(values)
    drawn = [y for y, row in enumerate(curve.rows) if row.strip()]
    if reach is None:
        assert not drawn
        return
    rows = 4 * dots.high
    assert drawn[0] == curve.scale.row(reach[1], rows) // dots.high
    assert drawn[-1] == curve.scale.row(reach[0], rows) // dots.high


@given(
    st.sampled_from(KINDS),
    st.lists(st.lists(VALUE, min_size=1, max_size=40), min_size=1, max_size=12),
    st.sampled_from([0.0, 25.0]),
    st.integers(1, 9),
)
def test_updates_end_where_one_drawing_would(
    dots: Dots, batches: list[list[float]], grows: float, step: int
) -> None:
    curve, ring, shown = plot(dots, grows=grows, step=step), Samples(60.0), [" " * 6] * 2
    first = 1000
    for batch in batches:
        ring.add(first, {"throttle": batch})
        first += len(batch)
        begin, end = curve.update(ring)
        # What it says has changed is all that has.
        shown = [old[:begin] + new[begin:end] + old[end:] for old, new in zip(shown, curve.rows, strict=True)]
        assert shown == curve.rows
        assert all(len(row) == 6 for row in curve.rows)
    at_once = plot(dots, grows=grows, step=step)
    at_once.scale = curve.scale  # it may have grown for a value that is out of view by now
    at_once.update(ring)
    assert curve.rows == at_once.rows


def test_little_that_is_new_changes_little() -> None:
    curve, ring = plot(per_dot=6), samples([10] * 100)
    assert curve.update(ring) == (0, 6)
    assert curve.update(ring) == (5, 6), "the cell that the newest tick lies in"
    ring.add(100, {"throttle": [10]})
    assert curve.update(ring) == (5, 6)
    ring.add(101, {"throttle": [10] * 12})
    assert curve.update(ring) == (0, 6)


def test_between_its_steps_it_grows_at_the_right() -> None:
    curve, ring = plot(ASCII, width=6, height=1, per_dot=1, step=3), samples([0.0] * 9)
    assert curve.update(ring) == (0, 6) and curve.rows == ["......"]
    ring.add(9, {"throttle": [100.0]})
    assert curve.update(ring) == (0, 6) and curve.rows == ["...:  "]
    ring.add(10, {"throttle": [100.0] * 2})
    assert curve.update(ring) == (3, 6) and curve.rows == ["...:''"]
    assert plot(width=0).update(ring) == (0, 0) == plot().update(Samples(60.0))


def test_a_session_that_begins_anew_clears_it() -> None:
    curve, ring = plot(ASCII), samples([100.0] * 18, first=10_000)
    curve.update(ring)
    ring.add(0, {"throttle": [0.0] * 3})
    curve.update(ring)
    assert curve.rows == [" " * 6, " " * 5 + "."]


def test_a_scale_grows_by_steps_and_never_for_fixed_ones() -> None:
    assert Scale(0, 100, 50).with_(101) == Scale(0, 150, 50)
    assert Scale(0, 100, 50).with_(-60) == Scale(-100, 100, 50)
    assert Scale(0, 100).with_(500) == Scale(0, 100)
    assert Scale(0, 100).row(500, 8) == 0 and Scale(0, 100).row(-5, 8) == 7


# --- the ring ------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(-3, 30), st.integers(1, 50)), min_size=1, max_size=30))
def test_the_ring_has_every_tick_once(batches: list[tuple[int, int]]) -> None:
    ring, told, first = Samples(60.0), dict[int, float](), 5000
    for ahead, count in batches:
        first += ahead
        end = ring.end
        ring.add(first, {"throttle": [float(first + at) for at in range(count)]})
        told.update((tick, float(tick)) for tick in range(first, first + count) if tick >= end)
        first += count
    kept = ring.of("throttle", 0, 10**9)
    assert len(kept) == ring.end - ring.begin
    for tick, value in enumerate(kept, ring.begin):
        assert (math.isnan(value) and tick not in told) or value == told[tick]
    assert ring.missed == ring.end - ring.begin - len(told)
    assert ring.seen == len(told) and ring.epoch == 1


def test_the_ring_is_bounded_and_begins_anew() -> None:
    ring = samples([1.0] * 3000, [2.0] * 3000)
    assert (ring.begin, ring.end, len(ring.of("throttle", 0, 9999))) == (
        6000 - SAMPLES_MAX,
        6000,
        SAMPLES_MAX,
    )
    ring.add(5990, {"throttle": [9.0] * 10})
    assert ring.newest("throttle") == 2.0, "what is known already stays"
    ring.add(3, {"throttle": [7.0]})
    assert (ring.begin, ring.end, ring.epoch, ring.newest("throttle")) == (3, 4, 2, 7.0)
    assert ring.newest("brake") is None and Samples(60.0).newest("speed_kmh") is None
    ring.add(10**12, {"throttle": [7.0]})
    assert ring.end - ring.begin == SAMPLES_MAX


# --- the track -----------------------------------------------------------------------------------------------------

SQUARE = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]


def test_a_square_track_as_it_is_drawn() -> None:
    track = TrackPlot(ASCII, 7, 4, SQUARE)
    assert track.rows == [":''''':", ":     :", ":     :", "'''''''"]
    assert [track.cell(at) for at in (0.0, 0.25, 0.5, 0.75, 1.0)] == [(0, 3), (6, 3), (6, 0), (0, 0), (0, 3)]
    assert TrackPlot(BRAILLE, 4, 2, SQUARE).rows == ["⡏⠉⠉⢹", "⣇⣀⣀⣸"]
    assert TrackPlot(BLOCK, 4, 2, SQUARE).rows == ["▛▀▀▌", "▙▄▄▌"]


@given(
    st.sampled_from(KINDS),
    st.integers(0, 40),
    st.integers(0, 20),
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), max_size=30),
    st.floats(-2, 2),
)
def test_every_place_on_any_track_is_in_view(
    dots: Dots, width: int, height: int, points: list[tuple[float, float]], at: float
) -> None:
    track = TrackPlot(dots, width, height, points)
    assert [len(row) for row in track.rows] == [width] * height
    found = track.cell(at)
    assert (found is None) is (not points)
    if found is not None and width and height:
        assert 0 <= found[0] < width and 0 <= found[1] < height
        assert track.rows[found[1]][found[0]] != " ", "a car is on the line"


def test_no_track_is_no_line() -> None:
    assert TrackPlot(BRAILLE, 3, 1, ()).rows == ["   "] and TrackPlot(BRAILLE, 3, 1, ()).cell(0.5) is None
    assert TrackPlot(BRAILLE, 3, 1, [(5.0, 5.0)]).cell(0.5) == (1, 0)
