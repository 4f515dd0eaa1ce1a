"""Profiles as faults: what a relay plays is what the profile says."""

import itertools
import random

import pytest

from chaos.faults import Latency, Outage, Stream
from chaos.profiles import NOT_CARRIED, PROFILES
from chaos.simnet.link import Conditions, OneWay


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_names_its_source_and_its_faults_apart(name: str) -> None:
    profile = PROFILES[name]
    placed = profile.placed()
    assert profile.source
    assert len({one.name for one in placed}) == len(placed)
    assert bool(placed) == (name != "clean")


def test_a_profile_and_its_faults_say_the_same() -> None:
    profile = PROFILES["lte-driving"]
    placed = {one.name: one for one in profile.placed()}
    assert placed["latency_upstream"].fault == Latency(0.05, 0.025)
    assert placed["bandwidth_upstream"].stream is Stream.UPSTREAM
    assert placed["outages"].fault == Outage(up_s=21, down_s=3, most_s=78)
    assert not set(NOT_CARRIED) & set(PROFILES)


def draws(count: int, **conditions: object) -> list[float]:
    way = OneWay(Conditions(latency_s=1.0, jitter_s=0.1, **conditions), random.Random(7))  # type: ignore[arg-type]
    return [way.carry(100, i * 0.01)[1] - i * 0.01 for i in range(count)]


@pytest.mark.parametrize("distribution", ["normal", "pareto"])
def test_distributions_have_the_mean_and_the_deviation_that_they_say(distribution: str) -> None:
    found = draws(20_000, distribution=distribution)
    mean = sum(found) / len(found)
    assert mean == pytest.approx(1.0, abs=0.01)
    deviation = (sum((value - mean) ** 2 for value in found) / len(found)) ** 0.5
    assert deviation == pytest.approx(0.1, rel=0.25)  # Pareto's converges slowly
    late = sum(value > 1.4 for value in found)
    assert late < 10 if distribution == "normal" else late > 40


def test_correlated_draws_resemble_each_other_and_held_ones_stay() -> None:
    def steps(found: list[float]) -> float:
        return sum(abs(a - b) for a, b in itertools.pairwise(found)) / len(found)

    assert steps(draws(2000, correlation=0.9)) < steps(draws(2000)) / 4
    assert len({round(value, 9) for value in draws(100, hold_s=0.25)}) == 4
