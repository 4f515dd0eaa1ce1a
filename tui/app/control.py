"""What can be done, as the screen knows it: a control, and the question that is asked before its deed."""

from collections.abc import Callable, Sequence

from attrs import frozen

from tui.app.deeds import Deed, Look

__all__ = ["LIFETIMES_S", "Control", "Lasting", "Question", "join", "seconds", "until_words"]

UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600}
LIFETIMES_S: tuple[float | None, ...] = (30.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0)
"""Lifetimes to choose from, where nothing else is more fitting."""

NAMED_MAX = 200
TOLD_MAX = 8
"""Of so many what differs is told; all are named, and counted past that."""


@frozen
class Lasting:
    """How long a deed holds, chosen while it is asked about. `choices`: seconds, None for as long as nobody takes it
    back, in words `forever`; `chosen` is one of them. `remake` makes the question with another one.
    """

    choices: tuple[float | None, ...]
    chosen: float | None
    remake: Callable[[float | None], "Question"]
    forever: str = "until it is taken back"

    @property
    def words(self) -> str:
        """What is chosen."""
        return until_words(self.chosen, self.forever)

    def moved(self, by: int) -> "Question":
        """Return the question with a longer or shorter lifetime; at the ends it stays."""
        order = sorted({*self.choices, self.chosen}, key=lambda one: float("inf") if one is None else one)
        at = max(0, min(len(order) - 1, order.index(self.chosen) + by))
        return self.remake(order[at])


@frozen
class Question:
    """A deed, and what is asked before it: `lines` count what it hits, `verb` is on the button. `others`: deeds that are
    asked about together with it, then `title` says so. `looks`: what the daemon is asked for the lines to be whole."""

    deed: Deed
    lines: tuple[str, ...]
    verb: str
    lasting: Lasting | None = None
    others: tuple[Deed, ...] = ()
    title: str = ""
    looks: tuple[Look, ...] = ()

    @property
    def deeds(self) -> tuple[Deed, ...]:
        """All that are done when it is answered."""
        return (self.deed, *self.others)

    @property
    def heading(self) -> str:
        """What is asked."""
        title = self.title or self.deed.title
        return f"{title[:1].upper()}{title[1:]}?"


@frozen
class Control:
    """Something to be done here. `asks`: what to type for it, with `given` there already; "" when nothing.

    `question` makes of what was typed what is then asked; raises ValueError with words for what makes no sense.
    """

    name: str
    title: str
    question: Callable[[str], Question]
    asks: str = ""
    given: str = ""
    offers: tuple[str, ...] = ()


def join(questions: Sequence[Question], what: str) -> Question:
    """Make one question of several about things of a kind (`what`, such as "sites"): each named, what differs told of each.

    Raises ValueError for none.
    """
    if not questions:
        raise ValueError(f"none of the {what} can have that done")
    first, *rest = questions
    if not rest:
        return first
    deeds = [deed for question in questions for deed in question.deeds]
    verbs = {question.verb for question in questions}
    verb = first.verb if len(verbs) == 1 else "Do all"
    named = [deed.on or deed.title for deed in deeds] if len(verbs) == 1 else [deed.title for deed in deeds]
    more = f" and {len(named) - NAMED_MAX} more" if len(named) > NAMED_MAX else ""
    lines = [f"{', '.join(named[:NAMED_MAX])}{more}."]
    lines += [f"Each: {line}" for line in first.lines if all(line in question.lines for question in rest)]
    for question in questions[:TOLD_MAX]:
        for line in question.lines:
            if not all(line in other.lines for other in questions):
                lines.append(f"{question.deed.on or question.deed.title}: {line}")
    lasting = None
    if all(question.lasting is not None for question in questions) and first.lasting is not None:
        makers = [question.lasting.remake for question in questions if question.lasting is not None]
        lasting = Lasting(
            first.lasting.choices,
            first.lasting.chosen,
            lambda for_s: join([make(for_s) for make in makers], what),
            first.lasting.forever,
        )
    title = f"{verb.lower()} {len(deeds)} {what}"
    looks = tuple(look for question in questions for look in question.looks)
    return Question(deeds[0], tuple(lines), verb, lasting, tuple(deeds[1:]), title, looks)


def seconds(typed: str, what: str = "a pause") -> float | None:
    """Return "5m", "90", "5:00" in seconds; None for nothing. Raises ValueError."""
    text = typed.strip().lower()
    if not text:
        return None
    try:
        if ":" in text:
            minutes, _, rest = text.partition(":")
            found = int(minutes) * 60 + float(rest)
        else:
            number = text.rstrip("minsh")
            found = float(number) * UNITS_S[text[len(number) :].strip() or "s"]
    except (KeyError, ValueError):
        raise ValueError(f"{typed!r} is no time such as 5m, 90s or 5:00") from None
    if not 0 < found < 7 * 86400:
        raise ValueError(f"{what} is between a moment and a week")
    return found


def until_words(for_s: float | None, forever: str) -> str:
    """Return a lifetime in words: "for 90 s", "for 5 min", or the words for one without an end."""
    if for_s is None:
        return forever
    for size_s, unit in ((3600, "h"), (60, "min")):
        if for_s >= size_s and for_s % size_s == 0:
            return f"for {for_s / size_s:g} {unit}"
    return f"for {for_s:g} s"
