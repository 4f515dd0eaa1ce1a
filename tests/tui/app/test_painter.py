"""When the screen is painted, what fits on it, and what the filter lets through."""

from tests.tui.app.world import in_textual, shown
from tui.app.columns import Column, place
from tui.app.filter import Filter
from tui.app.painter import LAG, Painter


def test_it_paints_news_once_and_not_while_the_terminal_lags() -> None:
    now, waiting = [1], [0]
    painter = Painter(lambda: tuple(now), lambda: waiting[0])
    assert painter.due() and not painter.due()
    now[0], waiting[0] = 2, LAG + 1
    assert not painter.due() and painter.skipped == 1
    waiting[0] = LAG
    assert painter.due(), "the newest, as soon as the terminal has caught up"
    painter.again()
    assert painter.due()


def test_columns_of_the_highest_rank_go_first() -> None:
    columns = [Column("a", 5), Column("b", 5, 2), Column("c", 5, 1, grows=True)]
    assert [(placed.index, placed.x, placed.width) for placed in place(columns, 20)] == [
        (0, 0, 5),
        (1, 6, 5),
        (2, 12, 8),
    ]
    assert [(placed.index, placed.width) for placed in place(columns, 16)] == [(0, 5), (2, 10)]
    assert [placed.index for placed in place(columns, 10)] == [0]
    assert [placed.width for placed in place(columns, 3)] == [3]


def test_a_filter_is_a_pattern_or_its_inverse() -> None:
    assert Filter("FAIL").matcher()("it failed")
    assert not Filter("!fail").matcher()("it failed") and Filter("!fail").matcher()("it went well")
    assert Filter("(").matcher()("f(x)"), "what is no pattern is taken as it is"
    assert Filter("!").matcher()("anything") and not Filter("!").is_set


@in_textual
async def test_nothing_is_painted_any_more_while_it_ends() -> None:
    """Textual takes the widgets away one by one, on a slow machine between two ticks."""
    async with shown() as face:
        await face.table.remove()
        face.app._running = False  # what its end begins with
        face.world.tell({})
        face.app.tick()
