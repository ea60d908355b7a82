"""Two expectations that need no file: `GENUINE` and `BASELINE`.

Neither names a maker's root, since none is built in: a device is trusted only through an expectation that does.
"""

from typing import Final

from warily.core.expect import SpdmExpect
from warily.core.finding import Waived

_AUTHENTICITY: Final = Waived("genuine: authenticity alone was asked for")


def _not_named(what: str) -> Waived:
    return Waived(f"baseline: no {what} was named")


GENUINE: Final = SpdmExpect(
    authorities=frozenset(),
    rehearsal_roots=frozenset(),
    debug=_AUTHENTICITY,
    nonce=_AUTHENTICITY,
    names=_AUTHENTICITY,
    measurements=_AUTHENTICITY,
    svn=_AUTHENTICITY,
)

BASELINE: Final = SpdmExpect(
    authorities=frozenset(),
    rehearsal_roots=frozenset(),
    debug=False,
    nonce=_not_named("nonce"),
    names=_not_named("device"),
    measurements=_not_named("measurement"),
    svn=_not_named("security version"),
)

PRESETS: Final = {"genuine": GENUINE, "baseline": BASELINE}
