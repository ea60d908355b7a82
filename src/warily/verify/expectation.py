"""Expectation files: what is wanted as TOML, in one table named after the platform. Nothing has a default.

    [snp]
    rehearsal_roots = []
    measurements = ["<96 hex digits>"]
    report_data = { waived = "this is an audit, not a key release" }
    policy = { required = [], forbidden = ["DEBUG", "MIGRATE_MA"] }
    …

Bits may also be given as `{ value = "0x10000000", mask = "0x300000ff" }`.
A table [last_word] may stand beside it: `cel = "…"`, an expression over the claims that can only reject.
A missing, unknown or mistyped key is a `UsageError` that names it.
"""

import tomllib
from collections.abc import Callable
from typing import Any, Final

from warily.core.expect import (
    NO_CREDENTIAL,
    Expect,
    LastWord,
    NitroExpect,
    NvidiaExpect,
    PlatformExpect,
    SnpExpect,
    SpdmExpect,
    TdxExpect,
    TpmExpect,
)
from warily.core.finding import Waived
from warily.core.registers import BANKS
from warily.formats.nvidia_report import Mode
from warily.formats.pck import PlatformFlag
from warily.formats.snp_report import PlatformBit, PolicyBit
from warily.formats.tdx_quote import TdAttribute, Xfam
from warily.verify.expectation_values import (
    U32,
    advisories_of,
    advisory,
    bit_rule,
    expression,
    flag,
    hexadecimal,
    line,
    measured,
    number,
    octets,
    one_of,
    pcr_values,
    refuse,
    registers,
    set_of,
    status,
    table,
    tcb_floor,
    unsaid_or,
    waivable,
)

LIMIT: Final = 1 << 20

_Reader = Callable[[object, str], Any]


def read_expectation(text: bytes) -> Expect:
    """The expectation that a TOML file of at most 1 MiB holds. Raises `UsageError`, naming the key."""
    if len(text) > LIMIT:
        refuse(f"{len(text)} bytes are over the limit of {LIMIT}")
    try:
        top = tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        refuse(f"not TOML: {error}")
    if "last_word" not in top:
        return _of_platform(top)
    cel = expression(table(top.pop("last_word"), ("cel",), "last_word")["cel"], "last_word.cel")
    return LastWord(over=_of_platform(top), cel=cel)


def _of_platform(top: dict[str, Any]) -> PlatformExpect:
    """The expectation in the one table there is, or in [tpm] and the one below it."""
    if "tpm" in top:
        return _tpm(top)
    for name in top:
        if name not in _PLATFORMS:
            refuse(f"unknown key the file.{name}")
    if len(top) != 1:
        known = ", ".join(f"[{name}]" for name in (*_PLATFORMS, "tpm"))
        refuse(f"the file has {len(top)} tables, not one of {known}")
    return _read(next(iter(top)), top)


def _read(name: str, top: dict[str, Any]) -> PlatformExpect:
    """The expectation in the table of that name."""
    kind, readers = _PLATFORMS[name]
    values = table(top[name], tuple(readers), name)
    made: PlatformExpect = kind(**{key: read(values[key], f"{name}.{key}") for key, read in readers.items()})
    return made


def _tpm(top: dict[str, Any]) -> TpmExpect:
    """The table [tpm], and beside it the one of the processor below a virtual TPM, where [tpm] names one."""
    values = table(top["tpm"], tuple(_TPM), "tpm")
    found = {key: read(values[key], f"tpm.{key}") for key, read in _TPM.items()}
    below = found["hardware"]
    table(top, ("tpm",) if isinstance(below, Waived) else ("tpm", below), "the file")
    hardware = below if isinstance(below, Waived) else _read(below, top)
    return TpmExpect(**found | {"hardware": hardware, "credential": NO_CREDENTIAL})


_SNP: Final[dict[str, _Reader]] = {
    "rehearsal_roots": set_of(hexadecimal(32)),
    "measurements": waivable(set_of(hexadecimal(48))),
    "report_data": waivable(hexadecimal(64)),
    "host_data": waivable(set_of(hexadecimal(32))),
    "vmpls": waivable(set_of(number(3))),
    "policy": waivable(bit_rule(PolicyBit)),
    "platform": waivable(bit_rule(PlatformBit)),
    "unknown_bits": waivable(flag),
    "tcb_floor": waivable(tcb_floor),
    "guest_svn": waivable(number(U32)),
    "chip_ids": waivable(set_of(hexadecimal(64))),
    "id_key_digests": waivable(set_of(hexadecimal(48))),
    "author_key_digests": waivable(set_of(hexadecimal(48))),
    "family_id": waivable(hexadecimal(16)),
    "image_id": waivable(hexadecimal(16)),
    "migration_agent": waivable(flag),
    "provisional_firmware": waivable(flag),
    "must_exclude": waivable(advisories_of("snp")),
}
_REGISTER: Final = waivable(set_of(hexadecimal(48)))
_TDX: Final[dict[str, _Reader]] = {
    "rehearsal_roots": set_of(hexadecimal(32)),
    "enclaves": waivable(set_of(hexadecimal(32))),
    "debug": waivable(flag),
    "statuses": waivable(set_of(status)),
    "advisories": waivable(set_of(advisory)),
    "must_exclude": waivable(advisories_of("tdx")),
    "evaluation": waivable(number(U32)),
    "attributes": waivable(bit_rule(TdAttribute)),
    "xfam": waivable(bit_rule(Xfam)),
    "unknown_bits": waivable(flag),
    "platform": waivable(bit_rule(PlatformFlag)),
    "platform_ids": waivable(set_of(hexadecimal(16))),
    "tee_tcb_svn": waivable(hexadecimal(16)),
    "qe_svn": waivable(number(U32)),
    "pce_svn": waivable(number(U32)),
    "mrseams": _REGISTER,
    "mrtds": _REGISTER,
    "mrconfigids": _REGISTER,
    "mrowners": _REGISTER,
    "mrownerconfigs": _REGISTER,
    "mrservicetds": waivable(set_of(unsaid_or(hexadecimal(48)))),
    "rtmr0": _REGISTER,
    "rtmr1": _REGISTER,
    "rtmr2": _REGISTER,
    "rtmr3": _REGISTER,
    "report_data": waivable(hexadecimal(64)),
}
_TPM: Final[dict[str, _Reader]] = {
    "authorities": set_of(hexadecimal(32)),
    "attestation_keys": set_of(hexadecimal(32)),
    "bindings": waivable(set_of(one_of("snp", "tdx", "certificate", "endorsement", "named"))),
    "hardware": waivable(one_of("snp", "tdx")),
    "nonce": waivable(octets(64)),
    "banks": waivable(set_of(one_of(*BANKS))),
    "selection": waivable(set_of(number(23))),
    "pcrs": waivable(pcr_values),
    "log_registers": waivable(set_of(number(23))),
    "secure_boot": waivable(flag),
    "instances": waivable(set_of(line)),
    "user_data": waivable(octets(64)),
}
# The tables there may be: the type that each makes, and how its keys are read.
_NITRO: Final[dict[str, _Reader]] = {
    "rehearsal_roots": set_of(hexadecimal(32)),
    "debug": waivable(flag),
    "tpm": waivable(flag),
    "pcrs": waivable(lambda value, what: registers("sha384", value, what)),
    "nonce": waivable(octets(4096)),
    "user_data": waivable(octets(4096)),
    "public_key": waivable(octets(4096)),
    "modules": waivable(set_of(line)),
    "max_age": waivable(number(U32)),
}
_NVIDIA: Final[dict[str, _Reader]] = {
    "rehearsal_roots": set_of(hexadecimal(32)),
    "manifests": waivable(flag),
    "certificate_hold": flag,
    "debug": waivable(flag),
    "modes": waivable(set_of(one_of(*Mode))),
    "nonce": waivable(hexadecimal(32)),
    "models": waivable(set_of(line)),
    "drivers": waivable(set_of(line)),
    "vbioses": waivable(set_of(line)),
    "devices": waivable(set_of(hexadecimal(32))),
    "count": waivable(number(64)),
}
_SPDM: Final[dict[str, _Reader]] = {
    "authorities": set_of(hexadecimal(32)),
    "rehearsal_roots": set_of(hexadecimal(32)),
    "debug": waivable(flag),
    "nonce": waivable(hexadecimal(32)),
    "names": waivable(set_of(line)),
    "measurements": waivable(measured),
    "svn": waivable(number((1 << 64) - 1)),
}
_PLATFORMS: Final[dict[str, tuple[type[Any], dict[str, _Reader]]]] = {
    "snp": (SnpExpect, _SNP),
    "tdx": (TdxExpect, _TDX),
    "nitro": (NitroExpect, _NITRO),
    "nvidia": (NvidiaExpect, _NVIDIA),
    "spdm": (SpdmExpect, _SPDM),
}
