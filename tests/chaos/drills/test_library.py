"""The drills that come with pitlink: each is a good file, says what it proves, and has bounds for what it does."""

import pytest

from chaos.drills.library import SHIPPED, shipped_drill, shipped_text
from chaos.scenario import Deed

OF_PITS_AND_CLOUD = {
    *("flaky-uplink", "cable-pull", "captive-portal", "lte-drive", "hub-restart", "origin-torn", "race-day"),
}


def test_all_that_are_promised_are_there() -> None:
    assert set(SHIPPED) >= OF_PITS_AND_CLOUD
    with pytest.raises(KeyError):
        shipped_text("../drill")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_drill_is_whole(name: str) -> None:
    drill = shipped_drill(name)
    assert drill.name == name
    assert len(drill.proves) > 40
    assert {bound.probe for bound in drill.steady} >= {"connected", "freshness_s"}
    assert drill.converge
    for what in ("fresh", "lost", "doubled"):
        concerned = [bound for bound in drill.recovery if bound.what == what]
        for step in drill.scenario.timeline:
            assert any(bound.concerns(step) for bound in concerned), f"{step.name}: {what} has no bound"
        if what != "fresh":
            assert {bound.at_most for bound in concerned} == {0}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_ground_of_its_own_can_carry_each_step(name: str) -> None:
    for step in shipped_drill(name).scenario.timeline:
        if isinstance(step.fault, Deed):
            assert step.fault.kind in ("kill", "stop", "restore")
            assert step.target in ("site", "hub", "origin")
        else:
            assert step.target in ("uplink", "origin")
