"""QEMU's arguments, made harmless: the same devices and so the same tables, without files, sockets, ports or sounds.

A launch names disks, sockets and ports that a running machine may hold. The tables depend on which devices there
are, not on what is behind them.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

_PROTECTED: Final = ("sev-guest", "sev-snp-guest", "tdx-guest")
_MACHINE_WORDS: Final = ("accel=", "confidential-guest-support=", "dump-guest-core=", "mem-merge=", "pflash0=")
_ATA_OPTIONS: Final = ("-hda", "-hdb", "-hdc", "-hdd", "-cdrom")
_NO_DISK: Final = "driver=null-co,read-zeroes=on"


def without_effects(arguments: Sequence[str]) -> list[str]:
    """The arguments of the same machine with nothing behind its devices, and no firmware, kernel or encryption.

    Without `-nodefaults` QEMU's default devices stay; its default consoles lead nowhere.
    """
    kept: list[str] = []
    rest = iter(arguments)
    for word in rest:
        name = word.removeprefix("-") if word.startswith("--") else word
        if name in _ALONE:
            kept += _ALONE[name]
        elif name in _CHANGED:
            kept += _CHANGED[name](next(rest, ""))
        else:
            kept.append(name)
    if "-nodefaults" not in kept:
        kept += ("-monitor", "none", *(() if "-serial" in kept else ("-serial", "null")))
    return kept


def tpm_chardev(words: Sequence[str]) -> str | None:
    """The id of the character device of an emulated TPM; None without one."""
    for word in words:
        settings = _settings(word)
        if word.startswith("emulator,") and "chardev" in settings:
            return settings["chardev"]
    return None


def has_ata_drive(arguments: Sequence[str]) -> bool:
    """Whether the machine has a drive at its own ATA controller; without `-nodefaults` it has a CD-ROM."""
    if not {"-nodefaults", "--nodefaults"} & {*arguments}:
        return True
    pairs = [(word.removeprefix("-") if word.startswith("--") else word, value) for word, value in pairwise(arguments)]
    return any(
        word in _ATA_OPTIONS
        or (word == "-device" and value.startswith("ide-"))
        or (word == "-drive" and _settings(value).get("if", "ide") == "ide")
        for word, value in pairs
    )


def _settings(value: str) -> dict[str, str]:
    """`name=value` words of an option; a comma that is doubled belongs to a value."""
    parts = value.replace(",,", "\0").split(",")
    return {name: text.replace("\0", ",") for name, _, text in (part.partition("=") for part in parts)}


def _nothing(_: str) -> list[str]:
    return []


def _machine(value: str) -> list[str]:
    return ["-machine", ",".join(part for part in value.split(",") if not part.startswith(_MACHINE_WORDS))]


def _object(value: str) -> list[str]:
    return [] if value.split(",", maxsplit=1)[0] in _PROTECTED else ["-object", value]


def _cpu(value: str) -> list[str]:
    model, comma, features = value.partition(",")
    return ["-cpu", f"{'max' if model == 'host' else model}{comma}{features}"]


def _serial(value: str) -> list[str]:
    return ["-serial", "none" if value == "none" else "null"]


def _chardev(value: str) -> list[str]:
    return ["-chardev", f"null,id={_settings(value).get('id', '')}"]


def _netdev(value: str) -> list[str]:
    return ["-netdev", f"hubport,hubid=0,id={_settings(value).get('id', '')}"]


def _blockdev(value: str) -> list[str]:
    name = _settings(value).get("node-name", "")
    return ["-blockdev", f"{_NO_DISK},node-name={name}"]


def _drive(value: str) -> list[str]:
    found = _settings(value)
    if found.get("if") == "pflash":
        return []
    kept = ",".join(f"{name}={found[name]}" for name in ("if", "id", "index", "media", "bus", "unit") if name in found)
    return ["-drive", f"{_NO_DISK},{kept}".rstrip(",")]


_ALONE: Final[Mapping[str, tuple[str, ...]]] = {
    "-enable-kvm": (),
    "-S": (),
    "-daemonize": (),
    "-no-shutdown": (),
    "-nographic": ("-serial", "null", "-monitor", "none"),
}
_CHANGED: Final[Mapping[str, Callable[[str], list[str]]]] = {
    **dict.fromkeys(
        ("-accel", "-qtest", "-qtest-log", "-display", "-monitor", "-qmp", "-mon", "-pidfile", "-D", "-d", "-sandbox"),
        _nothing,
    ),
    **dict.fromkeys(("-bios", "-pflash", "-kernel", "-initrd", "-append", "-dtb", "-shim"), _nothing),
    "-machine": _machine,
    "-M": _machine,
    "-object": _object,
    "-cpu": _cpu,
    "-serial": _serial,
    "-chardev": _chardev,
    "-netdev": _netdev,
    "-blockdev": _blockdev,
    "-drive": _drive,
}
