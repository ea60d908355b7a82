from warily.core.appraisal import Appraisal as Appraisal
from warily.core.appraisal import Rejected as Rejected
from warily.core.collateral import SnpCollateral as SnpCollateral
from warily.core.evidence import SnpEvidence as SnpEvidence
from warily.core.expect import BitRule as BitRule
from warily.core.expect import SnpExpect as SnpExpect
from warily.core.expect import TcbFloor as TcbFloor
from warily.core.finding import Finding as Finding
from warily.core.finding import Outcome as Outcome
from warily.core.finding import Waived as Waived
from warily.errors import CollateralError as CollateralError
from warily.errors import FormatError as FormatError
from warily.errors import HostError as HostError
from warily.errors import UsageError as UsageError
from warily.errors import WarilyError as WarilyError
from warily.verify.expectation import read_expectation as read_expectation
from warily.verify.front import verify as verify
from warily.verify.presets import preset as preset
from warily.verify.recognise import collateral_from as collateral_from
from warily.verify.recognise import evidence_from as evidence_from

__version__: str

__all__ = [
    "Appraisal",
    "BitRule",
    "CollateralError",
    "Finding",
    "FormatError",
    "HostError",
    "Outcome",
    "Rejected",
    "SnpCollateral",
    "SnpEvidence",
    "SnpExpect",
    "TcbFloor",
    "UsageError",
    "Waived",
    "WarilyError",
    "__version__",
    "collateral_from",
    "evidence_from",
    "preset",
    "read_expectation",
    "verify",
]
