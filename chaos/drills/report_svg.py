"""A drill as a picture: when which fault struck, and what came of it. SVG, without scripts, for light and dark pages."""

import html
from typing import Final

from chaos.drills.chart import Lane, Scale, band_path, columns_of, line_path, nice_ceiling, steps_of
from chaos.drills.record import FaultRun, Record, Sample, Verdict
from chaos.drills.words import clock, figure

__all__ = ["svg_of"]

WIDTH: Final = 960
LEFT: Final = 168
RIGHT: Final = 32
HEAD: Final = 78
LANE: Final = 20
PANEL: Final = 92
GAP: Final = 30
LANES_MAX: Final = 12
SHADES_MAX: Final = 60
WORDS_MAX: Final = 118

_STYLE: Final = """
svg{--paper:#fff;--ink:#1c2430;--dim:#5b6675;--rule:#d9dee6;--fault:#c2410c;--deed:#7c3aed;--up:#0f766e;--down:#b91c1c;
--line:#1d4ed8;--fill:#1d4ed822;--shade:#c2410c14}
@media(prefers-color-scheme:dark){svg{--paper:#12161c;--ink:#e6eaf0;--dim:#9aa6b5;--rule:#2c3440;--fault:#fb923c;
--deed:#c4b5fd;--up:#2dd4bf;--down:#f87171;--line:#7db2ff;--fill:#7db2ff2e;--shade:#fb923c1c}}
text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--ink)}
.title{font-size:17px;font-weight:600}.dim{fill:var(--dim)}.right{text-anchor:end}.middle{text-anchor:middle}
.paper{fill:var(--paper)}.rule{stroke:var(--rule);fill:none}.shade{fill:var(--shade)}
.fault{fill:var(--fault)}.deed{fill:var(--deed)}.line{stroke:var(--line);fill:none;stroke-width:1.6}
.area{fill:var(--fill)}.up{fill:var(--up)}.down{fill:var(--down)}.mark{stroke:var(--ink);stroke-dasharray:2 3}
"""

_COLOURS: Final = {Verdict.PASS: "up", Verdict.INVALID: "dim"}


def svg_of(record: Record) -> str:
    """Return the picture, as text."""
    lanes = _lanes(record)
    scale = Scale(max([record.took_s, 1.0, *(sample.t_s for sample in record.samples)]), LEFT, WIDTH - RIGHT)
    top = HEAD + len(lanes) * LANE
    body = [*_faults(record, lanes, scale)]
    panels = [*_connection(record, scale, top + GAP)]
    top += GAP + LANE
    for name, unit, values in _figures(record.samples):
        panels += _curve(name, unit, values, scale, top + GAP)
        top += GAP + PANEL
    height = top + 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img"><title>{_text(f"Drill {record.drill}: {record.verdict}")}</title>',
        f"<desc>{_text(record.why)}</desc><style>{_STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
        *_head(record),
        *_axis(scale, top),
        *_shades(record, scale, top),
        *body,
        *panels,
        "</svg>",
    ]
    return "\n".join(parts)


def _head(record: Record) -> list[str]:
    colour = _COLOURS.get(record.verdict, "down")
    began = f"{record.started_utc} · seed {record.seed} · {record.against} · dotted: fresh again"
    return [
        f'<text x="24" y="30" class="title">{_text(record.drill)}: <tspan class="{colour}">{record.verdict}</tspan></text>',
        f'<text x="24" y="49">{_text(_short(record.why or record.proves))}</text>',
        f'<text x="24" y="66" class="dim">{_text(_short(began))}</text>',
    ]


def _axis(scale: Scale, bottom: int) -> list[str]:
    parts = []
    for at_s in scale.ticks():
        x = scale.x(at_s)
        parts.append(f'<path class="rule" d="M{x:.1f} {HEAD}V{bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" class="dim middle">{clock(at_s)}</text>')
    return parts


# --- faults ------------------------------------------------------------------------------------------------------------


def _lanes(record: Record) -> list[Lane]:
    """Return the rows of bars: one for each kind of fault and what it befell; past twelve the rest share one."""
    found: dict[tuple[str, str], list[FaultRun]] = {}
    for fault in record.faults:
        found.setdefault((fault.kind, fault.target), []).append(fault)
    lanes = [Lane(f"{kind} · {target}", tuple(runs)) for (kind, target), runs in found.items()]
    if len(lanes) <= LANES_MAX:
        return lanes
    rest = lanes[LANES_MAX - 1 :]
    merged = tuple(run for lane in rest for run in lane.runs)
    return [*lanes[: LANES_MAX - 1], Lane(f"{len(rest)} other kinds", merged)]


def _faults(record: Record, lanes: list[Lane], scale: Scale) -> list[str]:
    deeds = {step.name for step in record.scenario.timeline if not hasattr(step.fault, "stream")}
    parts = []
    for row, lane in enumerate(lanes):
        y = HEAD + row * LANE
        parts.append(_label(lane.name, y + 14))
        for run in lane.runs:
            if run.from_s is None:
                continue
            until_s = record.took_s if run.until_s is None else run.until_s
            words = f"{run.step}: {clock(run.from_s)} to {clock(run.until_s)}, met {run.touched or 'nothing'}"
            kind = "deed" if run.step in deeds else "fault"
            x, width = scale.x(run.from_s), max(2.0, scale.x(until_s) - scale.x(run.from_s))
            parts.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{y + 3}" width="{width:.1f}" height="{LANE - 6}" rx="2" '
                f'opacity="{0.9 if run.touched else 0.35}"><title>{_text(words)}</title></rect>'
            )
    return parts


def _shades(record: Record, scale: Scale, bottom: int) -> list[str]:
    """Mark where faults came and went across all panels; what lasts most of the drill marks nothing."""
    spans = dict.fromkeys(
        (run.from_s, record.took_s if run.until_s is None else run.until_s)
        for run in record.faults
        if run.from_s is not None
    )
    parts: dict[str, None] = {}  # a profile's faults strike together: one mark
    for from_s, until_s in list(spans)[:SHADES_MAX]:
        if until_s - from_s > 0.6 * record.took_s:
            continue
        x, width = scale.x(from_s), max(1.0, scale.x(until_s) - scale.x(from_s))
        where = f'x="{x:.0f}" y="{HEAD}" width="{width:.0f}" height="{bottom - HEAD}"'
        parts[f'<rect class="shade" {where}/>'] = None
    return list(parts)


# --- what was seen -----------------------------------------------------------------------------------------------------


def _connection(record: Record, scale: Scale, y: int) -> list[str]:
    parts = [_label("link", y + 14)]
    states = [(sample.t_s, sample.connected) for sample in record.samples]
    for from_s, until_s, connected in steps_of(states, record.took_s):
        words = f"{'connected' if connected else 'not connected'}: {clock(from_s)} to {clock(until_s)}"
        x, width = scale.x(from_s), max(1.0, scale.x(until_s) - scale.x(from_s))
        kind, top, height = ("up", y + 3, 6) if connected else ("down", y + 11, 6)
        parts.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{top}" width="{width:.1f}" height="{height}">'
            f"<title>{_text(words)}</title></rect>"
        )
    for recovery in record.recoveries[:SHADES_MAX]:
        run = next((one for one in record.faults if one.step == recovery.step), None)
        if run is None or run.until_s is None or recovery.fresh_s is None:
            continue
        x, words = (
            scale.x(run.until_s + recovery.fresh_s),
            f"{recovery.step}: fresh {figure(recovery.fresh_s, 's')} after",
        )
        parts.append(
            f'<path class="mark" d="M{x:.1f} {y - 2}V{y + LANE}"><title>{_text(words)}</title></path>'
        )
    return parts


Points = list[tuple[float, float | None]]


def _figures(samples: tuple[Sample, ...]) -> list[tuple[str, str, Points]]:
    """Return the curves: name, unit and points; round trips only where there are any."""
    found: list[tuple[str, str, Points]] = [
        ("age on screen", "s", [(sample.t_s, sample.freshness_s) for sample in samples]),
        ("messages waiting", "", [(sample.t_s, sample.queue) for sample in samples]),
        ("round trip", "s", [(sample.t_s, sample.rtt_s) for sample in samples]),
    ]
    return [one for one in found if one[0] != "round trip" or any(value is not None for _, value in one[2])]


def _curve(name: str, unit: str, points: Points, scale: Scale, y: int) -> list[str]:
    known = [value for _, value in points if value is not None]
    most = max(known, default=0.0)
    limit = nice_ceiling(most, 0.05 if unit else 1.0)
    columns = columns_of(points, scale)
    return [
        _label(name, y + 14),
        f'<text x="{LEFT - 12}" y="{y + 31}" class="dim right">'
        f"{_text(f'at most {figure(most, unit)}' if known else 'not known')}</text>",
        f'<path class="rule" d="M{LEFT} {y}H{WIDTH - RIGHT}M{LEFT} {y + PANEL}H{WIDTH - RIGHT}"/>',
        f'<text x="{LEFT + 4}" y="{y + 12}" class="dim">{figure(limit, unit)}</text>',
        f'<path class="area" d="{band_path(columns, limit, y, PANEL)}"/>',
        f'<path class="line" d="{line_path(columns, limit, y, PANEL)}"/>',
    ]


def _label(words: str, y: int) -> str:
    return f'<text x="{LEFT - 12}" y="{y}" class="right">{_text(_short(words, 24))}</text>'


def _short(words: str, most: int = WORDS_MAX) -> str:
    plain = " ".join(words.split())
    return plain if len(plain) <= most else plain[: most - 1].rstrip() + "…"


def _text(words: str) -> str:
    """Return words that XML can hold."""
    return html.escape("".join(one for one in words if one.isprintable()))
