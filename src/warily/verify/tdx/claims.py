"""What an authentic quote says, as plain values: hex text, numbers, names of bits and of statuses."""

from warily.core.vendors import module_versions
from warily.formats.pck import PlatformFlag
from warily.formats.sgx_report import EnclaveFlag, SgxReport
from warily.formats.tdx_quote import TdAttribute, TdReport10, TdReport15, TdReport15Extended, Xfam
from warily.verify.comparing import bit_names
from warily.verify.tdx.case import Case


def claims(case: Case) -> dict[str, object]:
    """Every field of the quote's body, the platform by its PCK certificate, and where Intel says it stands."""
    quote = case.quote
    said: dict[str, object] = {
        "quote_version": quote.header.version,
        "technology": "TDX" if case.is_td else "SGX",
        "report_data": quote.report_data.hex(),
        "user_data": quote.header.user_data.hex(),
        "tcb": _tcb(case),
        "platform": _platform(case),
        "quoting_enclave": _enclave(quote.qe_report),
        "trailing": {"bytes": len(quote.trailing), "zero": not any(quote.trailing)},
    }
    if quote.td is not None:
        said |= _td(quote.td)
    if quote.td15 is not None:
        said |= _td15(quote.td15)
    if isinstance(quote.body, TdReport15Extended):
        said |= _extended(quote.body)
    if quote.enclave is not None:
        said["enclave"] = _enclave(quote.enclave)
    return said


def _tcb(case: Case) -> dict[str, object]:
    verdict = case.verdict
    info, identity = case.tcb_info, case.qe_identity
    return {
        "status": verdict.status.value if verdict.status else None,
        "parts": dict(verdict.parts),
        "date": verdict.date.isoformat() if verdict.date else None,
        "advisories": list(verdict.advisories),
        "evaluation": min(one.evaluation for one in (info, identity) if one is not None),
        "next_update": min(one.next_update for one in (info, identity) if one is not None).isoformat(),
    }


def _platform(case: Case) -> dict[str, object]:
    pck = case.pck
    if pck is None:
        return {}
    return {
        "fmspc": pck.fmspc.hex(),
        "pceid": pck.pceid.hex(),
        "ppid": pck.ppid.hex(),
        "instance_id": pck.instance_id.hex() if pck.instance_id else None,
        "cpusvn": pck.cpusvn.hex(),
        "pcesvn": pck.pcesvn,
        "sgx_type": pck.sgx_type,
        "configuration": None if pck.configuration is None else bit_names(int(pck.configuration), PlatformFlag),
    }


def _enclave(report: SgxReport) -> dict[str, object]:
    return {
        "mrenclave": report.mrenclave.hex(),
        "mrsigner": report.mrsigner.hex(),
        "isvprodid": report.isvprodid,
        "isvsvn": report.isvsvn,
        "cpusvn": report.cpusvn.hex(),
        "flags": {"value": f"{report.flags:#x}", "bits": bit_names(report.flags, EnclaveFlag)},
        "xfrm": f"{report.xfrm:#x}",
        "miscselect": f"{report.miscselect:#x}",
    }


def _td(td: TdReport10) -> dict[str, object]:
    return {
        "mrtd": td.mrtd.hex(),
        "rtmr": [one.hex() for one in (td.rtmr0, td.rtmr1, td.rtmr2, td.rtmr3)],
        "mrconfigid": td.mrconfigid.hex(),
        "mrowner": td.mrowner.hex(),
        "mrownerconfig": td.mrownerconfig.hex(),
        "td_attributes": {"value": f"{td.td_attributes:#x}", "bits": bit_names(td.td_attributes, TdAttribute)},
        "xfam": {"value": f"{td.xfam:#x}", "bits": bit_names(td.xfam, Xfam)},
        "tee_tcb_svn": td.tee_tcb_svn.hex(),
        "mrseam": td.mrseam.hex(),
        "module": module_versions().get(td.mrseam.hex()),
        "mrsignerseam": td.mrsignerseam.hex(),
        "seam_attributes": f"{td.seam_attributes:#x}",
    }


def _td15(td15: TdReport15) -> dict[str, object]:
    return {"tee_tcb_svn2": td15.tee_tcb_svn2.hex(), "mrservicetd": td15.mrservicetd.hex()}


def _extended(body: TdReport15Extended) -> dict[str, object]:
    names = (
        "td_id",
        "dev_info",
        "init_service_td_hash",
        "init_service_td_attributes",
        "init_cpusvn",
        "init_tee_tcb_svn",
        "init_tee_fmspc",
        "current_service_td_hash",
        "current_service_td_attributes",
    )
    return {"vmid": body.vmid} | {name: getattr(body, name).hex() for name in names}
