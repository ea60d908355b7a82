"""What an expectation demands of advisories, as one finding."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import date

from warily.core.advisory import Exposure, Standing
from warily.core.finding import Finding, Waived, failed, passed, waived


def demanded(check: str, exposures: Iterable[Exposure], want: AbstractSet[str] | date | Waived) -> Finding:
    """Every advisory that the expectation names is excluded; with a date, every answerable one published until then.

    One without a known date counts as published; one that the evidence cannot tell of is not excluded.
    """
    if isinstance(want, Waived):
        return waived(check, want)
    found = {exposure.advisory: exposure for exposure in exposures}
    if isinstance(want, date):
        asked = {
            name
            for name, exposure in found.items()
            if exposure.answerable and (exposure.published is None or exposure.published <= want)
        }
    else:
        asked = set(want)
    lacking = sorted(name for name in asked if name not in found or found[name].standing is not Standing.EXCLUDED)
    if lacking:
        said = [f"{name}: {found[name].because}" if name in found else f"{name}: not judged" for name in lacking]
        expected = f"{', '.join(lacking)} excluded"
        return failed(check, expected=expected[:400], found="; ".join(said)[:600])
    return passed(check, found=f"{len(asked)} advisories excluded")
