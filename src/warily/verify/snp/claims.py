"""What an authentic report says of the machine, as plain values: hex text, numbers, names of bits."""

from warily.formats.snp_report import (
    ABI_BITS,
    HOST_REQUESTED,
    NO_MIGRATION_AGENT,
    PlatformBit,
    PolicyBit,
    SnpReport,
    Tcb,
    firmware_version,
)
from warily.verify.comparing import bit_names
from warily.verify.snp.leaf import Leaf
from warily.verify.snp.products import Product


def claims(report: SnpReport, product: Product, leaf: Leaf) -> dict[str, object]:
    """Every field of the report; TCB versions by component, policy and platform by the names of the set bits."""
    return {
        "report_version": report.version,
        "product": product.kds,
        "product_name": leaf.product_name,
        "cpuid": _cpuid(report),
        "chip_id": report.chip_id.hex(),
        "signing_key": report.signing_key.name,
        "csp_id": leaf.csp_id,
        "author_key": report.has_author_key,
        "mask_chip_key": report.masks_chip_key,
        "measurement": report.measurement.hex(),
        "report_data": report.report_data.hex(),
        "host_data": report.host_data.hex(),
        "vmpl": None if report.vmpl == HOST_REQUESTED else report.vmpl,
        "requested_by": "host" if report.vmpl == HOST_REQUESTED else "guest",
        "guest_svn": report.guest_svn,
        "family_id": report.family_id.hex(),
        "image_id": report.image_id.hex(),
        "id_key_digest": report.id_key_digest.hex(),
        "author_key_digest": report.author_key_digest.hex(),
        "report_id": report.report_id.hex(),
        "report_id_ma": report.report_id_ma.hex(),
        "migration_agent": report.report_id_ma != NO_MIGRATION_AGENT,
        "policy": _policy(report),
        "platform": {
            "value": f"{report.platform_info:#x}",
            "bits": bit_names(report.platform_info, PlatformBit),
        },
        "tcb": _levels(report, product),
        "firmware": {
            "current": ".".join(map(str, firmware_version(report.current_version))),
            "committed": ".".join(map(str, firmware_version(report.committed_version))),
        },
        "mitigations": _mitigations(report),
    }


def _levels(report: SnpReport, product: Product) -> dict[str, object]:
    """The four TCB versions, decoded as the product lays them out."""
    named = {
        "reported": report.reported_tcb,
        "current": report.current_tcb,
        "committed": report.committed_tcb,
        "launch": report.launch_tcb,
    }
    levels = {name: Tcb.decode(value, product.tcb).components() for name, value in named.items()}
    return {"layout": product.tcb.value, **levels}


def _cpuid(report: SnpReport) -> dict[str, int] | None:
    """Family, model and stepping; None before version 3, which does not say."""
    if not report.has_cpuid:
        return None
    return {"family": report.cpuid_family, "model": report.cpuid_model, "stepping": report.cpuid_stepping}


def _policy(report: SnpReport) -> dict[str, object]:
    abi = report.policy & ABI_BITS
    bits = bit_names(report.policy & ~ABI_BITS & ~int(PolicyBit.RESERVED_ONE), PolicyBit)
    return {"value": f"{report.policy:#x}", "minimum_abi": f"{abi >> 8}.{abi & 0xFF}", "bits": bits}


def _mitigations(report: SnpReport) -> dict[str, str] | None:
    """The mitigation vectors; None before version 5, which does not have them."""
    if report.version < 5:  # noqa: PLR2004  # the version that brought them
        return None
    return {"launch": f"{report.launch_mitigations:#x}", "current": f"{report.current_mitigations:#x}"}
