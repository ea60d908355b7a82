"""The posture in 80 columns: each state is a word and a mark of its own, and colour adds nothing but comfort."""

import textwrap
from collections.abc import Iterable
from typing import Final

from warily.posture.cell import MEANING, Adversary, Cell, Component, Grade, State, clip
from warily.posture.grade import Posture
from warily.posture.names import Borne, Failing

COLUMNS: Final = 80
MARKS: Final[dict[State, str]] = {
    State.EXCLUDED: "●",
    State.DETECTED: "◐",
    State.ASSUMED: "◇",
    State.EXPOSED: "○",
    State.UNKNOWN: "?",
    State.NOT_APPLICABLE: "-",
}
COLOURS: Final[dict[State, str]] = {
    State.EXCLUDED: "32",
    State.DETECTED: "36",
    State.ASSUMED: "33",
    State.EXPOSED: "31",
    State.UNKNOWN: "90",
    State.NOT_APPLICABLE: "90",
}
OPEN_MEMORY: Final = "What lies in memory, keys included, is open to the host, whatever else holds."
BOLD: Final = "1"
DIM: Final = "90"
FIRST: Final = 17  # columns before the matrix
OTHERS: Final = 21  # columns of one adversary


class Paint:
    """Adds colour where it is wanted. Widths are set before painting, so that columns stay straight."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def __call__(self, text: str, code: str) -> str:
        """The text in that colour, or as it is."""
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def draw_text(posture: Posture, *, colour: bool = False, still_open: bool = True) -> str:
    """The whole picture, with a final newline. No line is wider than 80 columns.

    `still_open=False` leaves out the list of what each adversary can do all the same.
    """
    paint = Paint(colour=colour)
    blocks = [_head(posture, paint), _matrix(posture, paint)]
    if still_open:
        blocks.append(_still_open(posture, paint))
    blocks += [_names(posture, paint), _legend(posture, paint)]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def headline(posture: Posture) -> str:
    """Whose word the picture rests on, in one sentence."""
    if posture.rehearsal and not posture.accepted:
        return "REHEARSAL evidence, and not accepted: nothing may be relied on."
    if posture.rehearsal:
        return "REHEARSAL: a software key signed this evidence; no hardware is behind it."
    if posture.accepted:
        return clip(f"Evidence accepted: genuine {posture.platform} hardware, by {posture.anchor}.")
    return "No accepted evidence: nothing may be relied on."


def memory_is_open(posture: Posture) -> bool:
    """Somebody can read or change the memory, which undoes what the other components hold."""
    return posture.least(Component.MEMORY).state is State.EXPOSED


def title(posture: Posture) -> str:
    """What the picture is of."""
    return clip(posture.image) if posture.image else "an image that nothing here explains"


def _head(posture: Posture, paint: Paint) -> list[str]:
    left = clip(f"  {title(posture)}", COLUMNS - 2 - len(posture.at))
    gap = " " * (COLUMNS - len(left) - len(posture.at))
    code = COLOURS[State.EXPOSED if posture.rehearsal else State.EXCLUDED if posture.accepted else State.UNKNOWN]
    lines = [f"{paint(left, BOLD)}{gap}{paint(posture.at, DIM)}", f"  {paint(headline(posture), code)}"]
    return [*lines, f"  {OPEN_MEMORY}"] if memory_is_open(posture) else lines


def _matrix(posture: Posture, paint: Paint) -> list[str]:
    heads = "".join(f"{adversary.value:<{OTHERS}}" for adversary in Adversary).rstrip()
    lines = [paint(" " * FIRST + heads, DIM)]
    for component in Component:
        cells = [_cell(cell, paint) for cell in posture.row(component)]
        least = posture.least(component)
        lines.append("  " + paint(f"{component.value:<{FIRST - 2}}", BOLD) + "".join(cells).rstrip())
        lines.append(f"    {least.because}")
        if least.who:
            lines.append(paint(f"    assumed of: {least.who}", DIM))
        lines += [paint(f"    {line}", DIM) for line in least.attacked]
    return lines


def _cell(cell: Cell, paint: Paint) -> str:
    grade = f" {cell.grade.name}" if cell.grade is not None and cell.worth[0] else ""
    text = f"{MARKS[cell.state]} {cell.state.value}{grade}"
    return paint(text, COLOURS[cell.state]) + " " * (OTHERS - len(text))


def open_lines(row: Iterable[Cell]) -> list[str]:
    """What a row leaves open, each line once, in the order of the adversaries."""
    return list(dict.fromkeys(line for cell in row for line in cell.still_open))


def _still_open(posture: Posture, paint: Paint) -> list[str]:
    lines = []
    for component in Component:
        found = open_lines(posture.row(component))
        if found:
            lines.append(f"  {component.value}")
            lines += [f"    {line}" for line in found]
    return [paint("  still open", BOLD), *lines] if lines else []


def _names(posture: Posture, paint: Paint) -> list[str]:
    lines = [paint("  names", BOLD)]
    for name in posture.names:
        mark, code = ("✓", COLOURS[State.EXCLUDED]) if name.holds else ("✗", DIM)
        verdict = "holds" if name.holds else "does not hold"
        lines.append("  " + paint(f"{mark} {name.name}: {verdict}", code))
        if not name.holds:
            lines += textwrap.wrap(why(name), COLUMNS, initial_indent="    ", subsequent_indent="    ")
    return lines


def why(name: Borne) -> str:
    """The failing components by state, each by the cell that may be relied on least."""
    least: dict[Component, Failing] = {}
    for one in name.failing:
        found = least.get(one.cell.component)
        least[one.cell.component] = one if found is None or one.cell.worth < found.cell.worth else found
    states = dict.fromkeys(one.cell.state for one in least.values())
    return "; ".join(
        f"{state.value}: " + ", ".join(_shortfall(one) for one in least.values() if one.cell.state is state)
        for state in states
    )


def _shortfall(one: Failing) -> str:
    """The component, and its grade where that says something."""
    if one.cell.grade is None or not one.cell.worth[0]:
        return one.cell.component.value
    wanted = f" (needs {one.need.grade.name})" if one.is_for_its_grade else ""
    return f"{one.cell.component.value} {one.cell.grade.name}{wanted}"


def _legend(posture: Posture, paint: Paint) -> list[str]:
    marks = "  ".join(f"{mark} {state.value}" for state, mark in MARKS.items())
    shown = sorted({cell.grade for cell in posture.cells if cell.grade is not None and cell.worth[0]})
    lines = [f"  {marks}", *(f"  {grade.name} {MEANING[Grade(grade)]}" for grade in shown)]
    return [paint(line, DIM) for line in lines]
