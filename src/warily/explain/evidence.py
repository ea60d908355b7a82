"""The values that a piece of evidence carries, what each is, and what else it says of the machine, in words.

Nothing is verified here: what evidence says counts once `warily verify` accepts it.
"""

from collections.abc import Iterator
from typing import Final

from warily.core.evidence import Evidence, NitroEvidence, NvidiaEvidence, SnpEvidence, TdxEvidence, TpmEvidence
from warily.core.registers import HASHES
from warily.errors import FormatError
from warily.explain.vendor import microcode_bases
from warily.formats import nitro
from warily.formats._record import record
from warily.formats.nvidia_report import NvidiaReport
from warily.formats.snp_report import PlatformBit, PolicyBit, SnpReport, Tcb, firmware_version
from warily.formats.tdx_quote import Quote, TdReport10
from warily.formats.tpm import Attest
from warily.verify.comparing import bit_names
from warily.verify.snp.exposure import lines
from warily.verify.snp.products import by_cpuid

RUNTIME: Final = frozenset({"rtmr3", "pcr10", "pcr12", "pcr13", "pcr14", "pcr15", "pcr16", "pcr23"})
_BODY: Final = ("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3")
_SEAM: Final = ("mrseam", "mrsignerseam", "mrconfigid", "mrowner", "mrownerconfig")
_SAID: Final = {
    "host_data": "what the host put in at launch (HOST_DATA)",
    "id_key_digest": "the key that signed the ID block",
    "author_key_digest": "the key that vouches for the ID key",
    "family_id": "the family that the ID block names",
    "image_id": "the image that the ID block names",
    "mrseam": "the TDX module",
    "mrsignerseam": "who signed the TDX module, which Intel did not",
    "mrconfigid": "configuration that the host put in at launch (MRCONFIGID)",
    "mrowner": "the owner that the host put in at launch (MROWNER)",
    "mrownerconfig": "the owner's configuration (MROWNERCONFIG)",
    "mrservicetd": "service TDs bound to the TD, such as one for migration",
}


@record
class Value:
    """One value of the evidence. `register` as `explain` looks it up, `meaning` what it is for.

    `identity` says that it is about what runs; else it is context.
    """

    register: str
    value: bytes
    identity: bool
    meaning: str = ""


@record
class Carried:
    """What evidence carries. `platform` as manifests name it; `facts` are sentences about the machine."""

    kind: str
    platform: str
    values: tuple[Value, ...]
    facts: tuple[str, ...]
    logs: tuple[bytes, ...] = ()


def carried(evidence: Evidence) -> Carried:
    """What the evidence carries. Raises `FormatError`."""
    match evidence:
        case SnpEvidence():
            return _snp(SnpReport.unpack(evidence.report))
        case TdxEvidence():
            return _tdx(evidence)
        case TpmEvidence():
            return _tpm(evidence)
        case NitroEvidence():
            _, document = nitro.decode_message(evidence.document)
            values = tuple(
                Value(register=f"pcr{at}", value=value, identity=any(value)) for at, value in document.pcrs.items()
            )
            return Carried(kind="AWS Nitro attestation document", platform="nitro", values=values, facts=())
        case NvidiaEvidence():
            return _nvidia(evidence)
        case _:
            raise FormatError(
                "evidence of this kind carries no value that can be explained", hint="see `warily inspect`"
            )


def _snp(report: SnpReport) -> Carried:
    context = ("host_data", "id_key_digest", "author_key_digest", "family_id", "image_id")
    values = [
        Value(register="launch_digest", value=report.measurement, identity=True, meaning="what was loaded at launch")
    ]
    for name in context:
        value: bytes = getattr(report, name)
        if any(value):
            values.append(Value(register=name, value=value, identity=False, meaning=_SAID[name]))
    return Carried(kind="SEV-SNP report", platform="snp", values=tuple(values), facts=tuple(_snp_facts(report)))


def _snp_facts(report: SnpReport) -> Iterator[str]:
    policy = bit_names(report.policy & ~0xFFFF & ~int(PolicyBit.RESERVED_ONE), PolicyBit)
    yield f"policy {report.policy:#x}: {', '.join(policy) or 'nothing allowed'}"
    yield f"platform: {', '.join(bit_names(report.platform_info, PlatformBit)) or 'nothing turned on'}"
    yield f"requested at VMPL {report.vmpl}" if report.vmpl < 4 else "requested by the host"  # noqa: PLR2004  # four levels
    major, minor, build = firmware_version(report.current_version)
    yield f"AMD-SP firmware {major}.{minor}.{build}"
    product = by_cpuid(report)
    if product is None:
        return
    tcb = Tcb.decode(report.current_tcb, product.tcb)
    yield f"{product.kds}, TCB {tcb}"
    for line in lines():
        stepping = not line.steppings or report.cpuid_stepping in line.steppings
        first, last = line.models
        if line.product == product.kds and first <= report.cpuid_model <= last and stepping:
            base = microcode_bases().get(line.name)
            if base is not None:
                yield f"microcode of {line.name}: patch level {base | tcb.microcode:#010x}"


def _tdx(evidence: TdxEvidence) -> Carried:
    quote = Quote.decode(evidence.quote)
    td = quote.td
    if td is None:
        raise FormatError("a quote of an SGX enclave: its values are the enclave's, which no manifest predicts")
    values = [Value(register=name, value=getattr(td, name), identity=name != "rtmr3") for name in _BODY]
    for name in _SEAM:
        value: bytes = getattr(td, name)
        if any(value):
            values.append(Value(register=name, value=value, identity=False, meaning=_SAID[name]))
    service = quote.td15.mrservicetd if quote.td15 else b""
    if any(service):
        values.append(Value(register="mrservicetd", value=service, identity=False, meaning=_SAID["mrservicetd"]))
    return Carried(
        kind="Intel TDX quote",
        platform="tdx",
        values=tuple(values),
        facts=tuple(_td_facts(td)),
        logs=evidence.event_logs,
    )


def _td_facts(td: TdReport10) -> Iterator[str]:
    debug = "debugging is on: the host reads the TD's memory" if td.td_attributes & 1 else "no debugging"
    yield f"TD attributes {td.td_attributes:#x}: {debug}"
    yield f"XFAM {td.xfam:#x}"
    if not any(td.mrsignerseam):
        yield "the TDX module is signed by Intel (MRSIGNERSEAM is zero)"


def _tpm(evidence: TpmEvidence) -> Carried:
    values: list[Value] = []
    for quote in evidence.quotes:
        selected = {(entry.bank, pcr) for entry in Attest.decode(quote.message).selections or () for pcr in entry.pcrs}
        for bank, pcr, value in quote.pcrs:
            name = f"pcr{pcr}"
            if (bank, pcr) in selected and any(value) and set(value) != {0xFF}:
                meaning = HASHES.get(bank, f"{bank:#06x}")
                values.append(Value(register=name, value=value, identity=name not in RUNTIME, meaning=meaning))
    return Carried(
        kind="TPM quote", platform="tpm", values=tuple(dict.fromkeys(values)), facts=(), logs=evidence.event_logs
    )


def _nvidia(evidence: NvidiaEvidence) -> Carried:
    values: list[Value] = []
    facts: list[str] = []
    for at, device in enumerate(evidence.devices):
        report = NvidiaReport.decode(device.report)
        facts.append(f"device {at}: driver {report.driver_version}, VBIOS {report.vbios_version}, mode {report.mode}")
        values += (
            Value(register=f"measurement {index}", value=value, identity=False)
            for index, value in report.measurements.items()
            if any(value)
        )
    return Carried(kind="NVIDIA report", platform="nvidia", values=tuple(values), facts=tuple(facts))
