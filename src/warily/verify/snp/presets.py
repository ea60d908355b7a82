"""Two expectations that need no file: `GENUINE` and `BASELINE`.

BASELINE refuses what nobody wants: debugging, a migration agent, a report that the host asked for, bits without
a name. It does not ask for ALIAS_CHECK_COMPLETE (AMD-SB-3015, BadRAM), SMT off or a TCB floor: which of these a
machine can report depends on its firmware's age, so they belong in an expectation file and in dated advisories.
"""

from typing import Final

from warily.core.expect import BitRule, SnpExpect
from warily.core.finding import Waived
from warily.formats.snp_report import PolicyBit

_AUTHENTICITY: Final = Waived("genuine: authenticity alone was asked for")


def _not_named(what: str) -> Waived:
    return Waived(f"baseline: no {what} was named")


GENUINE: Final = SnpExpect(
    rehearsal_roots=frozenset(),
    measurements=_AUTHENTICITY,
    report_data=_AUTHENTICITY,
    host_data=_AUTHENTICITY,
    vmpls=_AUTHENTICITY,
    policy=_AUTHENTICITY,
    platform=_AUTHENTICITY,
    unknown_bits=_AUTHENTICITY,
    tcb_floor=_AUTHENTICITY,
    guest_svn=_AUTHENTICITY,
    chip_ids=_AUTHENTICITY,
    id_key_digests=_AUTHENTICITY,
    author_key_digests=_AUTHENTICITY,
    family_id=_AUTHENTICITY,
    image_id=_AUTHENTICITY,
    migration_agent=_AUTHENTICITY,
    provisional_firmware=_AUTHENTICITY,
    must_exclude=_AUTHENTICITY,
)

BASELINE: Final = SnpExpect(
    rehearsal_roots=frozenset(),
    measurements=_not_named("measurement"),
    report_data=_not_named("report data"),
    host_data=_not_named("host data"),
    vmpls=frozenset(range(4)),
    policy=BitRule(required=int(PolicyBit.RESERVED_ONE), forbidden=int(PolicyBit.DEBUG)),
    platform=_not_named("platform bit"),
    unknown_bits=False,
    tcb_floor=_not_named("TCB floor"),
    guest_svn=_not_named("guest SVN"),
    chip_ids=_not_named("chip"),
    id_key_digests=_not_named("ID key"),
    author_key_digests=_not_named("author key"),
    family_id=_not_named("family"),
    image_id=_not_named("image"),
    migration_agent=False,
    provisional_firmware=Waived("baseline: clouds commit new firmware weeks after they start it"),
    must_exclude=_not_named("advisory"),
)

PRESETS: Final = {"genuine": GENUINE, "baseline": BASELINE}
