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

CLAIMS: Final[dict[str, dict[str, Claim]]] = {
    "snp": {
        "instance_identity": Claim(needs=("snp.chip.listed",), good=AFFIRMING, bad={}, otherwise=UNRECOGNIZED),
        "configuration": Claim(needs=_SNP_CONFIGURATION, also=_SNP_OTHERS, good=AFFIRMING, bad={}),
        "executables": Claim(
            needs=("snp.measurement",), good=APPROVED_BOOT, bad={"snp.measurement": UNRECOGNIZED_RUNTIME}
        ),
        "hardware": Claim(
            needs=_SNP_HARDWARE,
            also=("snp.chain.revoked", "snp.tcb.committed", "snp.tcb.reported", "snp.tcb.floor"),
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
            also=("tdx.advisories", "tdx.tcb.evaluation", "tdx.svn.tee", "tdx.svn.qe", "tdx.svn.pce"),
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
}
