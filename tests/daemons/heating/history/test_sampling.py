"""Samples of rounds of control: at whole minutes, with the seconds that each source was on, and gaps where nobody looked."""

from zoneinfo import ZoneInfo

from daemons.heating.history.sampling import Sampler
from daemons.heating.state import BoilerState, HouseState, Instant, ZoneState
from protocol.heatsamples import HeatSamples, Sample

START = 1_790_000_100 // 900 * 900


def state(
    is_on: bool = False, *, celsius: float | None = 20.0, is_burning: bool | None = False
) -> HouseState:
    return HouseState(
        house="x",
        at=0,
        zones=(ZoneState(id="hall", celsius=celsius, is_on=is_on),),
        boiler=BoilerState(is_burning=is_burning),
    )


def sampler() -> Sampler:
    return Sampler(60, 300, ZoneInfo("America/Denver"))


def run(
    one: Sampler, seconds: range, of: HouseState, *, utc: float = START, sure: bool = True
) -> list[HeatSamples]:
    done = []
    for second in seconds:
        done += one.note(Instant(second, utc + second, "b", sure), of)
    return done


def test_a_batch_has_its_minutes_and_seconds() -> None:
    one = sampler()
    done = run(one, range(0, 90, 10), state()) + run(one, range(90, 610, 10), state(True))
    assert [(message.at - START, message.count, message.offset_s) for message in done] == [
        (60, 4, -21600),
        (300, 5, -21600),
    ]
    first = done[0].of("hall")
    assert [(sample.ran_s, sample.starts) for sample in first] == [(0, 0), (30, 1), (60, 0), (60, 0)]
    assert first[0] == Sample(2000, None, None, 0, 0)
    assert done[1].of("outdoor")[0] == Sample(None, None, None, 0, 0)


def test_what_was_on_beyond_a_minute_is_counted_in_the_next() -> None:
    one = sampler()
    done = run(one, range(0, 6000, 7), state(True))
    ran = [sample.ran_s or 0 for message in done for sample in message.of("hall")]
    assert set(ran) <= {54, 55, 56, 57, 58, 59, 60}
    assert abs(sum(ran) - 60 * len(ran)) <= 60


def test_what_is_not_known_is_not_sampled_as_anything() -> None:
    one = sampler()
    done = run(one, range(0, 310, 10), state(celsius=None, is_burning=None))
    assert {sample.celsius for sample in done[0].of("hall")} == {None}
    assert {sample.ran_s for sample in done[0].of("burner")} == {None}


def test_a_gap_ends_a_batch() -> None:
    one = sampler()
    run(one, range(0, 130, 10), state())
    done = run(one, range(400, 700, 10), state())
    assert [(message.at - START, message.count) for message in done] == [(60, 2), (360, 4)]


def test_with_an_unknown_time_of_day_nothing_is_sampled() -> None:
    one = sampler()
    assert run(one, range(0, 3600, 10), state(True), utc=0, sure=False) == []
    assert one.skipped == 360
    done = run(one, range(3600, 4300, 10), state(True))
    assert done[0].at == START + 3660
    assert done[0].of("hall")[0].ran_s == 60


def test_a_clock_that_goes_back_begins_anew() -> None:
    one = sampler()
    run(one, range(0, 130, 10), state())
    done = run(one, range(130, 500, 10), state(), utc=START - 86_400)
    assert (done[0].at - START, done[0].count) == (60, 2)
    assert all(message.at < START for message in done[1:])


def test_the_end_takes_what_was_begun() -> None:
    one = sampler()
    run(one, range(0, 130, 10), state())
    assert [message.count for message in one.flush()] == [2]
    assert one.flush() == []
