"""Lines as a Pi's kernel holds them: who may do what, what stays when an owner goes, for how long a relay was energised."""

import pytest

from chaos.doubles.house.lines import Busy, Lines, NotOurs


def test_as_after_power_on() -> None:
    lines = Lines()
    assert [lines.lines[n].now() for n in (0, 8, 9, 27)] == [1, 1, 0, 0]
    assert not any(line.is_output for line in lines.lines.values())


@pytest.mark.parametrize(("strict", "energised"), [(False, True), (True, False)])
@pytest.mark.parametrize("active_low", [False, True])
def test_what_a_dead_owner_leaves(strict: bool, energised: bool, active_low: bool) -> None:
    lines = Lines(strict=strict)
    lines.relay(0.0, 17, active_low)
    before = lines.energised_s(9.0, 17)
    lines.claim_output("a", 10.0, 17, int(active_low), "up" if active_low else "down")
    lines.write("a", 11.0, 17, int(not active_low))
    lines.gone("a", 15.0)
    assert lines.lines[17].is_energised is energised
    assert lines.lines[17].owner is None
    lines.claim_output("b", 20.0, 17, int(active_low))
    assert not lines.lines[17].is_energised
    first = 10.0 if before else 0.0  # an active-low board at a pin that is pulled down from power-on
    assert lines.energised_s(99.0, 17) == first + (9.0 if energised else 4.0)


def test_a_line_has_one_owner() -> None:
    lines = Lines()
    lines.claim_output("a", 0.0, 17, 1)
    with pytest.raises(Busy):
        lines.claim_output("b", 1.0, 17, 0)
    with pytest.raises(Busy):
        lines.claim_input("b", 1.0, 17)
    with pytest.raises(NotOurs):
        lines.write("b", 1.0, 17, 0)
    with pytest.raises(NotOurs):
        lines.free("b", 1.0, 17)
    with pytest.raises(NotOurs):
        lines.write("a", 1.0, 99, 0)
    assert lines.lines[17].level == 1
    lines.force(2.0, 17, 0)
    assert lines.lines[17].level == 0
    lines.free("a", 3.0, 17)
    lines.claim_input("b", 4.0, 17, "up")
    assert lines.lines[17].now() == 1


def test_edges_are_told_to_who_listens_and_only_changes() -> None:
    told: list[tuple[object, int, int]] = []
    lines = Lines(on_edge=lambda *edge: told.append(edge))
    lines.outside(0.0, 5, 0)
    lines.claim_input("a", 1.0, 5, "up", listens=True)
    lines.outside(2.0, 5, 0)
    assert told == []
    lines.outside(3.0, 5, None)
    lines.outside(4.0, 5, 0)
    assert told == [("a", 5, 1), ("a", 5, 0)]
    lines.gone("a", 5.0)
    lines.outside(6.0, 5, None)
    assert len(told) == 2


def test_a_floating_line_energises_nothing() -> None:
    lines = Lines()
    for pin, active_low in ((17, False), (18, True)):
        lines.claim_input("a", 0.0, pin, "none")
        lines.relay(0.0, pin, active_low)
        assert lines.lines[pin].now() is None
        assert not lines.lines[pin].is_energised


def test_what_was_done_is_recorded() -> None:
    lines = Lines()
    lines.claim_output("a", 1.0, 17, 0, "down")
    lines.write("a", 2.0, 17, 1)
    lines.gone("a", 3.0)
    assert [(c.at, c.who, c.what, c.pin, c.level, c.pull) for c in lines.calls] == [
        (1.0, "a", "claim_output", 17, 0, "down"),
        (2.0, "a", "write", 17, 1, ""),
        (3.0, "a", "gone", 17, 1, ""),
    ]
