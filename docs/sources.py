"""What docs/generate.py takes its longer pages from: sentences in the code, an example manifest, test vectors."""

import ast
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from warily.core.declaration import Platform
from warily.core.manifest import (
    Ingredient,
    Manifest,
    PortSpec,
    PredictedRegister,
    VerityRoot,
    VolumeSpec,
)
from warily.core.ranges import Range
from warily.core.shape_rules import EventRule, LaunchRule, TdMemory
from warily.explain import by_manifest
from warily.formats.cmw import Record
from warily.formats.ovmf import Section, SectionType
from warily.formats.volume_descriptor import KERNEL_CIPHER
from warily.publish import logged
from warily.release import binding as construction

MANIFESTS: Final = "Signed manifests (--manifest, --log-proof)"
SOURCE: Final = Path(construction.__file__).resolve().parent.parent
ANYTHING: Final = "…"


@dataclass(frozen=True, slots=True, order=True)
class Said:
    """A refusal as the code spells it: its id, its sentence, and for a problem document its HTTP status."""

    id: str
    text: str
    kind: str = ""
    status: int = 0


@dataclass(frozen=True, slots=True)
class PlatformChecks:
    """The checks of one kind of evidence: ids and sentences in order; `rules` are those of acceptance."""

    name: str
    checks: list[tuple[str, str]]
    rules: frozenset[str]


def platforms() -> list[PlatformChecks]:
    """Every kind of evidence that a package of warily.verify judges."""
    found = []
    for entry in pkgutil.iter_modules([str(SOURCE / "verify")]):
        module = importlib.import_module(f"warily.verify.{entry.name}") if entry.ispkg else None
        if module is not None and hasattr(module, "checks"):
            found.append(PlatformChecks(module.PLATFORM, module.checks(), frozenset(module.RULES)))
    manifests = [*((check, _sentence(says)) for check, says in logged.CHECKS.items()), *by_manifest.checks()]
    found.append(PlatformChecks(MANIFESTS, manifests, frozenset(check for check, _ in manifests)))
    return found


def _sentence(says: str) -> str:
    return f"{says[0].upper()}{says[1:]}."


def said_by(kinds: tuple[str, ...], *packages: str) -> list[Said]:
    """Every refusal that a package of warily makes by calling one of `kinds`, once, in order of their ids.

    Those whose id, or HTTP status, only running the code can tell are left out.
    """
    found = {
        said
        for package in packages
        for path in sorted((SOURCE / package).glob("*.py"))
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for said in _refusals(function, kinds)
    }
    return sorted(found)


def _refusals(function: ast.FunctionDef | ast.AsyncFunctionDef, kinds: tuple[str, ...]) -> Iterator[Said]:
    assigned = [node for node in ast.walk(function) if isinstance(node, ast.Assign)]
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in kinds:
            names = {
                target.id: node.value
                for node in sorted(assigned, key=lambda node: node.lineno)
                for target in node.targets
                if isinstance(target, ast.Name) and node.lineno < call.lineno
            }
            given = {str(at): value for at, value in enumerate(call.args)}
            given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
            id_ = _spelt(given.get("code", given.get("0")), names, anything="*")
            text = _spelt(given.get("detail", given.get("1")), names, anything=ANYTHING)
            status = given.get("status")
            number = HTTPStatus[status.attr].value if isinstance(status, ast.Attribute) and status.attr.isupper() else 0
            if id_ != "*" and (number or "Problem" not in kinds):
                yield Said(id_, text, call.func.id, number)


def _spelt(node: ast.expr | None, names: dict[str, ast.expr], *, anything: str) -> str:
    """The text that an expression spells, with `anything` for what only running it can tell."""
    match node:
        case ast.Constant(str(text)):
            return text
        case ast.JoinedStr():
            return "".join(_spelt(part, names, anything=anything) for part in node.values)
        case ast.FormattedValue(ast.Name("PREFIX")):
            return "warily."
        case ast.Name(name) if name in names:
            return _spelt(names[name], names, anything=anything)
        case _:
            return anything


# Every member of a manifest, as `members` names them.
MANIFEST_MEMBERS: Final = {
    "schema": "which manifest this is; another number is refused",
    "name": "the image's name, from the declaration",
    "suite": "the Debian suite of the root",
    "source_date_epoch": "the one time of every file in the image, in seconds since 1970; it has no meaning",
    "ingredients[]": "every part of the image",
    "ingredients[].role": "`kernel`, `initrd`, `root`, `root-hashes`, `sbom`, `lock`, or `firmware-` and a platform",
    "ingredients[].name": "its file in the image's folder",
    "ingredients[].size": "in bytes",
    "ingredients[].sha256": "of the file, hexadecimal",
    "command_line": "the measured kernel command line, byte for byte",
    "root.algorithm": "of the dm-verity tree",
    "root.root_hash": "the tree's root, which also stands on the command line",
    "root.salt": "of the tree, hexadecimal",
    "root.data_blocks": "how many blocks of the root file are covered: all of them",
    "root.block_size": "in bytes, of data and hash blocks",
    "shape.cpus": "how many vCPUs the machine has when `warily up` runs it",
    "shape.memory": "in bytes",
    "shape.cpu": "QEMU's CPU model for SNP, whose signature is measured",
    "platforms[]": "where the image may run",
    "registers[]": "what hardware will report of shapes that were foreseen; the rules below give those of any other",
    "registers[].platform": "on which platform",
    "registers[].register": "in which register",
    "registers[].when": "for which shape: names and values, all text; empty: for any. `variant` names a kind of host",
    "registers[].value": "what it will hold, hexadecimal",
    "volumes[]": "the persistent volumes, in the order of their PCI slots",
    "volumes[].name": "as declared",
    "volumes[].size": "bytes of host disk",
    "volumes[].mount": "where the guest mounts it",
    "volumes[].cipher": "how it is encrypted, as the kernel names it",
    "ports[]": "TCP ports of the guest that are forwarded",
    "ports[].guest": "the port in the guest",
    "ports[].host": "the port on the host's loopback address",
    "grantor": "the Ed25519 public key of the one broker whose grants the image accepts, hexadecimal",
    "launches[]": "how the launch digest follows from the ingredients, for any shape",
    "launches[].platform": "on which platform",
    "launches[].vmm": "who starts the machine: `qemu`, `ec2` or `gce`",
    "launches[].firmware": "the role of the firmware's ingredient",
    "launches[].firmware_gpa": "where the firmware lies in guest memory",
    "launches[].seed": "the register after the firmware's pages, hexadecimal",
    "launches[].sections[]": "what is measured after the firmware, in this order",
    "launches[].sections[].gpa": "where it begins",
    "launches[].sections[].size": "in bytes",
    "launches[].sections[].type": "as the firmware's metadata names it",
    "launches[].hashes_offset": "where in its page the table of kernel hashes begins",
    "launches[].reset_eip": "where processors other than the first start; 0: there can be no other",
    "launches[].features": "SEV_FEATURES",
    "events[]": "how RTMRs follow: what extends them, in this order",
    "events[].platform": "on which platform",
    "events[].register": "the PCR index; TDX has an RTMR for each",
    "events[].type": "the TCG event type",
    "events[].name": "what it is",
    "events[].ingredient": "what decides it",
    "events[].digests": "what extends the register, by hash algorithm, hexadecimal",
    "events[].because": "why there is no digest, where there is none; else why the event is of certain shapes alone",
    "events[].when": "for which shapes: `vcpus`, `cpu`, `memory`, `qemu`, `host`, with a value or `LOW..HIGH`: at "
    "least LOW and below HIGH; empty: for all",
    "events[].td_hob.gpa": "where the hand-off block list of a TD begins; it is computed for a size of memory",
    "events[].td_hob.accepted[]": "memory that is accepted before the start, as the firmware's metadata says",
    "events[].td_hob.accepted[].start": "where it begins",
    "events[].td_hob.accepted[].end": "where it ends",
}


def members(value: dict[str, object], path: str = "") -> Iterator[tuple[str, str]]:
    """Every member of a JSON object with its type, depth first. Free-form objects, such as `when`, count as one."""
    for key, member in value.items():
        name = f"{path}{key}"
        match member:
            case dict() if key not in ("when", "digests"):
                yield from members(member, f"{name}.")
            case [dict(first), *_]:
                yield f"{name}[]", "object"
                yield from members(first, f"{name}[].")
            case list():
                yield f"{name}[]", "text"
            case _:
                yield name, {str: "text", int: "integer", dict: "object"}[type(member)]


def example_manifest() -> Manifest:
    """A manifest with one of everything."""
    return Manifest(
        name="ledger",
        suite="trixie",
        source_date_epoch=1757000000,
        ingredients=(Ingredient(role="kernel", name="vmlinuz", size=14000000, sha256=bytes(32)),),
        command_line=f"console=ttyS0 warily.root={bytes(32).hex()}",
        root=VerityRoot(
            algorithm="sha256", root_hash=bytes(32), salt=bytes(range(32)), data_blocks=12345, block_size=4096
        ),
        cpus=2,
        memory=1 << 30,
        cpu="EPYC-v4",
        platforms=(Platform.REHEARSAL, Platform.SNP),
        registers=(
            PredictedRegister(
                platform=Platform.SNP,
                register="launch_digest",
                when={"vcpus": "2", "cpu": "EPYC-v4"},
                value=bytes(48),
            ),
        ),
        volumes=(VolumeSpec(name="data", size=64 << 20, mount="/data", cipher=KERNEL_CIPHER),),
        ports=(PortSpec(guest=8080, host=8080),),
        grantor=bytes(range(32)),
        launches=(
            LaunchRule(
                platform=Platform.SNP,
                vmm="qemu",
                firmware="firmware-snp",
                firmware_gpa=0xFFC00000,
                seed=bytes(48),
                sections=(Section(gpa=0x800000, size=0x9000, type=SectionType.SEC_MEM),),
                hashes_offset=0xC00,
                reset_eip=0x80B004,
                features=1,
            ),
        ),
        events=(
            EventRule(
                platform=Platform.TDX,
                register=1,
                type=0x8000000B,
                name="TD HOB",
                ingredient="memory",
                digests={},
                because="",
                when={},
                td_hob=TdMemory(hob=0x809000, accepted=(Range(0x809000, 0x80B000), Range(0x810000, 0x820000))),
            ),
            EventRule(
                platform=Platform.TDX,
                register=9,
                type=0x80000006,
                name="Linux initrd",
                ingredient="initrd",
                digests={"sha384": bytes(48)},
                because="",
                when={},
            ),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """Inputs of REPORT_DATA. The records' values are text here, so that the page can show them."""

    name: str
    nonce: bytes
    session_key: bytes
    records: dict[str, tuple[str, str]]

    @property
    def evidence_digest(self) -> bytes:
        """The digest over the records, computed by warily."""
        made = {label: Record(media_type=kind, value=text.encode()) for label, (kind, text) in self.records.items()}
        return construction.digest_without(made, construction.HARDWARE)

    @property
    def report_data(self) -> bytes:
        """REPORT_DATA, computed by warily."""
        return construction.report_data(
            nonce=self.nonce, session_key=self.session_key, evidence_digest=self.evidence_digest
        )


STATE: Final = ("application/vnd.warily.guest-state+json", '{"kernel":"6.12.0"}')
VECTORS: Final = (
    Vector(name="no evidence besides the report", nonce=bytes(48), session_key=bytes([4]) + bytes(64), records={}),
    Vector(
        name="the guest's state",
        nonce=bytes(range(48)),
        session_key=bytes([4]) + bytes(range(64)),
        records={"state": STATE},
    ),
    Vector(
        name="the same with the report's own record, which does not count",
        nonce=bytes(range(48)),
        session_key=bytes([4]) + bytes(range(64)),
        records={"hw": ("application/vnd.veraison.configfs-tsm+json", "{}"), "state": STATE},
    ),
)


CONSTRUCTION: Final = """\
What the guest asks the hardware to sign, so that a report belongs to one nonce, one session key and one
body of evidence. The first four parts have a fixed length, and every part of the evidence is preceded by its
length, so no two inputs share an encoding.

```text
REPORT_DATA      = SHA-512( domain ‖ nonce ‖ SHA-512(session key) ‖ evidence digest )
evidence digest  = SHA-512( evidence domain ‖ for every record but `hw`, in order of labels:
                            len ‖ label ‖ len ‖ media type ‖ len ‖ value )
```"""
VECTORS_NOTE: Final = """\
The session keys here have the right length and are no points of the curve: the construction does not look."""


def binding(table: Callable[[Iterable[str], Iterable[Iterable[str]]], str]) -> tuple[str, ...]:
    """Title and parts of binding.md: the construction, then the vectors."""
    parts = [
        CONSTRUCTION,
        table(
            ("part", "bytes", "is"),
            (
                ("domain", str(len(construction.DOMAIN)), f"`{construction.DOMAIN.hex()}`: {_ascii()}, zeros"),
                ("nonce", str(construction.NONCE_SIZE), "from the broker's `/v1/nonce`"),
                ("session key", str(construction.SESSION_KEY_SIZE), "an uncompressed point of P-256 (SEC 1, 2.3.3)"),
                ("evidence domain", "18", "`warily/evidence/v1` in ASCII"),
                ("len", "4", "the length of the part that follows, in bytes, big-endian"),
                ("label, media type", "", "UTF-8; labels are compared as Unicode text"),
                ("value", "", "the record's bytes as decoded, so that no two JSON spellings differ"),
            ),
        ),
        "## Test vectors",
        VECTORS_NOTE,
    ]
    for vector in VECTORS:
        parts += [f"### {vector.name[0].upper()}{vector.name[1:]}", _shown(vector)]
    return ("REPORT_DATA", *parts)


def _ascii() -> str:
    return f"`{construction.DOMAIN.rstrip(bytes(1)).decode()}` in ASCII"


def _shown(vector: Vector) -> str:
    records = [f"record {label:<9} {kind}\n{'':<16} {text}" for label, (kind, text) in vector.records.items()]
    lines = [
        f"nonce            {_folded(vector.nonce)}",
        f"session key      {_folded(vector.session_key)}",
        *records,
        f"evidence digest  {_folded(vector.evidence_digest)}",
        f"REPORT_DATA      {_folded(vector.report_data)}",
    ]
    return "```text\n" + "\n".join(lines) + "\n```"


def _folded(data: bytes) -> str:
    """Hexadecimal, 32 bytes a line."""
    text = data.hex()
    return f"\n{'':<17}".join(text[at : at + 64] for at in range(0, len(text), 64))
