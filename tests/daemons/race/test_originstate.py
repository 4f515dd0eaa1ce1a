"""How the origin stands: told once a change, in words with a remedy."""

from daemons.race.originstate import OriginHealth, OriginState


def test_each_change_is_told_once() -> None:
    told: list[OriginState] = []
    health = OriginHealth("http://x:8080", lambda state, words: told.append(state))
    for happen in (
        health.refused,
        health.refused,
        health.answered,
        health.answered,
        health.fell_silent,
        health.fell_silent,
        health.refused_hostname,
        health.refused,
    ):
        happen()
    assert told == [
        OriginState.OFF,
        OriginState.UP,
        OriginState.SILENT,
        OriginState.LOCALHOST_ONLY,
        OriginState.NO_EVENT,
    ]


def test_a_page_without_an_event_holds_until_another_is_heard_of_or_the_server_went() -> None:
    health = OriginHealth("http://x:8080")
    health.answered(names_event=False)
    health.answered()
    assert health.state is OriginState.NO_EVENT
    health.answered(names_event=True)
    assert health.state.value == "up"
    health.answered(names_event=False)
    health.refused()
    health.answered()  # another start of the program: nothing is known of its event yet
    assert health.state.value == "up"


def test_every_state_has_words_with_the_address() -> None:
    health = OriginHealth("http://x:8080")
    words = {health.words}
    for happen in (
        health.refused,
        health.answered,
        health.refused,
        health.fell_silent,
        health.refused_hostname,
    ):
        happen()
        assert "http://x:8080" in health.words
        words.add(health.words)
    assert len(words) == len(OriginState)
