"""`warily.verify`: judge evidence from values or from bytes as they lie in files."""

from collections.abc import Iterable
from datetime import datetime

from warily.core.appraisal import Appraisal
from warily.core.collateral import Collateral
from warily.core.evidence import Evidence
from warily.core.expect import Expect
from warily.verify import appraise, recognise
from warily.verify.presets import preset


def verify(
    evidence: Evidence | bytes,
    *,
    collateral: Collateral | Iterable[bytes],
    expect: Expect | str,
    at: datetime,
) -> Appraisal:
    """The appraisal of `evidence` at the time `at`, which must name its time zone.

    `evidence` is a value, or bytes of any kind that `warily verify` takes. `collateral` is a value, or the content
    of any number of files, `()` for none. `expect` is an expectation, or `"genuine"` or `"baseline"`. Nothing has a
    default, and nothing is fetched. Act on the result with `.require()`, which raises unless it was accepted.

    Raises `FormatError` for malformed evidence or collateral, `UsageError` for a time without zone or an unknown
    expectation; everything else is a finding.
    """
    given = recognise.evidence_from(evidence) if isinstance(evidence, bytes) else evidence
    beside = recognise.collateral_beside(evidence) if isinstance(evidence, bytes) else []
    offered = (
        collateral if isinstance(collateral, Collateral) else recognise.collateral_for(given, (*collateral, *beside))
    )
    wanted = preset(expect, given) if isinstance(expect, str) else expect
    return appraise(given, offered, wanted, at=at)
