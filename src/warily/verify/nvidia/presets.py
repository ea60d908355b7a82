"""Two expectations that need no file: `GENUINE` and `BASELINE`.

BASELINE needs NVIDIA's manifests for everything that runs on the device, and refuses devices that say they can be
debugged. GENUINE does without manifests, and judges those that are given all the same.
"""

from typing import Final

from warily.core.expect import NvidiaExpect
from warily.core.finding import Waived

_AUTHENTICITY: Final = Waived("genuine: authenticity alone was asked for")


def _not_named(what: str) -> Waived:
    return Waived(f"baseline: no {what} was named")


GENUINE: Final = NvidiaExpect(
    rehearsal_roots=frozenset(),
    manifests=_AUTHENTICITY,
    certificate_hold=False,
    debug=_AUTHENTICITY,
    modes=_AUTHENTICITY,
    nonce=_AUTHENTICITY,
    models=_AUTHENTICITY,
    drivers=_AUTHENTICITY,
    vbioses=_AUTHENTICITY,
    devices=_AUTHENTICITY,
    count=_AUTHENTICITY,
)

BASELINE: Final = NvidiaExpect(
    rehearsal_roots=frozenset(),
    manifests=True,
    certificate_hold=False,
    debug=False,
    modes=_not_named("mode"),
    nonce=_not_named("nonce"),
    models=_not_named("model"),
    drivers=_not_named("driver"),
    vbioses=_not_named("VBIOS"),
    devices=_not_named("device"),
    count=_not_named("number of devices"),
)

PRESETS: Final = {"genuine": GENUINE, "baseline": BASELINE}
