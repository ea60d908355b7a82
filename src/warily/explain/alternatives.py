"""What each input of a launch might be instead: other known files, CPU models, features, hosts."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Final

from warily.data.cpu_signatures import SIGNATURES
from warily.errors import UsageError
from warily.explain import words
from warily.explain.answer import ChangedInput
from warily.explain.launch import Firmware, Launch, Part
from warily.formats._record import record
from warily.formats.ovmf import SectionType
from warily.measure.cpu import signature
from warily.measure.snp_hosts import Host, host_named, hosts
from warily.measure.vmsa import Vmm

FEATURE_BITS: Final = {
    0: "SNPActive", 1: "vTOM", 2: "ReflectVC", 3: "RestrictedInjection", 4: "AlternateInjection", 5: "DebugSwap",
    6: "PreventHostIBS", 7: "BTBIsolation", 8: "VmplSSS", 9: "SecureTSC", 10: "VmgexitParameter",
    12: "IbsVirtualization", 14: "VmsaRegProt", 15: "SmtProtection",
}  # fmt: skip
FILES: Final = ("kernel", "initrd", "line", "firmware")  # fields of a launch that stand for a file each
NO_INITRD: Final = Part(name="none", sha256=hashlib.sha256(b"").digest())


@record
class Parts:
    """All that is known to be part of some launch. `lines` are whole command lines, `words` what a search adds."""

    firmwares: tuple[Firmware, ...]
    kernels: tuple[Part, ...]
    initrds: tuple[Part, ...]
    lines: tuple[bytes, ...]
    cpus: tuple[str, ...]
    words: tuple[bytes, ...]


def parts_of(launches: Iterable[Launch], more: Parts) -> Parts:
    """The parts of all launches, and those that were found loose."""
    all_of = tuple(launches)
    lines = tuple(dict.fromkeys((*(launch.line for launch in all_of), *more.lines)))
    firmwares = {one.rule: one for one in (*more.firmwares, *(launch.firmware for launch in all_of))}
    kernels = [launch.kernel for launch in all_of if launch.kernel is not None]
    return Parts(
        firmwares=tuple(reversed(firmwares.values())),
        kernels=_once((*kernels, *more.kernels)),
        initrds=_once((*(launch.initrd for launch in all_of), *more.initrds)),
        lines=lines,
        cpus=tuple(dict.fromkeys((*(launch.cpu for launch in all_of), *more.cpus))),
        words=words.all_words((*lines, *more.words)),
    )


def _once(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple({part.sha256: part for part in reversed(tuple(parts))}.values())[::-1]


def alternatives(launch: Launch, parts: Parts) -> dict[str, list[object]]:
    """What each file of the launch (`FILES`) might be instead; a line stands for another root file system."""
    rule, kernel = launch.firmware.rule, launch.kernel
    found: dict[str, list[object]] = {name: [] for name in FILES}
    same = [one for one in parts.firmwares if _kind(one) == _kind(launch.firmware)]
    if kernel is None:
        own = launch.firmware
        other = [one for one in parts.firmwares if one.svsm is own.svsm and one.rule.platform is rule.platform]
        found["firmware"] = [one for one in other if (one.rule.seed, one.rule.vmm) != (rule.seed, rule.vmm)]
        measured = any(part.type is SectionType.KERNEL_HASHES for part in rule.sections) and rule.vmm == Vmm.QEMU
        found["kernel"] = list(parts.kernels) if measured else []
        return found
    found["firmware"] = [one for one in same if one.rule.seed != rule.seed]
    found["kernel"] = [entry for entry in parts.kernels if entry.sha256 != kernel.sha256]
    found["initrd"] = [entry for entry in (*parts.initrds, NO_INITRD) if entry.sha256 != launch.initrd.sha256]
    rooted = dict.fromkeys(words.with_root_of(launch.line, other) for other in parts.lines)
    found["line"] = [line for line in rooted if line is not None and line != launch.line]
    return found


def _kind(firmware: Firmware) -> tuple[object, ...]:
    """What two firmwares must agree in for one to stand in the place of the other below a kernel."""
    return firmware.rule.platform, firmware.rule.vmm, firmware.svsm


def files(launch: Launch, parts: Parts) -> Iterator[Launch]:
    """The launch with one file exchanged for another that is known, or left out; or with another root file system."""
    for name, others in alternatives(launch, parts).items():
        yield from (launch.but(**{name: other}) for other in others)
    if launch.kernel is not None:
        yield launch.but(kernel=None)


def machines(launch: Launch, parts: Parts, *, bits: int) -> Iterator[Launch]:
    """The launch with another CPU model, another host, or up to `bits` bits of its features turned.

    The number of processors stays.
    """
    mine = _signature(launch.cpu)
    seen = {mine}
    for cpu in (*parts.cpus, *SIGNATURES):
        number = _signature(cpu)
        if number is not None and number not in seen:
            seen.add(number)
            yield launch.but(cpu=cpu)
    for at, host in enumerate(hosts(Vmm(launch.firmware.rule.vmm), svsm=launch.firmware.svsm)):
        if host.name != host_said(launch):
            yield launch.but(host=host.name if at else "")
    known = sorted(FEATURE_BITS.keys() - {0})
    for count in range(1, bits + 1):
        for turned in combinations(known, count):
            yield launch.but(features=launch.features ^ sum(1 << bit for bit in turned))
    if bits > 1:
        yield from (launch.but(features=(1 << count) - 1) for count in range(1, 17))


def _signature(cpu: str) -> int | None:
    try:
        return signature(cpu)
    except UsageError:
        return None


def changes(before: Launch, after: Launch) -> tuple[ChangedInput, ...]:
    """The inputs in which two launches differ, as an answer lists them."""
    found = []
    if before.firmware.rule.seed != after.firmware.rule.seed:
        found.append(ChangedInput(name="firmware", was=_file(before.firmware), now=_file(after.firmware)))
    for name, was, now in (("kernel", before.kernel, after.kernel), ("initrd", before.initrd, after.initrd)):
        if (was and was.sha256) != (now and now.sha256):
            found.append(ChangedInput(name=name, was=_file(was), now=_file(now)))
    found += words.changes(before.line, after.line)
    features, hosted = _features(before, after)
    for name, old, new in (
        ("vcpus", str(before.vcpus), str(after.vcpus)),
        ("cpu", before.cpu, after.cpu),
        ("features", *features),
        ("vmm", before.firmware.rule.vmm, after.firmware.rule.vmm),
        ("host", *hosted),
    ):
        if old != new:
            found.append(ChangedInput(name=name, was=old, now=new))
    return tuple(found)


def _features(before: Launch, after: Launch) -> tuple[tuple[str, str], tuple[str, str]]:
    """(was, is) of the features and of the host. A host that differs in nothing but features is told by those."""
    one, other = _host(before), _host(after)
    hosted = (host_said(before), host_said(after))
    if before.firmware.rule.vmm != after.firmware.rule.vmm:
        hosted = ("", "")
    elif one.reset == other.reset and one.vmsa_gpa == other.vmsa_gpa and before.features == after.features:
        told = (before.features | one.features, after.features | other.features)
        return (said_features(told[0]), said_features(told[1])), ("", "")
    return (said_features(before.features), said_features(after.features)), hosted


def _host(launch: Launch) -> Host:
    return host_named(launch.host, Vmm(launch.firmware.rule.vmm), svsm=launch.firmware.svsm)


def _file(part: Part | Firmware | None) -> str:
    return "not measured" if part is None else f"{part.name} sha256:{part.sha256.hex()}"


def host_said(launch: Launch) -> str:
    """The name of the host's variant."""
    return launch.host or next(hosts(Vmm(launch.firmware.rule.vmm), svsm=launch.firmware.svsm)).name


def said_features(features: int) -> str:
    """SEV_FEATURES with the names of its bits."""
    names = [name for bit, name in FEATURE_BITS.items() if features >> bit & 1]
    return f"{features:#x} ({', '.join(names)})"
