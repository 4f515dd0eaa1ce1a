"""Who drove, drives and will drive, as rows: what each has behind them, and a bar on the axis of the race."""

from collections.abc import Iterable

from tui.app.columns import Column
from tui.app.looks import Cell, Kind, Row
from tui.model.moments import clock
from tui.model.team import Stint, TeamView
from tui.model.words import printable

__all__ = ["COLUMNS", "FIXED", "bar", "span_of", "stint_rows"]

COLUMNS = (
    Column("Driver", 10),
    Column("Stints", 6, right=True),
    Column("Drove", 6, right=True),
    Column("Now", 9),
    Column("", 20, grows=True),
)
FIXED = sum(column.width + 1 for column in COLUMNS[:-1])
"""Cells beside the bars."""

DRIVEN, PLANNED, NOW = "█", "░", "│"


def span_of(team: TeamView, utc: float | None) -> tuple[float, float] | None:
    """Return the moments at which the axis begins and ends: those of the race, as far as it is known."""
    moments = [stint.begin_utc for stint in team.stints]
    ends = [end for stint in team.stints if (end := stint.end_utc) is not None]
    last = [moment for moment in (team.ends_utc, utc if moments else None) if moment is not None]
    if not moments or not (ends or last):
        return None
    begin, end = min(moments), max(ends + last)
    return (begin, end) if end > begin else None


def bar(stints: Iterable[Stint], span: tuple[float, float], utc: float | None, width: int) -> str:
    """Return `width` cells: driven, planned, and where now is. A stint that is not over reaches until now."""
    begin, end = span

    def cell(moment: float) -> int:
        return max(0, min(width - 1, int((moment - begin) / (end - begin) * width)))

    cells = [" "] * width
    if not width:
        return ""
    for stint in sorted(stints, key=lambda stint: not stint.is_planned):  # what was driven is on top
        until = stint.end_utc if stint.end_utc is not None else utc if utc is not None else stint.begin_utc
        for at in range(cell(stint.begin_utc), max(cell(stint.begin_utc), cell(until - 1)) + 1):
            cells[at] = PLANNED if stint.is_planned else DRIVEN
    if utc is not None and begin <= utc <= end:
        cells[cell(utc)] = NOW
    return "".join(cells)


def stint_rows(team: TeamView, now: float, width: int) -> list[Row]:
    """Return a row for each driver, in the order in which they first drive, and the axis."""
    utc = team.utc(now)
    span = span_of(team, utc)
    drivers: dict[str, list[Stint]] = {}
    for stint in sorted(team.stints, key=lambda stint: stint.begin_utc):
        drivers.setdefault(stint.driver, []).append(stint)
    rows = []
    for driver, stints in drivers.items():
        done = [stint for stint in stints if not stint.is_planned]
        driving = next((stint for stint in done if stint.end_utc is None), None)
        drove = sum((stint.end_utc or utc or stint.begin_utc) - stint.begin_utc for stint in done)
        state = "" if driving is None else "driving"
        if driving is not None and utc is not None:
            state = f"in {_hours(utc - driving.begin_utc)}"
        rows.append(
            Row(
                (driver,),
                (
                    Cell(printable(driver), Kind.STRONG if driving else Kind.PLAIN),
                    Cell(str(len(done))),
                    Cell(_hours(drove)),
                    Cell(state, Kind.STRONG),
                    Cell("" if span is None else bar(stints, span, utc, width)),
                ),
            )
        )
    if span is not None:
        rows.append(
            Row(("",), (Cell(), Cell(), Cell(), Cell(), Cell(_axis(span, team.offset_s, width), Kind.DIM)))
        )
    return rows


def _axis(span: tuple[float, float], offset_s: float, width: int) -> str:
    begin, end = (clock(moment, offset_s) for moment in span)
    return begin + end.rjust(max(0, width - len(begin)))


def _hours(seconds: float) -> str:
    minutes = round(max(0.0, seconds) / 60)
    return f"{minutes // 60}:{minutes % 60:02}"
