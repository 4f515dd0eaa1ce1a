"""What is read off a drill's readings: when it was noticed, when all was well again, what it cost."""

import math

from chaos.drills.recovery import Spell, has_recovered, recovery_of, spells_of
from chaos.drills.watch import Reading
from chaos.scenario import read_scenario
from tests.chaos.drills.makers import ledgers, reading


def scenario(*rows: tuple[float, float]):  # type: ignore[no-untyped-def]
    steps = [
        {"at": at, "for": for_s, "fault": "silence", "name": f"s{i}"} for i, (at, for_s) in enumerate(rows)
    ]
    return read_scenario({"name": "x", "step": steps})


def test_faults_that_overlap_or_touch_are_one_spell() -> None:
    spells = spells_of(scenario((1, 5), (3, 10), (13, 2), (20, 1)))
    assert [(spell.from_s, spell.until_s, len(spell.steps)) for spell in spells] == [(1, 15, 3), (20, 21, 1)]
    assert spells[0].name == "s0 (with 2 more)"
    assert [spells[0].begins_with(step) for step in spells[0].steps] == [True, False, False]


SPELL = Spell(scenario((10, 10)).timeline, 10.0, 20.0)


def recover(readings: list[Reading]):  # type: ignore[no-untyped-def]
    return recovery_of(SPELL, readings, fresh_s=2.0, late_after_s=2.0)


def test_a_fault_that_nobody_noticed_is_over_at_once() -> None:
    found = recover([reading(9), reading(11), reading(19), reading(20.5), reading(21)])
    assert (found.detect_s, found.reconnect_s, found.drained_s, found.fresh_s) == (None, 0.5, 0.5, 0.5)
    assert (found.lost, found.doubled, found.late, found.dead) == (0, 0, 0, 0)
    assert has_recovered(found)


def test_a_lost_link_counts_from_the_connection_that_brought_the_fresh_board() -> None:
    """Right behind the fault both ends still hold the old connection for good: that was no reconnection."""
    found = recover(
        [
            reading(9),
            reading(12, age_s=2.0),
            reading(20.2, age_s=10.4),
            reading(21.0, site_link="lost", hub_link=False, age_s=11.2),
            reading(22.0, connections=(2, 2), age_s=12.2),
            reading(23.5, connections=(2, 2), age_s=0.3),
            reading(24.0, connections=(2, 2)),
        ]
    )
    assert (found.detect_s, found.reconnect_s, found.fresh_s) == (11.0, 2.0, 3.5)


def test_a_board_read_before_the_fault_ended_is_not_fresh() -> None:
    found = recover([reading(9), reading(20.1, age_s=0.5), reading(20.7, age_s=0.5)])
    assert found.fresh_s == 0.7


def test_noticed_by_a_new_connection_between_two_looks_or_by_a_warning() -> None:
    assert recover([reading(9), reading(10.5, connections=(2, 2))]).detect_s == 0.5
    warned = frozenset({("origin", "degraded")})
    assert recover([reading(9, warnings=warned), reading(10.5, warnings=warned)]).detect_s is None
    assert recover([reading(9), reading(10.5, warnings=warned)]).detect_s == 0.5
    assert recover([reading(9), reading(10.5, origin="off")]).detect_s == 0.5


def test_drained_when_what_was_promised_at_the_faults_end_is_acknowledged() -> None:
    found = recover(
        [
            reading(9, **ledgers(10, 10, 10)),
            reading(15, **ledgers(30, 10, 10)),
            reading(20, **ledgers(40, 10, 10)),
            reading(21, **ledgers(50, 39, 39)),
            reading(22, **ledgers(60, 40, 41)),
            reading(23, **ledgers(60, 60, 60)),
        ]
    )
    assert found.drained_s == 2.0
    assert (found.lost, found.doubled) == (0, 0)
    assert found.late == 20  # 11 to 30 waited from 15 to 21


def test_nothing_is_said_of_messages_while_the_queue_has_not_drained() -> None:
    found = recover([reading(9), reading(20, **ledgers(20, 10, 10)), reading(29, **ledgers(20, 10, 10))])
    assert (found.drained_s, found.lost, found.late) == (None, None, 10)
    assert not has_recovered(found)


def test_lost_is_what_counts_as_delivered_and_never_came() -> None:
    end = ledgers(20, 20, 17)
    assert recover([reading(9), reading(20, **end), reading(21, **end)]).lost == 3


def test_skipped_numbers_and_missing_effects_are_lost_too() -> None:
    skipped = ledgers(20, 20, 20, skipped=2)
    assert recover([reading(9), reading(20, **skipped), reading(21, **skipped)]).lost == 2
    missing = ledgers(20, 20, 20, effects=19)
    assert recover([reading(9), reading(20, **missing), reading(21, **missing)]).lost == 1


def test_doubled_is_an_effect_more_than_messages_and_dead_letters_are_counted() -> None:
    doubled = ledgers(20, 20, 20, effects=21)
    found = recover([reading(9), reading(20, **doubled), reading(21, **doubled)])
    assert (found.lost, found.doubled) == (0, 1)
    dead = ledgers(20, 20, 20, dead=1)
    found = recover([reading(9), reading(20, **dead), reading(21, **dead)])
    assert (found.lost, found.doubled, found.dead) == (0, 0, 1)


def test_a_hub_put_back_and_filled_again_has_lost_nothing() -> None:
    found = recover(
        [
            reading(9, **ledgers(10, 10, 10)),
            reading(15, hub_link=None, hub_ledger=None),
            reading(20.1, **ledgers(12, 12, 4)),
            reading(21, **ledgers(12, 12, 12)),
            reading(22, **ledgers(12, 12, 12)),
        ]
    )
    assert (found.lost, found.doubled, found.detect_s) == (0, 0, 5.0)


def test_an_epoch_that_the_hub_has_long_forgotten_is_no_loss() -> None:
    old = {"site_ledger": ledgers(10, 10, 10)["site_ledger"], "hub_ledger": ledgers(0, 0, 0)["hub_ledger"]}
    old["hub_ledger"] = type(old["hub_ledger"])({}, {}, {})
    assert recover([reading(9, **old), reading(20, **old), reading(21, **old)]).lost == 0


def test_figures_of_a_reading() -> None:
    one = reading(1, hub_link=None, hub_ledger=None, age_s=None, warnings=frozenset({("disk", "failing")}))
    shown = {
        name: one.figure(name) for name in ("connected", "silent", "failing", "freshness_s", "origin_up")
    }
    assert shown == {"connected": 0, "silent": 1, "failing": 1, "freshness_s": None, "origin_up": 1}
    assert one.figure("no.such") is None
    assert math.isclose(one.sample().t_s, 1)
