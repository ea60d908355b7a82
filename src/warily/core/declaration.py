"""The declaration, `warily.toml`, as frozen values. `image/declare.py` reads and checks the file."""

from dataclasses import dataclass
from enum import StrEnum


class Platform(StrEnum):
    """Where an image may run, and hence which registers are predicted for it."""

    REHEARSAL = "rehearsal"
    SNP = "snp"
    TDX = "tdx"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A file of the project placed in the image. `source` is relative to the declaration."""

    source: str
    target: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A workload: an argument vector, run as its own unprivileged user once its volumes are open."""

    name: str
    command: tuple[str, ...]
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A persistent encrypted volume: `size` bytes of host disk, mounted at `mount`."""

    name: str
    size: int
    mount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A TCP port of the guest that the host may reach, and the loopback port it appears at."""

    guest: int
    host: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The shape: vCPUs, memory in bytes, CPU model for SNP, platforms."""

    cpus: int
    memory: int
    cpu: str
    platforms: tuple[Platform, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One image and the machine it is for, as declared and checked."""

    name: str
    suite: str
    packages: tuple[str, ...]
    files: tuple[FileEntry, ...]
    services: tuple[Service, ...]
    machine: Machine
    volumes: tuple[Volume, ...]
    ports: tuple[Port, ...]
    command_line: tuple[str, ...]
