"""Every attack that the laboratory mounts: one module a kind, one table of all."""

from typing import Final

from warily.adversary.attack import Attack
from warily.adversary.attacks import (
    acpi,
    agents,
    boot,
    collateral,
    console,
    credentials,
    datasource,
    devices,
    dsdt,
    evidence,
    grants,
    hotplug,
    processor,
    records,
    root_disk,
    volumes,
    wire,
)

TABLE: Final[tuple[Attack, ...]] = (
    *acpi.ATTACKS,
    *dsdt.ATTACKS,
    *credentials.ATTACKS,
    *datasource.ATTACKS,
    *agents.ATTACKS,
    *console.ATTACKS,
    *devices.ATTACKS,
    *hotplug.ATTACKS,
    *wire.ATTACKS,
    *boot.ATTACKS,
    *root_disk.ATTACKS,
    *volumes.ATTACKS,
    *evidence.ATTACKS,
    *collateral.ATTACKS,
    *grants.ATTACKS,
    *records.ATTACKS,
    *processor.ATTACKS,  # the last of those that share a boot: it ends the machine
)
