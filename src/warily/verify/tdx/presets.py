"""Two expectations that need no file: `GENUINE` and `BASELINE`.

BASELINE refuses what nobody wants: debugging, migration, a service TD, a platform that is not up to date, an SGX
enclave in the place of a TD, bits without a name. It does not ask for SEPT_VE_DISABLE: Linux refuses to run, or turns
the exceptions off itself, where the bit is clear.
"""

from dataclasses import fields
from typing import Any, Final

from warily.core.expect import BitRule, StatusRule, TdxExpect
from warily.core.finding import Waived
from warily.formats.tdx_quote import TdAttribute
from warily.verify.tdx.acceptable import UNSAID
from warily.verify.tdx.tcb import TcbStatus

_AUTHENTICITY: Final = Waived("genuine: authenticity alone was asked for")
_ROOTS: Final = "rehearsal_roots"
_WAIVABLE: Final = tuple(entry.name for entry in fields(TdxExpect) if entry.name != _ROOTS)
_DECIDED: Final[dict[str, Any]] = {
    "enclaves": frozenset(),
    "debug": False,
    "statuses": frozenset({StatusRule(status=TcbStatus.UP_TO_DATE.value, since=None)}),
    "attributes": BitRule(required=0, forbidden=int(TdAttribute.MIGRATABLE)),
    "unknown_bits": False,
    "mrservicetds": frozenset({bytes(48), UNSAID}),
}


def _not_named(field: str) -> Waived:
    return Waived(f"baseline: nothing was named for {field}")


GENUINE: Final = TdxExpect(rehearsal_roots=frozenset(), **dict.fromkeys(_WAIVABLE, _AUTHENTICITY))
BASELINE: Final = TdxExpect(
    rehearsal_roots=frozenset(), **{name: _DECIDED.get(name, _not_named(name)) for name in _WAIVABLE}
)

PRESETS: Final = {"genuine": GENUINE, "baseline": BASELINE}
