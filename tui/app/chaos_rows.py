"""The rows of page 9: drills that run, faults by daemon, drills that are over, and what can be played and placed."""

from collections.abc import Iterator

from tui.app.columns import Column
from tui.app.looks import Cell, Kind, Row
from tui.model import Model
from tui.model.chaos_values import DrillView, FaultKind, FaultView, Playable
from tui.model.chaos_words import countdown, drill_words
from tui.model.words import age, daemon_name, printable

__all__ = ["COLUMNS", "chaos_rows", "kinds_of_all"]

COLUMNS = (
    Column("", 1),
    Column("What", 19),
    Column("State", 11),
    Column("For", 7, right=True),
    Column("Left", 7, right=True),
    Column("Met", 4, 1, right=True),
    Column("", 24, grows=True),
)
_VERDICTS = {"PASS": Kind.GOOD, "FAIL": Kind.BAD, "NOT RESTORED": Kind.BAD}


def chaos_rows(model: Model, now: float) -> list[Row]:
    """Return all of them. Keys begin with what a row is: run, daemon, fault, play, kind or head."""
    return [
        *(_run(run, now) for run in model.chaos.running(now)),
        *_daemons(model, now),
        *_section("drills, over", [_run(run, now) for run in model.chaos.ended(now)]),
        *_section("to be played", list(_playables(model))),
        *_section("to be placed", list(_kinds(model))),
    ]


def _section(title: str, rows: list[Row]) -> Iterator[Row]:
    if rows:
        yield Row(("head", title), (Cell("-", Kind.DIM), Cell(title, Kind.DIM)))
        yield from rows


def _run(run: DrillView, now: float) -> Row:
    if run.is_over:
        glyph, kind = ("✓" if run.verdict == "PASS" else "✗"), _VERDICTS.get(run.verdict, Kind.NOTICE)
        state, left = run.verdict, ""
    elif run.is_running(now):
        glyph, kind, left = "▶", Kind.NOTICE, f"{run.played}/{run.steps}"
        state = f"{len(run.on)} on" if run.on else "recovering" if run.clock is not None else run.phase
    else:
        glyph, kind, state, left = "?", Kind.NOTICE, "unheard", f"{run.played}/{run.steps}"
    return Row(
        ("run", run.run),
        (
            Cell(glyph, kind),
            Cell(printable(f"drill {run.drill}"), Kind.STRONG),
            Cell(printable(state), kind),
            Cell(age(run.clock_now(now) if state == "recovering" else run.ran_s(now))),
            Cell(left),
            Cell(),
            Cell(printable(drill_words(run, now)), Kind.BAD if run.broken_guards else Kind.PLAIN),
        ),
    )


def _daemons(model: Model, now: float) -> Iterator[Row]:
    for name in model.feeds:
        view = model.daemons.get(name)
        if view is None:
            continue  # the overview says that it was not reached yet
        chaos, count = model.chaos.views.get(name), model.chaos.faults_on(name)
        glyph, kind, state, words = (
            "?",
            Kind.NOTICE,
            "not known",
            "nothing was said of faults",
        )
        if chaos is not None and chaos.is_allowed:
            glyph, kind, state = ("!", Kind.BAD, f"{count} on") if count else ("○", Kind.PLAIN, "none on")
            words = "broken on purpose" if count else "faults may be placed: p"
        elif chaos is not None:
            glyph, kind, state = "●", Kind.GOOD, "forbidden"
            words = "PRODUCTION: never here" if view.is_production else "its config forbids faults"
        if model.is_stale(name):
            glyph, words = "?", f"not reached; {words}, when it last answered"
        yield Row(
            ("daemon", name),
            (
                Cell(glyph, kind),
                Cell(daemon_name(view), Kind.STRONG),
                Cell(state, kind),
                Cell(),
                Cell(),
                Cell(),
                Cell(printable(words)),
            ),
        )
        yield from (_fault(fault, now) for fault in model.chaos.faults_of(name))


def _fault(fault: FaultView, now: float) -> Row:
    return Row(
        ("fault", fault.daemon, fault.name),
        (
            Cell("!", Kind.BAD),
            Cell(printable(f"  {fault.name}")),
            Cell(printable(fault.kind), Kind.BAD),
            Cell(age(fault.on_now(now))),
            Cell(countdown(fault.left_now(now)), Kind.NOTICE),
            Cell(str(fault.touched)),
            Cell(printable(fault.words)),
        ),
    )


def _playables(model: Model) -> Iterator[Row]:
    if model.chaos.playables_words:
        yield Row(("head", "no drills"), (Cell("?", Kind.NOTICE), Cell("drills"), Cell(), Cell(), Cell(), Cell(),
                  Cell(printable(model.chaos.playables_words), Kind.NOTICE)))  # fmt: skip
    for drill in model.chaos.playables or ():
        yield _playable(drill)


def _playable(drill: Playable) -> Row:
    is_good = not drill.problem
    return Row(
        ("play", drill.which),
        (
            Cell("+" if is_good else "✗", Kind.PLAIN if is_good else Kind.BAD),
            Cell(printable(drill.drill)),
            Cell(f"{drill.steps} faults" if is_good else "broken", Kind.PLAIN if is_good else Kind.BAD),
            Cell(age(drill.length_s), Kind.DIM),
            Cell(),
            Cell(),
            Cell(printable(drill.proves if is_good else drill.problem), Kind.DIM if is_good else Kind.BAD),
        ),
    )


def kinds_of_all(model: Model) -> dict[str, FaultKind]:
    """Return what can be placed in any daemon, by name: faults first."""
    found: dict[str, FaultKind] = {}
    for kinds in model.chaos.kinds.values():
        found |= {kind.name: kind for kind in kinds if kind.name not in found}
    return dict(sorted(found.items(), key=lambda pair: pair[1].is_profile))


def _kinds(model: Model) -> Iterator[Row]:
    for kind in kinds_of_all(model).values():
        figures = " ".join(f"{key}={value}" for key, value in kind.attributes.items())
        words = kind.words + (f": {figures}" if figures else "")
        yield Row(
            ("kind", kind.name),
            (
                Cell("+", Kind.DIM),
                Cell(printable(kind.name)),
                Cell("profile" if kind.is_profile else "fault", Kind.DIM),
                Cell(),
                Cell(),
                Cell(),
                Cell(printable(words), Kind.DIM),
            ),
        )
