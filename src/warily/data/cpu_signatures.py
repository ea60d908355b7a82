"""CPU models: the value of CPUID Fn0000_0001_EAX that QEMU gives a virtual processor, by `-cpu` name.

An SNP guest's VMSA holds it in RDX, so it is part of the launch digest. Only models of AMD's family are
listed; other processors cannot host SNP guests.
"""

from typing import Final

SOURCE: Final = "QEMU 11.1.3: family, model and stepping of each CPU model, asked over its machine protocol (QMP)"
DATED: Final = "2026-11"

SIGNATURES: Final[dict[str, int]] = {
    "Dhyana": 0x00900F01,
    "Dhyana-v1": 0x00900F01,
    "Dhyana-v2": 0x00900F01,
    "EPYC": 0x00800F12,
    "EPYC-Genoa": 0x00A10F10,
    "EPYC-Genoa-v1": 0x00A10F10,
    "EPYC-Genoa-v2": 0x00A10F10,
    "EPYC-Genoa-v3": 0x00A10F10,
    "EPYC-IBPB": 0x00800F12,
    "EPYC-Milan": 0x00A00F11,
    "EPYC-Milan-v1": 0x00A00F11,
    "EPYC-Milan-v2": 0x00A00F11,
    "EPYC-Milan-v3": 0x00A00F11,
    "EPYC-Milan-v4": 0x00A00F11,
    "EPYC-Rome": 0x00830F10,
    "EPYC-Rome-v1": 0x00830F10,
    "EPYC-Rome-v2": 0x00830F10,
    "EPYC-Rome-v3": 0x00830F10,
    "EPYC-Rome-v4": 0x00830F10,
    "EPYC-Rome-v5": 0x00830F10,
    "EPYC-Turin": 0x00B00F00,
    "EPYC-Turin-v1": 0x00B00F00,
    "EPYC-Turin-v2": 0x00B00F00,
    "EPYC-v1": 0x00800F12,
    "EPYC-v2": 0x00800F12,
    "EPYC-v3": 0x00800F12,
    "EPYC-v4": 0x00800F12,
    "EPYC-v5": 0x00800F12,
}
