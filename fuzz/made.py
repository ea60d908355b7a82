"""Seeds of formats that the vectors hold no small file of: what this project, or its tests, write in them."""

import base64
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from tests import forge_nvidia, forge_tpm, igvm_files, ovmf_images, signed_programs, tdx_images, uki_images
from tests.acpi_tables import table
from tests.esp_images import SYSTEM_PARTITION, gpt
from tests.posture.examples import STATE
from warily.errors import FormatError
from warily.formats import cbor, cmw, cpio, nvidia_report, pem, sev_hashes, snp_certs, spdm_transcript, td_hob
from warily.formats._json import canonical
from warily.formats.acpi_pin import CHECKSUM, AcpiPin, PinnedBlob, PinnedTable, zero
from warily.formats.attack_run import AttackRow, AttackRun
from warily.formats.collateral_bundle import BundleItem, CollateralBundle
from warily.formats.dm_integrity import Superblock
from warily.formats.elf import FileHeader, SectionHeader
from warily.formats.guest_config import GuestConfig, GuestVolume
from warily.formats.snp_guest_message import REPORT_SIZE, ReportAnswer
from warily.formats.tpm_credential import Credential, CredentialRecord
from warily.formats.volume_descriptor import VolumeDescriptor

AT: Final = datetime(2026, 3, 15, 1, 2, 3, tzinfo=UTC)
NOTE: Final = (
    "example.org/log\n7\nu7Bm9rH2xMHLkOrCxn0SYcSPq8jV6V+8xJ9x3hYqL4Q=\n\n"
    "— example.org/log AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n"
)


def acpi_pin() -> bytes:
    """A pin of one table and one blob."""
    pinned = PinnedTable(
        signature="DSDT",
        zeroed=(CHECKSUM,),
        content=zero(table("DSDT", b"code").raw, (CHECKSUM,)),
        sha256="0" * 64,
        sha384="0" * 96,
    )
    blob = PinnedBlob(name="etc/acpi/rsdp", size=20, sha256="1" * 64, sha384="2" * 96)
    return AcpiPin(qemu="7.2.22", arguments=("-machine", "q35"), blobs=(blob,), tables=(pinned,)).encode()


def attack_run() -> bytes:
    """A run of one attack."""
    row = AttackRow(id="a.b", component="memory", control="succeeded", verdict="refused", evidence="it held")
    return AttackRun(image="x", launch_digest=bytes(48), at="2026-12-01T00:00:00Z", attacks=(row,)).encode()


def collection() -> bytes:
    """A collection of one record."""
    return canonical(cmw.encode({"hw": cmw.Record(media_type="application/x", value=b"abc")}))


def bundle() -> bytes:
    """A bundle of one piece of collateral."""
    item = BundleItem(name="a.pem", source="https://example.org/a", fetched=AT, sha256=bytes(32), data=b"text")
    return CollateralBundle(items=(item,)).encode()


def archive() -> bytes:
    """An archive of a folder and a file."""
    folder = cpio.Entry(name="a", mode=0o040755)
    return cpio.encode([folder, cpio.Entry(name="a/b", mode=0o100644, data=b"text")])


def module() -> bytes:
    """A kernel module without code."""
    info, names = b"license=GPL\0depends=a,b\0", b"\0.modinfo\0.shstrtab\0"
    blank = {"flags": 0, "address": 0, "link": 0, "info": 0, "alignment": 1, "entry_size": 0}
    sections = (
        SectionHeader(name=0, type=0, offset=0, size=0, **blank),
        SectionHeader(name=1, type=1, offset=64, size=len(info), **blank),
        SectionHeader(name=10, type=3, offset=64 + len(info), size=len(names), **blank),
    )
    header = FileHeader(
        ident=b"\x7fELF\x02\x01\x01".ljust(16, b"\0"),
        type=1,
        machine=62,
        version=1,
        entry=0,
        program_headers=0,
        section_headers=64 + len(info + names),
        flags=0,
        header_size=64,
        program_header_size=0,
        program_header_count=0,
        section_header_size=64,
        section_header_count=3,
        section_names=2,
    )
    return header.pack() + info + names + b"".join(section.pack() for section in sections)


def _signer() -> signed_programs.Pair:
    return signed_programs.authority("a", key=signed_programs.fixed_key())


def database() -> bytes:
    """A db with a certificate and digests."""
    return signed_programs.certificates(_signer()[0]) + signed_programs.digests(bytes(32), bytes(range(32)))


def signed_program() -> bytes:
    """A program with a signature."""
    return signed_programs.sign(uki_images.minimal_stub(), _signer())


def program_signature() -> bytes:
    """The signature alone."""
    return signed_programs.message(bytes(32), _signer())


def disk() -> bytes:
    """The head of a disk with one partition."""
    return gpt((SYSTEM_PARTITION, b"content"))[: 34 * 512]


def guest_config() -> bytes:
    """What an image says to its guest."""
    volume = GuestVolume(name="data", size=1 << 30, mount="/data", cipher="aes-gcm")
    return GuestConfig(name="a", volumes=(volume,), ports=(80,)).encode()


def guest_state() -> bytes:
    """What a guest says of itself."""
    return STATE.encode()


def contrast() -> bytes:
    """A manifest of Contrast."""
    snp = {"ProductName": "Milan", "TrustedMeasurement": "00" * 48}
    return json.dumps({"ReferenceValues": {"snp": [snp], "tdx": [{"MrTd": "00" * 48, "Rtmrs": [""]}]}}).encode()


def dstack() -> bytes:
    """The registers of an image of dstack."""
    return json.dumps({"mrtd": "00" * 48, "rtmr0": "", "rtmr1": "11" * 48}).encode()


def snp_firmware() -> bytes:
    """Firmware with SEV metadata."""
    return ovmf_images.usual([(0x800000, 0x9000, 1), (0x80D000, 0x1000, 2)], pages=1)


def tdx_firmware() -> bytes:
    """Firmware with TDX metadata."""
    return tdx_images.tdvf(pages=1)


def variables() -> bytes:
    """A variable store."""
    made = tdx_images.variable("SecureBoot", "8be4df61-93ca-11d2-aa0d-00e098032b8c", b"\1")
    return tdx_images.store(made)


def executable() -> bytes:
    """A PE file with a section."""
    return uki_images.minimal_stub(version="257", headers=512)


def unified() -> bytes:
    """A unified kernel image."""
    stub = uki_images.minimal_stub(version="257", headers=1024)
    return uki_images.assemble(stub, [(".linux", b"k"), (".initrd", b"i"), (".cmdline", b"quiet")])


def igvm() -> bytes:
    """An IGVM file for SNP."""
    return igvm_files.igvm([igvm_files.platform(1, 2), igvm_files.page(0x1000, 0)])


def hand_off() -> bytes:
    """A TD hand-off block list."""
    memory = td_hob.resource(td_hob.UNACCEPTED, 0, 0x800000)
    return td_hob.TdHob(hand_off=td_hob.hand_off(0x809000), resources=(memory,)).encode()


def kernel_hashes() -> bytes:
    """The hashes of a kernel, its command line and its initrd."""
    return sev_hashes.KernelHashes(kernel=bytes(32), initrd=bytes(32), command_line=bytes(32)).encode()


def certificate_table() -> bytes:
    """The table of an extended report."""
    return snp_certs.encode_table([("63da758d-e664-4564-adc5-f4b93be8accd", b"der")])


def report_answer() -> bytes:
    """An answer with a report and certificates."""
    return ReportAnswer(status=0, report=bytes(REPORT_SIZE), certificates=certificate_table()).encode()


def tpm_public() -> bytes:
    """A TPM's public key."""
    return forge_tpm.public("ak")


def credential() -> bytes:
    """What a TPM gets to open."""
    return Credential(id_object=bytes(68), secret=bytes(256)).encode()


def credential_record() -> bytes:
    """What it was made for."""
    return CredentialRecord(endorsement_key=bytes(32), name=b"\x00\x0b" + bytes(32), secret=bytes(32)).encode()


def uefi_variable() -> bytes:
    """A variable in an event."""
    return forge_tpm.variable("SecureBoot", b"\1")


def entity() -> bytes:
    """An entity of a CoRIM."""
    return cbor.encode({0: "maker", 1: cbor.Tag(32, "https://example.org"), 2: [1]})


def digests() -> bytes:
    """The digests of a CoMID."""
    return cbor.encode([[1, bytes(32)], [7, bytes(48)]])


def spdm_messages(code: int, vectors: Path) -> Iterator[bytes]:
    """The messages of one code in the conversations of the vectors."""
    for path in sorted(vectors.glob("spdm/own-transcripts/*")):
        for message in spdm_transcript.decode_messages(path.read_bytes()):
            if message.code == code:
                yield message.data


def ocsp_answer() -> bytes:
    """An OCSP responder's answer about one certificate."""
    return forge_nvidia.answer(forge_nvidia.MIDDLE, forge_nvidia.ROOT)


def opaque_fields() -> bytes:
    """The opaque data of an NVIDIA report."""
    return nvidia_report.encode_fields({3: b"550.90.07\0", 11: b"\x55", 20: bytes(48)})


def nvidia_device() -> bytes:
    """One device of NVIDIA evidence."""
    chain = base64.b64encode(pem.encode_block(pem.Block(label="CERTIFICATE", der=b"der")).encode()).decode("ascii")
    return canonical({"evidence": "AAAA", "certificate": chain, "nonce": "00" * 32})


def spdm_chains(vectors: Path) -> Iterator[bytes]:
    """The certificate chains in the conversations of the vectors."""
    for path in sorted(vectors.glob("spdm/own-transcripts/*")):
        try:
            yield from spdm_transcript.Transcript.decode(path.read_bytes()).chains.values()
        except FormatError:
            continue


def descriptor() -> bytes:
    """The descriptor of a volume."""
    superblock = Superblock.unpack(bytes(Superblock.SIZE))
    made = VolumeDescriptor.untagged(name="a", size=1 << 26, uuid=bytes(16), identity=bytes(32), superblock=superblock)
    return made.pack()


def file_system() -> bytes:
    """A compressed EROFS image with a folder, a file and a link; nothing where the tool is not installed."""
    tool = shutil.which("mkfs.erofs")
    if tool is None:
        return b""
    with tempfile.TemporaryDirectory() as name:
        tree, image = Path(name) / "tree", Path(name) / "image"
        (tree / "a").mkdir(parents=True)
        (tree / "a/b").write_bytes(b"text " * 4000)
        (tree / "c").symlink_to("a/b")
        subprocess.run(
            [tool, "-zlz4", "-T0", "-U", str(UUID(int=0)), str(image), str(tree)], check=True, capture_output=True
        )
        return image.read_bytes()
