"""Reports of NVIDIA devices, and conversations with SPDM devices, for people."""

from collections.abc import Iterator, Mapping
from typing import Final

_MODES: Final = {
    "single-gpu": "alone: what leaves the GPU is encrypted",
    "multi-gpu": "with other GPUs, over encrypted links",
    "protected-pcie": "with other GPUs: PCIe is guarded, links between GPUs are in the clear",
    "unnamed": "the report does not name it",
}
_PARTS: Final = {"driver": "driver", "vbios": "firmware"}


def nvidia_rows(claims: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Label and text of every line about one device: what it is, what runs on it, and what that was compared with."""
    is_gpu = claims["kind"] == "GPU"
    yield "device", f"{claims['kind']} {claims['model']}, {claims['device'] or 'without a name of its own'}"
    if is_gpu:
        yield "driver", str(claims["driver_version"])
    yield "firmware", f"VBIOS {claims['vbios_version']}"
    if is_gpu:
        yield "traffic", _MODES.get(str(claims["mode"]), str(claims["mode"]))
    compared = claims["compared"] if isinstance(claims["compared"], Mapping) else {}
    for part, what in _PARTS.items():
        if is_gpu or part != "driver":
            yield "as released?", f"{what}: {_compared(compared.get(part))}"
    yield "nonce", str(claims["nonce"])


def _compared(outcome: object) -> str:
    """How measurements came out against what NVIDIA says it released."""
    match outcome:
        case None:
            return "not compared, no manifest of what NVIDIA released was given"
        case str() if "match" in outcome:
            return f"yes, {outcome} what NVIDIA signed"
        case "fail":
            return "NO, measurements are not those that NVIDIA signed"
        case _:
            return "not compared, its manifest did not pass"


def spdm_rows(claims: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Label and text of every line about an SPDM device: who it is, and each measurement."""
    yield "device", f"{claims['device'] or claims['leaf']}, SPDM {claims['spdm_version']}"
    yield "nonce", str(claims["nonce"])
    measured = claims["measurements"]
    for index, one in measured.items() if isinstance(measured, dict) else ():
        yield f"measured {index}", f"{one['type']} {one['value'][:96]}"
