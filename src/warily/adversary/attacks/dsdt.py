"""A DSDT of the host's own, and how it gets past the trusted one that an owner put into the initrd.

QEMU is told to make no ACPI tables, and the firmware gets the host's in their place: QEMU's own, read from it
beforehand, but for the DSDT. Linux takes a table from the initrd in place of the host's where OEM id and OEM table id
are the same; where they are not, it adds it (Documentation/admin-guide/acpi/initrd_table_override.rst).
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warily.adversary import aml
from warily.adversary.attack import Alone, Attack, Seen
from warily.adversary.attacks.acpi import ALIVE, PAGE, Canary, on_control, on_image, writing
from warily.adversary.stage import adding, replacing
from warily.adversary.targets import ControlTarget, settle
from warily.core.acpi_blobs import AcpiBlobs
from warily.errors import HostError
from warily.formats import cpio
from warily.formats.acpi_table import HEADER_SIZE, AcpiTable, split
from warily.host.qtest import SEABIOS, read_acpi

if TYPE_CHECKING:
    from warily.adversary.lab import Lab

CANARY: Final = Canary(address=PAGE, before=ALIVE, after=b"AML_DSDT")
RUNS_WITHIN: Final = 60.0
NOTHING: Final = b"\xa3"  # AML's Noop
OVERRIDE: Final = "kernel/firmware/acpi/dsdt.aml"
REVISION: Final = 24  # offset of the OEM revision, by which the kernel takes the newer table


def dsdt_of(blobs: AcpiBlobs) -> AcpiTable:
    """The DSDT that QEMU makes. Raises `HostError` where it makes none."""
    found = [table for table in split(blobs.tables) if table.signature == "DSDT"]
    if len(found) != 1:
        message = f"QEMU makes {len(found)} DSDTs"
        raise HostError(message)
    return found[0]


def hostile(blobs: AcpiBlobs) -> bytes:
    """The tables with another DSDT in the same place, just as long: it writes while it is loaded."""
    original = dsdt_of(blobs)
    region, stores = writing(CANARY)
    code = region + aml.when(aml.ONE, stores)
    body = code + NOTHING * (original.length - HEADER_SIZE - len(code))
    made = aml.table("DSDT", body, name="HOSTS")
    return blobs.tables[: original.offset] + made + blobs.tables[original.offset + len(made) :]


def trusted(blobs: AcpiBlobs) -> bytes:
    """QEMU's own DSDT with a newer revision, where the kernel looks for tables of the owner's: an early archive."""
    table = bytearray(dsdt_of(blobs).raw)
    table[REVISION : REVISION + 4] = (2).to_bytes(4, "little")
    table[9] = 0
    table[9] = -sum(table) % 256
    folders = [str(folder) for folder in list(Path(OVERRIDE).parents)[-2::-1]]
    entries = [cpio.Entry(name=folder, mode=0o040755) for folder in folders]
    return cpio.encode([*entries, cpio.Entry(name=OVERRIDE, mode=0o100644, data=bytes(table))])


def arguments(folder: Path, blobs: AcpiBlobs) -> Sequence[str]:
    """QEMU's arguments that put the host's tables in place of its own."""
    parts = {"etc/acpi/tables": hostile(blobs), "etc/acpi/rsdp": blobs.rsdp, "etc/table-loader": blobs.loader}
    words = ["-machine", "acpi=off"]
    for number, (name, content) in enumerate(parts.items()):
        file = folder / f"blob.{number}"
        file.write_bytes(content)
        words += ["-fw_cfg", f"name={name},file={file}"]
    return (*words, *CANARY.place(folder / "canary"))


def against_control(lab: "Lab") -> Seen:
    """Whether Debian runs the host's DSDT although its owner offers a trusted one."""
    with tempfile.TemporaryDirectory(prefix="warily-attack-") as place:
        run = Path(place)
        argv = lab.control.argv(run)
        blobs = read_acpi(argv[1:], setup=SEABIOS)
        (run / "initrd").write_bytes(trusted(blobs) + lab.control.files.initrd.read_bytes())
        argv = replacing("-initrd", lambda _: str(run / "initrd"))((*argv, *arguments(run, blobs)))
        with lab.control.boot(argv, run) as (machine, terminal):
            target = ControlTarget(folder=run, machine=machine, terminal=terminal, shell=False)
            deadline = time.monotonic() + RUNS_WITHIN
            while CANARY.read(target)[0] != CANARY.after and machine.running and time.monotonic() < deadline:
                settle(1.0)
            seen = on_control(target, canary=CANARY)
            offered = terminal.find("Table Upgrade: ")
            machine.kill()
    return Seen(seen.verdict, f"{seen.evidence}; of the owner's table the kernel said: {offered or 'nothing'}")


def against_image(lab: "Lab") -> Seen:
    """Whether the image runs it."""
    with lab.lived().copy() as stage, tempfile.TemporaryDirectory(prefix="warily-attack-") as place:
        blobs = read_acpi(lab.control.argv(Path(place))[1:], setup=SEABIOS)
        with lab.up(adding(arguments(Path(place), blobs)), stage=stage) as target:
            return on_image(target, canary=CANARY)


ATTACKS: Final[tuple[Attack, ...]] = (
    Attack(
        id="acpi.dsdt",
        title="The host's own DSDT writes into guest memory; its OEM id keeps a trusted one from replacing it",
        component="firmware",
        catalogue=("A01", "A04"),
        how=Alone(control=against_control, image=against_image),
    ),
)
