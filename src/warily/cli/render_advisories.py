"""Known attacks and what the evidence says of them, for people: those that newer firmware answers first."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from warily.core.advisory import Exposure, Standing

WIDTH: Final = 80
_INDENT: Final = " " * 9


def advisory_lines(exposures: Sequence[Exposure]) -> Iterator[str]:
    """A summary with the date of the data, then every attack by how it stands; `--json` has each one's reason."""
    by = {standing: [one for one in exposures if one.standing is standing] for standing in Standing}
    dates = [one.data_of for one in exposures if one.data_of is not None]
    dated = f" (data of {max(dates):%Y-%m-%d})" if dates else ""
    yield from textwrap.wrap(
        f"known attacks{dated}: {len(by[Standing.EXCLUDED])} excluded, {len(by[Standing.OPEN])} not excluded; "
        f"of {len(by[Standing.UNKNOWN])} this evidence cannot tell",
        WIDTH,
    )
    for one in sorted(by[Standing.OPEN], key=lambda one: not one.behind):
        if one.answerable:
            yield f"  open   {_name(one)}"
            yield from textwrap.wrap(
                one.because, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False
            )
    yield from _listed("open", "no evidence answers: ", (one for one in by[Standing.OPEN] if not one.answerable))
    yield from _listed("?", "cannot tell: ", by[Standing.UNKNOWN])
    yield from _listed("ok", "", by[Standing.EXCLUDED])


def _listed(mark: str, says: str, exposures: Iterable[Exposure]) -> Iterator[str]:
    """The names in one paragraph; nothing where there are none."""
    names = ", ".join(_name(one) for one in exposures)
    if names:
        yield from textwrap.wrap(f"  {mark:<7}{says}{names}", WIDTH, subsequent_indent=_INDENT, break_on_hyphens=False)


def _name(one: Exposure) -> str:
    return f"{one.advisory} ({', '.join(one.attacks)})" if one.attacks else one.advisory
