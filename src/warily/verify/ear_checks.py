"""Which check speaks for which claim of the AR4SI trustworthiness vector, by platform. Data, read by `ear_vector`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# Values that several claims share (AR4SI, section 2.3).
NO_CLAIM: Final = 0
AFFIRMING: Final = 2
APPROVED_BOOT: Final = 3  # executables: recognised at boot; 2 would be "and since"
KNOWN_WEAKNESSES: Final = 32  # hardware: genuine, and known bugs are open
ISOLATED_MEMORY: Final = 32  # opaque to other guests, not to the operator
UNRECOGNIZED_RUNTIME: Final = 33
CONTRAINDICATED: Final = 96
UNRECOGNIZED: Final = 97
CRYPTOGRAPHY_FAILED: Final = 99


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """How one claim follows from findings: all of `needs` passed → `good`; one of `needs` or `also` failed → its value.

    Values of single checks stand in `bad`; every other failure gives `otherwise`.
    """

    needs: tuple[str, ...]
    good: int
    also: tuple[str, ...] = ()
    bad: Mapping[str, int]
    otherwise: int = CONTRAINDICATED


# The memory of a guest is opaque, and its configuration approved, where these hold.
_SNP_CONFIGURATION: Final = ("snp.policy", "snp.migration-agent", "snp.vmpl.guest", "snp.vmpl", "snp.unknown-bits")
_SNP_OTHERS: Final = (
    "snp.policy.reserved",
    "snp.platform",
    "snp.guest-svn",
    "snp.id-key",
    "snp.author-key",
    "snp.family-id",
    "snp.image-id",
    "snp.host-data",
    "snp.firmware.committed",
)
_SNP_HARDWARE: Final = (
    "snp.signing-key",
    "snp.chain.root",
    "snp.chain.intermediate",
    "snp.chain.leaf",
    "snp.chain.dates",
    "snp.signature",
    "snp.product",
    "snp.tcb.layout",
    "snp.tcb.bound",
    "snp.chip.bound",
)

_TDX_GENUINE: Final = (
    "tdx.chain.shape",
    "tdx.chain.root",
    "tdx.chain.authority",
    "tdx.chain.pck",
    "tdx.chain.dates",
    "tdx.qe.signature",
    "tdx.qe.binding",
    "tdx.signature",
    "tdx.qe.vendor",
    "tdx.tcb-info.issuer",
    "tdx.tcb-info.signature",
    "tdx.tcb-info.platform",
    "tdx.tcb-info.dates",
    "tdx.qe-identity.issuer",
    "tdx.qe-identity.signature",
    "tdx.qe-identity.dates",
    "tdx.crl.root",
    "tdx.crl.pck",
    "tdx.revoked",
    "tdx.qe.identity",
    "tdx.module",
    "tdx.tcb.level",
    "tdx.tcb.revoked",
)

_VTPM_VOUCHERS: Final = (
    "vtpm.hardware",
    "vtpm.runtime-data",
    "vtpm.ak.runtime-data",
    "vtpm.ak.named",
    "vtpm.ak.certificate",
    "vtpm.chain.root",
    "vtpm.chain.signed",
    "vtpm.chain.dates",
    "vtpm.chain.revoked",
)

_NVIDIA_GENUINE: Final = (
    "nvidia.chain.leaf",
    "nvidia.chain.links",
    "nvidia.chain.root",
    "nvidia.chain.dates",
    "nvidia.signature",
    "nvidia.request",
    "nvidia.device.distinct",
)
# A driver's manifest that is not at hand is waived, and there is no claim then; a switch, which has no driver, passes.
_NVIDIA_MANIFESTS: Final = tuple(
    check
    for check in (
        f"nvidia.{part}.{suffix}"
        for part in ("driver", "vbios")
        for suffix in ("present", "links", "root", "signed", "digest", "dates", "revoked", "device", "match")
    )
    if check not in ("nvidia.vbios.match", "nvidia.driver.present")
)
_SPDM_GENUINE: Final = (
    "spdm.version",
    "spdm.chain.leaf",
    "spdm.chain.links",
    "spdm.chain.dates",
    "spdm.signature",
    "spdm.slot",
    "spdm.chain.root",
)

CLAIMS: Final[dict[str, dict[str, Claim]]] = {
    "snp": {
        "instance_identity": Claim(needs=("snp.chip.listed",), good=AFFIRMING, bad={}, otherwise=UNRECOGNIZED),
        "configuration": Claim(needs=_SNP_CONFIGURATION, also=_SNP_OTHERS, good=AFFIRMING, bad={}),
        "executables": Claim(
            needs=("snp.measurement",), good=APPROVED_BOOT, bad={"snp.measurement": UNRECOGNIZED_RUNTIME}
        ),
        "hardware": Claim(
            needs=_SNP_HARDWARE,
            also=("snp.chain.revoked", "snp.tcb.committed", "snp.tcb.reported", "snp.tcb.floor", "snp.attacks"),
            good=AFFIRMING,
            bad={
                "snp.chain.root": UNRECOGNIZED,
                "snp.product": UNRECOGNIZED,
                "snp.chain.intermediate": CRYPTOGRAPHY_FAILED,
                "snp.chain.leaf": CRYPTOGRAPHY_FAILED,
                "snp.signature": CRYPTOGRAPHY_FAILED,
            },
        ),
        "runtime_opaque": Claim(needs=("snp.policy", "snp.migration-agent"), good=AFFIRMING, bad={}),
    },
    "tdx": {
        "instance_identity": Claim(needs=("tdx.platform.listed",), good=AFFIRMING, bad={}, otherwise=UNRECOGNIZED),
        "configuration": Claim(
            needs=("tdx.debug", "tdx.attributes", "tdx.unknown-bits", "tdx.mrservicetd"),
            also=(
                "tdx.enclave",
                "tdx.xfam",
                "tdx.platform",
                "tdx.mrconfigid",
                "tdx.mrowner",
                "tdx.mrownerconfig",
            ),
            good=AFFIRMING,
            bad={},
        ),
        "executables": Claim(
            needs=("tdx.mrtd", "tdx.rtmr1", "tdx.rtmr2"),
            also=("tdx.mrseam", "tdx.rtmr0", "tdx.rtmr3"),
            good=APPROVED_BOOT,
            bad={},
            otherwise=UNRECOGNIZED_RUNTIME,
        ),
        "hardware": Claim(
            needs=(*_TDX_GENUINE, "tdx.tcb.status"),
            also=("tdx.advisories", "tdx.attacks", "tdx.tcb.evaluation", "tdx.svn.tee", "tdx.svn.qe", "tdx.svn.pce"),
            good=AFFIRMING,
            bad={
                "tdx.chain.root": UNRECOGNIZED,
                "tdx.tcb.level": UNRECOGNIZED,
                "tdx.chain.authority": CRYPTOGRAPHY_FAILED,
                "tdx.chain.pck": CRYPTOGRAPHY_FAILED,
                "tdx.qe.signature": CRYPTOGRAPHY_FAILED,
                "tdx.qe.binding": CRYPTOGRAPHY_FAILED,
                "tdx.signature": CRYPTOGRAPHY_FAILED,
                "tdx.tcb-info.signature": CRYPTOGRAPHY_FAILED,
                "tdx.qe-identity.signature": CRYPTOGRAPHY_FAILED,
            },
        ),
        "runtime_opaque": Claim(needs=("tdx.debug", "tdx.attributes"), good=AFFIRMING, bad={}),
    },
    "vtpm": {
        "instance_identity": Claim(needs=("vtpm.instance",), good=AFFIRMING, bad={}, otherwise=UNRECOGNIZED),
        "configuration": Claim(
            needs=("vtpm.binding", "vtpm.bank", "vtpm.secure-boot"),
            also=("vtpm.selection", "vtpm.user-data"),
            good=AFFIRMING,
            bad={},
        ),
        "executables": Claim(
            needs=("vtpm.pcrs",),
            also=("log.replay", "log.event", "log.separator"),
            good=APPROVED_BOOT,
            bad={},
            otherwise=UNRECOGNIZED_RUNTIME,
        ),
        # Whoever vouches for the key answers for the TPM; that its memory is opaque, nobody says here.
        "hardware": Claim(
            needs=("vtpm.ak.attributes", "vtpm.signature", "vtpm.pcrs.digest", "vtpm.quotes.agree"),
            also=_VTPM_VOUCHERS,
            good=AFFIRMING,
            bad={
                "vtpm.chain.root": UNRECOGNIZED,
                "vtpm.ak.named": UNRECOGNIZED,
                "vtpm.chain.signed": CRYPTOGRAPHY_FAILED,
                "vtpm.signature": CRYPTOGRAPHY_FAILED,
                "vtpm.pcrs.digest": CRYPTOGRAPHY_FAILED,
                "vtpm.runtime-data": CRYPTOGRAPHY_FAILED,
            },
        ),
    },
    "nitro": {
        "instance_identity": Claim(needs=("nitro.module",), good=AFFIRMING, bad={}, otherwise=UNRECOGNIZED),
        "configuration": Claim(needs=("nitro.debug", "nitro.kind"), good=AFFIRMING, bad={}),
        "executables": Claim(needs=("nitro.pcrs",), good=APPROVED_BOOT, bad={"nitro.pcrs": UNRECOGNIZED_RUNTIME}),
        "hardware": Claim(
            needs=(
                "nitro.algorithm",
                "nitro.chain.root",
                "nitro.chain.links",
                "nitro.chain.dates",
                "nitro.signature",
                "nitro.timestamp",
            ),
            good=AFFIRMING,
            bad={
                "nitro.chain.root": UNRECOGNIZED,
                "nitro.chain.links": CRYPTOGRAPHY_FAILED,
                "nitro.signature": CRYPTOGRAPHY_FAILED,
            },
        ),
        # Isolated by a hypervisor that its operator runs, and not encrypted against it: never better than a warning.
        "runtime_opaque": Claim(needs=("nitro.debug",), good=ISOLATED_MEMORY, bad={}),
    },
    "nvidia": {
        "instance_identity": Claim(needs=("nvidia.device.listed",), good=AFFIRMING, bad={}, otherwise=UNRECOGNIZED),
        # A generation without a flag for debugging says so by its measurements, which the manifests pin.
        "configuration": Claim(
            needs=("nvidia.mode",),
            also=("nvidia.debug", "nvidia.model", "nvidia.driver-version", "nvidia.vbios-version"),
            good=AFFIRMING,
            bad={},
        ),
        "executables": Claim(
            needs=("nvidia.vbios.match", "nvidia.driver.present"),
            also=(*_NVIDIA_MANIFESTS, "nvidia.disjoint"),
            good=APPROVED_BOOT,
            bad={},
            otherwise=UNRECOGNIZED_RUNTIME,
        ),
        "hardware": Claim(
            needs=_NVIDIA_GENUINE,
            also=("nvidia.chain.revoked", "nvidia.firmware-id", "nvidia.envelope"),
            good=AFFIRMING,
            bad={
                "nvidia.chain.root": UNRECOGNIZED,
                "nvidia.chain.links": CRYPTOGRAPHY_FAILED,
                "nvidia.signature": CRYPTOGRAPHY_FAILED,
            },
        ),
    },
    "spdm": {
        "instance_identity": Claim(needs=("spdm.name",), good=AFFIRMING, bad={}, otherwise=UNRECOGNIZED),
        "configuration": Claim(needs=("spdm.device-mode",), good=AFFIRMING, bad={}),
        "executables": Claim(
            needs=("spdm.measurements",), also=("spdm.svn",), good=APPROVED_BOOT, bad={}, otherwise=UNRECOGNIZED_RUNTIME
        ),
        "hardware": Claim(
            needs=_SPDM_GENUINE,
            also=("spdm.chain.revoked", "spdm.chain.digest"),
            good=AFFIRMING,
            bad={
                "spdm.chain.root": UNRECOGNIZED,
                "spdm.chain.links": CRYPTOGRAPHY_FAILED,
                "spdm.signature": CRYPTOGRAPHY_FAILED,
            },
        ),
    },
}
