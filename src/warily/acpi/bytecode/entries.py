"""Which methods an operating system runs on its own, and when.

Source: ACPI 6.5, 5.6.4 General-Purpose Event Handling, 5.7 Predefined Objects, 6 Device Configuration; the names that
Linux evaluates while it boots and binds drivers.
"""

import re
from functools import cache
from typing import Final

LOAD: Final = "auto:load"
CALL: Final = "call"
_EVENT: Final = re.compile(r"_([LEQW])[0-9A-F]{2}")
_NAMES: Final = """
    _INI _STA _REG _HID _CID _UID _ADR _CLS _SUB _HRV _STR _MLS _DDN _SUN _PLD _CRS _PRS _SRS _DIS _PRT _SEG _BBN _CBA
    _OSC _PIC _DSM _DSD _DEP _CCA _DMA _PXM _RMV _MAT _EJD _GLK _HPP _HPX _FIX _PRW _PRE _PRR _RST _PR0 _PR1 _PR2 _PR3
    _PS0 _PS1 _PS2 _PS3 _PSC _PSE _PSW _DSW _IRC _S0D _S1D _S2D _S3D _S4D _S0W _S1W _S2W _S3W _S4W _ON_ _OFF _S0_ _S1_
    _S2_ _S3_ _S4_ _S5_ _TMP _HOT _CRT _CR3 _PSV _PSL _TZD _TZM _TSP _TZP _TC1 _TC2 _SCP _TRT _ART _RTV _AC0 _AC1 _AC2
    _AC3 _AC4 _AC5 _AC6 _AC7 _AC8 _AC9 _AL0 _AL1 _AL2 _AL3 _AL4 _AL5 _AL6 _AL7 _AL8 _AL9 _FIF _FPS _FSL _FST _BIF _BIX
    _BST _BTP _BMA _BMC _BMD _BMS _PSR _PCL _PIF _PRL _LID _DOS _DOD _ROM _GPD _SPD _VPO _DDC _BCL _BCM _BQC _DCS _DGS
    _DSS _PCT _PSS _PPC _PDL _CST _CSD _PSD _TSS _TPC _PTC _TSD _TDL _CPC _LPI _RDI _PDC _OSI _PUR _GTM _STM _GTF _SDD
    _PTS _WAK _TTS _GTS _BFS _SST _MSG _OST _LCK _EJ0 _EJ1 _EJ2 _EJ3 _EJ4 _DLM _PRV _BMT _BCT _DTI _ACC _BLT _ASD _PTP
    _MBM _MSM _HMA _SLI _DCK _BDN _UPC _EC_ _SBS _SBI _SBR _SBW _GPE _IFT _SRV _AEI _CDM _GAI _GHL _PMC _PMM _PMD _NTT
    _GRT _SRT _GCP _GWS _CWS _STP _STV _TIP _TIV _ALC _ALI _ALP _ALR _ALT _NIC _NIH _NIG _LSI _LSR _LSW _BTH _WPC _WPP
"""
_AUTOMATIC: Final = frozenset(_NAMES.split())


_ANSWERS: Final = """
    _STA _INI _HID _CID _UID _ADR _CRS _DEP _OST _EJ0 _BST _BIF _BIX _TMP _PSR _LID _PPC _CST _TPC
"""
ANSWERS: Final = frozenset(f"auto:{name}" for name in _ANSWERS.split())
"""What the kernel evaluates because it was notified: a Notify there asks for itself again."""


@cache
def label(name: str) -> str:
    """When the kernel evaluates an object of this name: `auto:_INI`, `event:_Lxx`; `call` if only when asked."""
    if _EVENT.fullmatch(name):
        return f"event:_{name[1]}xx"
    if name == "_EVT":
        return "event:_EVT"
    return f"auto:{name}" if name in _AUTOMATIC else CALL
