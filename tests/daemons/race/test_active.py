"""Which of several pits shows an event: the first, without flapping, or the one that the organiser chose."""

from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.race.active import HOLD_S, ActivePits, Standing

A, B = "event-a", "event-b"


def there(site: str, event: str | None = A) -> Standing:
    return Standing(site, event, is_connected=True)


def away(site: str, event: str | None = A) -> Standing:
    return Standing(site, event, is_connected=False)


def shown(pits: ActivePits) -> dict[str, str]:
    return dict(pits.shown)


def test_one_site_an_event_is_what_it_always_was() -> None:
    pits = ActivePits()
    assert pits.look([there("north", A), there("south", B), away("hall", None)], 0.0)
    assert shown(pits) == {"north": "north", "south": "south", "hall": "hall"}
    assert not pits.look([there("north", A), away("south", B), there("hall", None)], 1.0)
    assert pits.site_of("north") == "north"
    assert pits.site_of("nowhere") is None


def test_the_first_with_the_event_shows_it() -> None:
    pits = ActivePits()
    pits.look([there("spare"), there("main", None)], 0.0)
    assert pits.look([there("spare"), there("main")], 1.0)
    assert shown(pits) == {"spare": "spare"}
    assert pits.site_of("main") == "spare"
    assert pits.group("main") == ["spare", "main"]


def test_who_is_away_for_long_gives_it_up_and_does_not_take_it_back() -> None:
    pits = ActivePits()
    pits.look([there("main")], 0.0)
    pits.look([there("main"), there("spare")], 1.0)
    assert not pits.look([away("main"), there("spare")], 10.0)
    assert not pits.look([away("main"), there("spare")], 10.0 + HOLD_S - 1)
    assert pits.look([away("main"), there("spare")], 10.0 + HOLD_S)
    assert shown(pits) == {"main": "spare"}, "the field keeps its name"
    assert not pits.look([there("main"), there("spare")], 100.0)
    assert shown(pits) == {"main": "spare"}


def test_who_comes_back_in_time_keeps_it_and_the_time_begins_anew() -> None:
    pits = ActivePits()
    pits.look([there("main")], 0.0)
    for at in (10.0, 10.0 + 1.5 * HOLD_S):
        for later_s in (0.0, HOLD_S / 2):
            pits.look([away("main"), there("spare")], at + later_s)
            assert pits.site_of("main") == "main"
        pits.look([there("main"), there("spare")], at + HOLD_S)
    assert pits.site_of("main") == "main"


def test_nobody_there_is_no_reason_to_switch() -> None:
    pits = ActivePits()
    pits.look([there("main"), there("spare")], 0.0)
    pits.look([away("main"), away("spare")], 1.0)
    pits.look([away("main"), away("spare")], 1000.0)
    assert shown(pits) == {"main": "main"}
    assert not pits.look([away("main"), there("spare")], 1001.0), "it is waited for from now on"


def test_the_organisers_choice_holds_also_while_that_one_is_away() -> None:
    pits = ActivePits()
    pits.look([there("main"), there("spare")], 0.0)
    pits.choose(A, "spare")
    assert pits.look([there("main"), there("spare")], 1.0)
    assert shown(pits) == {"main": "spare"}
    assert not pits.look([there("main"), away("spare")], 10 * HOLD_S)
    assert pits.waiting() == [(A, "spare", "main")]
    pits.choose(A, None)
    pits.look([there("main"), away("spare")], 20 * HOLD_S)
    assert pits.look([there("main"), away("spare")], 21 * HOLD_S)
    assert shown(pits) == {"main": "main"}
    assert pits.waiting() == []


def test_a_chosen_one_that_opens_another_event_shows_that() -> None:
    pits = ActivePits()
    pits.look([there("main"), there("spare")], 0.0)
    pits.choose(A, "spare")
    pits.look([there("main"), there("spare", B)], 1.0)
    assert shown(pits) == {"main": "main", "spare": "spare"}
    pits.look([there("main"), there("spare")], 2.0)
    assert shown(pits) == {"main": "spare"}


def test_a_field_whose_first_pits_went_on_to_another_event_goes_by_who_is_left() -> None:
    pits = ActivePits()
    pits.look([there("main"), there("spare")], 0.0)
    pits.look([there("main", B), there("spare")], 1.0)
    assert shown(pits) == {"main": "main", "spare": "spare"}


def test_it_is_the_same_after_a_restart() -> None:
    pits = ActivePits()
    pits.look([there("main"), there("spare")], 0.0)
    pits.choose(A, "spare")
    pits.look([there("main"), there("spare")], 1.0)
    again = ActivePits(dict(pits.holdings))
    again.look([away("main"), away("spare")], 0.0)
    again.look([there("main"), away("spare")], 1.0)
    assert shown(again) == {"main": "spare"}


standings = st.lists(
    st.builds(Standing, st.sampled_from("abcd"), st.sampled_from([None, A, B]), st.booleans()),
    max_size=4,
    unique_by=lambda standing: standing.site,
)
choices = st.tuples(st.sampled_from([A, B]), st.none() | st.sampled_from("abcd"))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(standings, st.none() | choices, st.floats(0, 40)), max_size=20))
def test_every_site_is_found_and_every_event_shown_once_by_one_that_has_it(
    steps: list[tuple[list[Standing], tuple[str, str | None] | None, float]],
) -> None:
    pits, now, before = ActivePits(), 0.0, dict[str, str]()
    for known, choice, wait_s in steps:
        now += wait_s
        if choice is not None:
            pits.choose(*choice)
        is_other = pits.look(known, now)
        by_name = {standing.site: standing for standing in known}
        assert set(pits.shown) <= by_name.keys()
        assert {pits.site_of(name) for name in by_name} == set(pits.shown.values())
        events = [by_name[site].event_id or "" for site in pits.shown.values()]
        assert sorted(filter(None, events)) == sorted(
            {standing.event_id for standing in known if standing.event_id}
        )
        for field, site in pits.shown.items():
            assert by_name[field].event_id == by_name[site].event_id
        assert shown(pits) == before or is_other
        before = shown(pits)
        assert not pits.look(known, now)
