"""Values that vendors and projects have published, and digests of bytes that every log has: known without a manifest.

Vendors' values are data with their source (`data/known_values`, `data/tdx_modules.toml`).
"""

import hashlib
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from typing import Any, Final

from warily.core.registers import HASHES
from warily.core.vendors import module_versions
from warily.explain.answer import Known

FOLDER: Final = "known_values"
_TDX_SOURCE: Final = "intel/confidential-computing.tdx.tdx-module, README.md"
# What every log has events of (TCG PC Client Platform Firmware Profile 1.06; UEFI 2.10; Linux libstub; systemd-stub).
_WORDS: Final = {
    b"": "no bytes at all: an empty file, or an initrd that is not there",
    bytes(1): "a single NUL byte: an empty command line as SNP measures it, or an empty variable",
    bytes(4): "a separator: the end of what firmware measures before it starts a program",
    b"\xff" * 4: "a separator of ones",
    b"\x01\x00\x00\x00": "an error separator: measuring failed there",
    b"Calling EFI Application from Boot Option": "firmware starts a boot option",
    b"Returning from EFI Application from Boot Option": "a boot option came back to firmware",
    b"Exit Boot Services Invocation": "the operating system leaves boot services",
    b"Exit Boot Services Returned with Success": "boot services were left",
    b"Exit Boot Services Returned with Failure": "leaving boot services failed once, and is tried again",
    b"enter-initrd": "systemd's phase enter-initrd",
    b"leave-initrd": "systemd's phase leave-initrd",
    b"sysinit": "systemd's phase sysinit",
    b"ready": "systemd's phase ready",
    b"shutdown": "systemd's phase shutdown",
    b"final": "systemd's phase final",
}


def known_values(value: bytes) -> tuple[Known, ...]:
    """What is published of the value."""
    found = [*_published().get(value, ())]
    version = module_versions().get(value.hex())
    if version is not None:
        sentence = f"MRSEAM of Intel's TDX module {version}"
        found.append(_known(value, sentence, register="mrseam", source=_TDX_SOURCE, extra={"version": version}))
    said = _everywhere().get(value)
    if said is not None:
        found.append(_known(value, said, register="", source="computed"))
    return tuple(found)


@lru_cache(maxsize=1)
def microcode_bases() -> dict[str, int]:
    """The microcode patch level without its low byte, by silicon line."""
    text = resources.files("warily.data").joinpath(FOLDER, "amd_microcode.toml").read_text("utf-8")
    return {entry["line"]: entry["base"] for entry in tomllib.loads(text)["microcode"]}


@lru_cache(maxsize=1)
def _published() -> dict[bytes, list[Known]]:
    found: dict[bytes, list[Known]] = {}
    for table in _tables():
        for entry in table.get("value", ()):
            value = bytes.fromhex(entry["value"])
            source = entry.get("source", table["source"])
            known = _known(value, entry["sentence"], register=entry["register"], source=source)
            found.setdefault(value, []).append(known)
    return found


def _tables() -> Iterator[dict[str, Any]]:
    folder = resources.files("warily.data").joinpath(FOLDER)
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.name.endswith(".toml"):
            yield tomllib.loads(entry.read_text("utf-8"))


@lru_cache(maxsize=1)
def _everywhere() -> dict[bytes, str]:
    """Digests of well-known bytes, and registers that nothing was extended into."""
    found: dict[bytes, str] = {}
    for name in HASHES.values():
        size = hashlib.new(name).digest_size
        found[bytes(size)] = "a register that nothing was measured into (zeros)"
        found[b"\xff" * size] = "a register that nothing was measured into (ones: no dynamic launch)"
        for data, said in _WORDS.items():
            digest = hashlib.new(name, data).digest()
            found[digest] = f"{name.upper()} of {said}"
            if data == bytes(4):
                alone = hashlib.new(name, bytes(size) + digest).digest()
                found[alone] = f"a {name.upper()} register into which a separator alone was measured"
    return found


def _known(value: bytes, sentence: str, *, register: str, source: str, extra: dict[str, str] | None = None) -> Known:
    fields = {"manifest": "", "register": register, "source": source} | (extra or {})
    return Known(value=value, sentence=sentence, fields=fields)
