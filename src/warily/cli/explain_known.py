"""All that `warily explain` compares with: builds, boots, parts and published values, out of what was named."""

import argparse
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from warily.cli.explain_sources import Sources, loose_in, read_sources
from warily.cli.measure_tdx import size
from warily.cli.owners import owners
from warily.errors import FormatError
from warily.explain import bare_launches, builds, loose_boots
from warily.explain.alternatives import Parts
from warily.explain.boots import Boot, OtherFile
from warily.explain.builds import Build
from warily.explain.explainer import Explainer
from warily.explain.launch import Firmware, Part
from warily.formats.tcg_log import EventLog
from warily.measure.authenticode import authenticode
from warily.measure.boot import events_of, is_of_td
from warily.measure.matching import supplied_by
from warily.measure.pcr import PcrBoot
from warily.measure.td_boot import TdxLaunch

MAX_BUILDS: Final = 64  # that loose files are put together to


def explainer_of(options: argparse.Namespace, *, boots: frozenset[str], logs: Iterable[EventLog] = ()) -> Explainer:
    """All that was named, ready to be asked. `boots` (`tdx`, `tpm`): where files without a manifest may boot.

    What a manifest leaves open of the host's tables is taken from `logs`.
    """
    sources = read_sources(options.manifest, owners=owners(options.owner))
    extra = read_sources(options.extra, owners=owners(options.owner))
    listed: list[Build] = [*sources.builds, *extra.builds]
    found: list[Boot] = []
    digests: dict[bytes, str] = {}
    for folder, files in sources.loose.items():
        for build, boot in _loose_builds(folder, Sources(loose={folder: files}), options, boots=boots):
            listed.append(build)
            found += boot
    everything = Sources(loose={**sources.loose, **extra.loose})
    for entry in (entry for files in everything.loose.values() for entry in files):
        digests[hashlib.sha256(entry.data).digest()] = f"the SHA-256 of the file {entry.path}"
        digests[hashlib.sha384(entry.data).digest()] = f"the SHA-384 of the file {entry.path}"
        if entry.role == "firmware" and "tdx" in boots:
            digests |= dict(loose_boots.firmware_digests(entry.data, entry.path.name))
    listed += _bare(everything, options)
    for entry in loose_in(everything, "igvm"):
        digests |= dict(bare_launches.of_igvm(entry.path.name, entry.data))
    for path, log in (*sources.logs, *extra.logs):
        found.append(_logged_boot(path, log))
    return Explainer(
        listed,
        parts=_parts(everything),
        boots=found,
        references=(*sources.references, *extra.references),
        digests=digests,
        files=tuple(_other_files(everything)),
        supplied=supplied_by([event for log in logs for event in events_of(log, measurement_registers=is_of_td(log))]),
    )


def _bare(sources: Sources, options: argparse.Namespace) -> Iterator[Build]:
    """Firmware that starts without a kernel, alone and above each SVSM."""
    images = [(entry.path.name, entry.data) for entry in loose_in(sources, "firmware")]
    for name, data in images:
        yield bare_launches.alone(name, data, cpu=options.cpu, vcpus=options.vcpus)
    for entry in loose_in(sources, "svsm"):
        yield bare_launches.under_svsm(entry.path.name, entry.data, images, cpu=options.cpu, vcpus=options.vcpus)


def _other_files(sources: Sources) -> Iterator[OtherFile]:
    """Kernels and initrds as events of a boot would measure them."""
    for entry in loose_in(sources, "initrd"):
        digests = {name: hashlib.new(name, entry.data).digest() for name in loose_boots.BANKS}
        yield OtherFile(ingredient="initrd", name=entry.path.name, digests=digests)
    for entry in loose_in(sources, "kernel"):
        try:
            digests = {name: authenticode(entry.data, name) for name in loose_boots.BANKS}
        except FormatError:
            continue  # no program that firmware would start
        yield OtherFile(ingredient="kernel", name=entry.path.name, digests=digests)


def _parts(sources: Sources) -> Parts:
    """Loose files as parts that a launch may have."""
    return Parts(
        firmwares=tuple(_firmwares(sources)),
        kernels=tuple(_part(entry.path, entry.data) for entry in loose_in(sources, "kernel")),
        initrds=tuple(_part(entry.path, entry.data) for entry in loose_in(sources, "initrd")),
        lines=tuple(entry.data for entry in loose_in(sources, "command line")),
        cpus=(),
        words=(),
    )


def _firmwares(sources: Sources) -> Iterator[Firmware]:
    for entry in loose_in(sources, "firmware"):
        yield from builds.firmware_parts(entry.data, entry.path.name)


def _part(path: Path, data: bytes) -> Part:
    return Part(name=path.name, sha256=hashlib.sha256(data).digest())


def _loose_builds(
    folder: Path, sources: Sources, options: argparse.Namespace, *, boots: frozenset[str]
) -> Iterator[tuple[Build, list[Boot]]]:
    """Files of one folder put together in every way: a build, and the boots that it leads to."""
    lines = [entry.data for entry in loose_in(sources, "command line")]
    if options.append is not None:
        lines = [options.append.encode("utf-8", "surrogateescape")]
    firmwares = tuple(_firmwares(sources))
    made = 0
    for kernel in loose_in(sources, "kernel"):
        for initrd in loose_in(sources, "initrd") or (None,):
            for line in lines or (b"",):
                made += 1
                if made > MAX_BUILDS:
                    return
                name = f"{folder.name}: {kernel.path.name}{f' with {initrd.path.name}' if initrd else ''}"
                build = builds.loose(
                    name,
                    firmwares=firmwares,
                    kernel=_part(kernel.path, kernel.data),
                    initrd=_part(initrd.path, initrd.data) if initrd else None,
                    line=line,
                    cpu=options.cpu,
                    vcpus=options.vcpus,
                )
                found: list[Boot] = []
                for firmware in loose_in(sources, "firmware") if boots else ():
                    inside = initrd.data if initrd else None
                    found += _boots(build, (firmware.data, kernel.data, inside, line), options, boots)
                yield build, found


def _boots(
    build: Build, files: tuple[bytes, bytes, bytes | None, bytes], options: argparse.Namespace, boots: frozenset[str]
) -> Iterator[Boot]:
    """The boots of firmware, kernel, initrd and command line."""
    firmware, kernel, initrd, line = files
    if "tdx" in boots:
        launch = TdxLaunch(
            firmware=firmware,
            memory=size(options.memory),
            vcpus=options.vcpus,
            kernel=kernel,
            initrd=initrd,
            command_line=line,
        )
        yield from loose_boots.td_boots(build, launch)
    if "tpm" in boots:
        text = line.decode("utf-8", "replace")
        boot = PcrBoot(firmware=firmware, program=kernel, initrd=initrd, command_line=text)
        yield from loose_boots.tpm_boots(build, boot)


def _logged_boot(path: Path, data: bytes) -> Boot:
    """A log of a machine that is known, as a boot."""
    log = EventLog.decode(data)
    td = is_of_td(log)
    build = Build(name=path.name, where=str(path), manifest=None, packages=(), signer="", logged="", launches=())
    events = events_of(log, measurement_registers=td)
    return Boot(build=build, platform="tdx" if td else "tpm", events=events, because="as the log says")
