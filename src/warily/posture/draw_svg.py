"""The posture as one SVG: seven sectors around the workload, three walls, one against each adversary.

An excluded adversary meets a solid wall, a detected one a tripwire, an assumed one a dashed outline; exposed is a
gap, unknown a question mark. Shapes tell the states apart, so colour is never needed. The file refers to
nothing outside itself, and follows the reader's light or dark scheme.
"""

import math
from html import escape
from typing import Final

from warily.posture.cell import MEANING, Adversary, Cell, Component, State
from warily.posture.draw_text import OPEN_MEMORY, headline, memory_is_open, title, why
from warily.posture.grade import Posture

WIDTH: Final = 1280
HEIGHT: Final = 760
SIZE: Final = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
CENTRE: Final = (322.0, 374.0)
WALLS: Final[dict[Adversary, tuple[float, float]]] = {
    Adversary.HYPERVISOR: (92.0, 120.0),
    Adversary.HOST_ADMIN: (130.0, 160.0),
    Adversary.CLOUD_OPERATOR: (170.0, 202.0),
}
LABEL_RADIUS: Final = 220.0
SECTOR: Final = 2 * math.pi / len(Component)
GAP: Final = 5.0  # pixels between two sectors, the same at every radius

LEFT: Final = 632
COLUMNS: Final[dict[Adversary, int]] = {
    Adversary.HYPERVISOR: 776,
    Adversary.HOST_ADMIN: 934,
    Adversary.CLOUD_OPERATOR: 1092,
}
FIRST_ROW: Final = 164
ROW: Final = 62

STYLE: Final = """
svg { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
.ground { fill: #fbfaf7; } .ink { fill: #1c2126; } .soft { fill: #5c646d; } .line { stroke: #d9d6cf; }
.excluded { color: #17694f; } .detected { color: #1f5f9e; } .assumed { color: #8a6100; }
.exposed { color: #b3361f; } .unknown { color: #6b727a; } .not-applicable { color: #6b727a; }
.on-wall { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  .ground { fill: #14181c; } .ink { fill: #eceff1; } .soft { fill: #a3acb5; } .line { stroke: #363d44; }
  .excluded { color: #5cc9a3; } .detected { color: #7db8ee; } .assumed { color: #e3b64a; }
  .exposed { color: #ff8a70; } .unknown { color: #a3acb5; } .not-applicable { color: #a3acb5; }
  .on-wall { fill: #10231c; }
}
"""


def draw_svg(posture: Posture) -> str:
    """A self-contained SVG document, 1280 by 760, with a title and a description that says all of it in words."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {SIZE} role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(f"Posture of {title(posture)}, {posture.at}")}</title>',
        f'<desc id="desc">{escape(_in_words(posture))}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>',
        *_head(posture),
        *_walls(posture),
        *_rows(posture),
        *_names(posture),
        *_legend(posture),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _text(x: float, y: float, size: int, text: str, *, kind: str = "ink", more: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" font-size="{size}"{more}>{escape(text)}</text>'


def _tinted(state: State, *parts: str) -> str:
    """The parts in the colour of a state."""
    return f'<g class="{state}">{"".join(parts)}</g>'


CURRENT: Final = ' fill="currentColor"'
BOLD: Final = ' font-weight="600"'
MIDDLE: Final = ' text-anchor="middle"'


def _in_words(posture: Posture) -> str:
    rows = []
    for component in Component:
        states = ", ".join(f"{cell.adversary} {_said(cell)}" for cell in posture.row(component))
        rows.append(f"{component}: {states}; {posture.least(component).because}.")
    return " ".join((headline(posture), *rows))


def _said(cell: Cell) -> str:
    return f"{cell.state} {cell.grade.name}" if cell.grade is not None and cell.worth[0] else cell.state.value


def _head(posture: Posture) -> list[str]:
    kind = State.EXPOSED if posture.rehearsal else State.EXCLUDED if posture.accepted else State.UNKNOWN
    note = OPEN_MEMORY if memory_is_open(posture) else ""
    return [
        _text(48, 56, 28, title(posture), more=BOLD),
        _tinted(kind, _text(48, 84, 16, headline(posture), kind="", more=CURRENT)),
        _text(48, 106, 14, note, kind="soft"),
        _text(WIDTH - 48, 56, 14, posture.at, kind="soft", more=' text-anchor="end"'),
    ]


def _at(radius: float, angle: float) -> tuple[float, float]:
    return CENTRE[0] + radius * math.sin(angle), CENTRE[1] - radius * math.cos(angle)


def _outline(inner: float, outer: float, at: int) -> str:
    """The path of one wall segment: sector `at`, between two radii, with straight gaps to its neighbours."""
    middle = at * SECTOR
    spread_in, spread_out = (SECTOR / 2 - math.asin(GAP / 2 / radius) for radius in (inner, outer))
    corners = [
        _at(inner, middle - spread_in),
        _at(outer, middle - spread_out),
        _at(outer, middle + spread_out),
        _at(inner, middle + spread_in),
    ]
    a, b, c, d = (f"{x:.2f} {y:.2f}" for x, y in corners)
    return f"M{a} L{b} A{outer:g} {outer:g} 0 0 1 {c} L{d} A{inner:g} {inner:g} 0 0 0 {a} Z"


def _arc(radius: float, at: int, dashes: str) -> str:
    spread = SECTOR / 2 - math.asin(GAP / 2 / radius)
    (x1, y1), (x2, y2) = _at(radius, at * SECTOR - spread), _at(radius, at * SECTOR + spread)
    return (
        f'<path d="M{x1:.2f} {y1:.2f} A{radius:g} {radius:g} 0 0 1 {x2:.2f} {y2:.2f}" fill="none"'
        f' stroke="currentColor" stroke-width="2"{dashes}/>'
    )


def _segment(cell: Cell, at: int) -> str:
    """One wall segment, with its grade or its mark in the middle."""
    inner, outer = WALLS[cell.adversary]
    x, y = _at((inner + outer) / 2, at * SECTOR)
    if cell.state is State.EXCLUDED:
        look = ("on-wall", "")
    elif cell.worth[0]:
        look = ("ink", "")
    else:
        look = ("", CURRENT)
    text = _text(x, y + 4.5, 13, _label(cell), kind=look[0], more=MIDDLE + BOLD + look[1])
    return _tinted(cell.state, _wall(cell, at), text)


def _label(cell: Cell) -> str:
    if cell.worth[0] and cell.grade is not None:
        return cell.grade.name
    return "open" if cell.state is State.EXPOSED else "?"


def _wall(cell: Cell, at: int) -> str:
    """The shape alone: solid, tripwire, outline, gap, or dots."""
    inner, outer = WALLS[cell.adversary]
    path = f'd="{_outline(inner, outer, at)}"'
    match cell.state:
        case State.EXCLUDED:
            return f'<path {path} fill="currentColor"/>'
        case State.DETECTED:
            wires = "".join(_arc(radius, at, "") for radius in (inner + 4, outer - 4))
            return f'<path {path} fill="currentColor" fill-opacity="0.14"/>{wires}'
        case State.ASSUMED | State.NOT_APPLICABLE:
            border = 'stroke="currentColor" stroke-width="1.5" stroke-dasharray="6 5"'
            return f'<path {path} fill="currentColor" fill-opacity="0.07" {border}/>'
        case State.EXPOSED:
            return ""
        case State.UNKNOWN:
            return _arc((inner + outer) / 2, at, ' stroke-dasharray="1 8" stroke-linecap="round"')


def _walls(posture: Posture) -> list[str]:
    parts = []
    for at, component in enumerate(Component):
        parts += [_segment(cell, at) for cell in posture.row(component)]
        x, y = _at(LABEL_RADIUS, at * SECTOR)
        anchor = ("start", "middle", "end")[1 - round(math.sin(at * SECTOR))]
        lift = 5 - 10 * math.cos(at * SECTOR)
        parts.append(_text(x, y + lift, 15, component.value, more=f' text-anchor="{anchor}"{BOLD}'))
    x, y = CENTRE
    inside = "rehearsal" if posture.rehearsal else posture.platform
    parts += [
        '<circle class="line" ' + f'cx="{x:g}" cy="{y:g}" r="76" fill="none" stroke-width="1"/>',
        _text(x, y, 16, "workload", more=MIDDLE + BOLD),
        _text(x, y + 20, 13, inside, kind="soft", more=MIDDLE),
        _text(x, HEIGHT - 106, 13, "walls from the inside out, one against each", kind="soft", more=MIDDLE),
        _text(x, HEIGHT - 87, 13, " · ".join(Adversary), kind="soft", more=MIDDLE),
    ]
    return parts


def _mark(state: State, x: float, y: float) -> str:
    """The state's mark, six pixels around its centre; the same shapes as in the terminal."""
    ring = f'<circle cx="{x:g}" cy="{y:g}" r="5" fill="none" stroke="currentColor" stroke-width="2"/>'
    match state:
        case State.EXCLUDED:
            return f'<circle cx="{x:g}" cy="{y:g}" r="6" fill="currentColor"/>'
        case State.DETECTED:
            return f'{ring}<path d="M{x:g} {y - 5:g} A5 5 0 0 0 {x:g} {y + 5:g} Z" fill="currentColor"/>'
        case State.ASSUMED:
            diamond = f"M{x:g} {y - 6:g} L{x + 6:g} {y:g} L{x:g} {y + 6:g} L{x - 6:g} {y:g} Z"
            return f'<path d="{diamond}" fill="none" stroke="currentColor" stroke-width="1.8"/>'
        case State.EXPOSED:
            return ring
        case State.UNKNOWN:
            return _text(x, y + 5, 15, "?", kind="", more=MIDDLE + BOLD + CURRENT)
        case State.NOT_APPLICABLE:
            return f'<path d="M{x - 5:g} {y:g} H{x + 5:g}" stroke="currentColor" stroke-width="2"/>'


def _rows(posture: Posture) -> list[str]:
    parts = [_text(x, FIRST_ROW - 26, 13, adversary.value, kind="soft") for adversary, x in COLUMNS.items()]
    for at, component in enumerate(Component):
        y, least = FIRST_ROW + at * ROW, posture.least(component)
        parts.append(f'<path class="line" d="M{LEFT} {y - 17.5} H{WIDTH - 48}" stroke-width="1"/>')
        parts.append(_text(LEFT, y + 2, 16, component.value, more=BOLD))
        for cell in posture.row(component):
            x = COLUMNS[cell.adversary]
            said = _text(x + 18, y + 2, 14, _said(cell), kind="", more=CURRENT)
            parts.append(_tinted(cell.state, _mark(cell.state, x + 6, y - 3), said))
        parts.append(_text(LEFT, y + 21, 13, least.because, kind="soft"))
        if least.who:
            parts.append(_text(LEFT, y + 37, 12, f"assumed of: {least.who}", kind="soft", more=' font-style="italic"'))
    return parts


def _names(posture: Posture) -> list[str]:
    top = FIRST_ROW + len(Component) * ROW
    parts = [f'<path class="line" d="M{LEFT} {top - 17.5} H{WIDTH - 48}" stroke-width="1"/>']
    for at, name in enumerate(posture.names):
        y = top + 4 + at * 37
        kind, verdict = (State.EXCLUDED, "holds") if name.holds else (State.UNKNOWN, "does not hold")
        said = _text(LEFT, y, 14, f"{name.name}: {verdict}", kind="", more=CURRENT + BOLD)
        parts.append(_tinted(kind, said))
        if not name.holds:
            parts.append(_text(LEFT, y + 16, 11, why(name), kind="soft"))
    return parts


def _legend(posture: Posture) -> list[str]:
    shown = sorted({cell.grade for cell in posture.cells if cell.grade is not None and cell.worth[0]})
    lines = [f"{grade.name} {MEANING[grade]}" for grade in shown]
    return [
        _text(CENTRE[0], HEIGHT - 60 + 16 * at, 12, line, kind="soft", more=MIDDLE) for at, line in enumerate(lines)
    ]
