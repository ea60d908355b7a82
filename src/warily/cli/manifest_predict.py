"""`warily manifest predict`: the registers of any shape of machine, from a manifest alone."""

import argparse
from typing import TYPE_CHECKING

from warily.cli.measure_common import print_prediction, read
from warily.cli.measure_tables import host_tables
from warily.cli.measure_tdx import read_log, size, version
from warily.core.declaration import Platform
from warily.core.manifest import Manifest
from warily.errors import UsageError
from warily.formats.ovmf import LIMIT
from warily.measure.boot import examine
from warily.measure.boot.steps import smbios_event
from warily.measure.matching import supplied_by
from warily.measure.shapes import Shape, declared, recompute

if TYPE_CHECKING:
    from warily.measure.shape_events import Supplied


def predict(manifest: Manifest, options: argparse.Namespace) -> int:
    """Print the registers, what is not predicted, and the candidates, as `warily measure` does."""
    platform = _platform(manifest, options.platform)
    found = recompute(manifest, platform, _shape(manifest, options), supplied=_supplied(options))
    return print_prediction(found, as_json=options.json, trace=options.trace)


def _platform(manifest: Manifest, name: str | None) -> Platform:
    known = [platform.value for platform in manifest.platforms]
    if name is None and known:
        return manifest.platforms[0]
    if name not in known:
        msg = f"--platform {name}: the manifest of {manifest.name} is not for it"
        raise UsageError(msg, hint=f"it is for {', '.join(known) or 'none'}")
    return Platform(name)


def _shape(manifest: Manifest, options: argparse.Namespace) -> Shape:
    usual = declared(manifest)
    return Shape(
        vcpus=usual.vcpus if options.vcpus is None else options.vcpus,
        cpu=options.cpu or usual.cpu,
        memory=usual.memory if options.memory is None else size(options.memory),
        host=options.host,
        qemu=None if options.qemu is None else version(options.qemu),
    )


def _supplied(options: argparse.Namespace) -> "Supplied":
    firmware = read(options.firmware, LIMIT) if options.firmware else None
    host = host_tables(options, firmware)
    bios = None if firmware is None else examine(firmware).bios
    event = None if host.smbios is None else smbios_event(host.smbios, bios)
    return supplied_by(read_log(options.log) if options.log else (), tables=host.acpi, smbios=event)
