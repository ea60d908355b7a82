"""AML's opcodes as one table: name, operands, and whether a package length stands first.

Source: ACPI 6.5, 20.2 AML Grammar Definition and 20.3 AML Byte Stream Byte Values.

The letters of an operand list:

    n  name that the term defines or names    s  SuperName, where a method may be called
    r  SuperName that never calls             g  target, or nothing
    t  TermArg                                b w d  8, 16, 32 bits
    L  terms up to the package's end          F  field list    B  raw bytes    P  package elements
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Op(NamedTuple):
    """One operation. `code` above 0xFF is 0x5B or 0x92 and the byte that follows it."""

    code: int
    name: str
    operands: str = ""
    packaged: bool = False


_PLAIN: Final = """
06 Alias nn|08 Name nt|15 External nbb|70 Store ts|71 RefOf r|72 Add ttg|73 Concatenate ttg|74 Subtract ttg
75 Increment s|76 Decrement s|77 Multiply ttg|78 Divide ttgg|79 ShiftLeft ttg|7A ShiftRight ttg|7B And ttg
7C NAnd ttg|7D Or ttg|7E NOr ttg|7F XOr ttg|80 Not tg|81 FindSetLeftBit tg|82 FindSetRightBit tg|83 DerefOf t
84 ConcatenateResTemplate ttg|85 Mod ttg|86 Notify st|87 SizeOf s|88 Index ttg|89 Match tbtbtt
8A CreateDWordField ttn|8B CreateWordField ttn|8C CreateByteField ttn|8D CreateBitField ttn|8E ObjectType r
8F CreateQWordField ttn|90 LAnd tt|91 LOr tt|92 LNot t|93 LEqual tt|94 LGreater tt|95 LLess tt|96 ToBuffer tg
97 ToDecimalString tg|98 ToHexString tg|99 ToInteger tg|9C ToString ttg|9D CopyObject tr|9E Mid tttg
9F Continue|A3 Noop|A4 Return t|A5 Break|CC BreakPoint
5B01 Mutex nb|5B02 Event n|5B12 CondRefOf rg|5B13 CreateField tttn|5B1F LoadTable tttttt|5B20 Load rg
5B21 Stall t|5B22 Sleep t|5B23 Acquire sw|5B24 Signal s|5B25 Wait st|5B26 Reset s|5B27 Release s
5B28 FromBCD tg|5B29 ToBCD tg|5B2A Unload s|5B30 Revision|5B31 Debug|5B32 Fatal bdt|5B33 Timer
5B80 OperationRegion nbtt|5B88 DataTableRegion nttt
9293 LNotEqual tt|9294 LLessEqual tt|9295 LGreaterEqual tt
"""
_PACKAGED: Final = """
10 Scope nL|11 Buffer tB|12 Package bP|13 VarPackage tP|14 Method nbL|A0 If tL|A1 Else L|A2 While tL
5B81 Field nbF|5B82 Device nL|5B83 Processor nbdbL|5B84 PowerResource nbwL|5B85 ThermalZone nL
5B86 IndexField nnbF|5B87 BankField nntbF
"""


def _read(text: str, *, packaged: bool) -> dict[str, Op]:
    found = {}
    for entry in text.replace("\n", "|").strip("|").split("|"):
        code, name, *operands = entry.split()
        found[name] = Op(int(code, 16), name, "".join(operands), packaged)
    return found


BY_NAME: Final[Mapping[str, Op]] = _read(_PLAIN, packaged=False) | _read(_PACKAGED, packaged=True)
BY_CODE: Final[Mapping[int, Op]] = {op.code: op for op in BY_NAME.values()}
CALL: Final = Op(-1, "Call")
"""Not in the byte stream: a name that stands for a method, with the operands that its arity asks for."""

SPACES: Final = (
    "SystemMemory",
    "SystemIO",
    "PCI_Config",
    "EmbeddedControl",
    "SMBus",
    "SystemCMOS",
    "PciBarTarget",
    "IPMI",
    "GeneralPurposeIo",
    "GenericSerialBus",
    "PCC",
    "PlatformRtMechanism",
)
"""Address spaces by number: ACPI 6.5, 19.6.100 OperationRegion."""
FIXED_HARDWARE: Final = 0x7F


def space_name(space: int) -> str:
    """What the specification calls an address space."""
    if space < len(SPACES):
        return SPACES[space]
    if space == FIXED_HARDWARE:
        return "FFixedHW"
    return f"OEM space {space:#04x}" if space >= 0x80 else f"reserved space {space:#04x}"
