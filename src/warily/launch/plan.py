"""From a manifest to a QEMU command line, for each place where an image may run. Pure: nothing is touched.

The argument vector is the whole truth about a launch: `--print` shows it, the golden tests hold it, and
the rehearsal processor measures what it names. Option names: QEMU 7.2 for the rehearsal, `qapi/qom.json`
of QEMU 9.1 (`sev-snp-guest`) and 10.1 (`tdx-guest`) for hardware.
"""

import base64
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from warily.core import built
from warily.core.declaration import Platform
from warily.core.manifest import Manifest, PortSpec
from warily.errors import UsageError
from warily.formats import guest_config
from warily.formats.snp_id_block import IdAuth, IdBlock, KeyAlgorithm

SNP_POLICY: Final = 0x30000  # bit 17 must be one, bit 16 lets the host have SMT; no debug, no migration
SP_SOCKET: Final = "sp.sock"
MONITOR_SOCKET: Final = "monitor.sock"
SOCKET_PATH_LIMIT: Final = 107  # sockaddr_un holds 108 bytes with the final zero
HOST_DATA_SIZE: Final = 32
MRCONFIGID_SIZE: Final = 48
QUOTE_SOCKET: Final = "/var/run/tdx-qgs/qgs.socket"  # where Intel's quote generation service listens
MIB: Final = 1 << 20
BUS: Final = "pcie.0"


class Accelerator(StrEnum):
    """What executes the guest's instructions in a rehearsal."""

    KVM = "kvm"
    TCG = "tcg"


FIRMWARE: Final[Mapping[Platform, str]] = {
    Platform.REHEARSAL: built.FIRMWARE_REHEARSAL,
    Platform.SNP: built.FIRMWARE_SNP,
    Platform.TDX: built.FIRMWARE_TDX,
}

FILES: Final = (built.KERNEL, built.INITRD, built.ROOT, built.ROOT_HASHES)

# Before any device of ours: no defaults, no configuration files, no reboot (a guest that ends has ended), and a
# seccomp filter. It must not have `elevateprivileges=deny`: that forbids setsid, with which libslirp starts the pipe.
ALWAYS: Final = (
    "-nodefaults",
    "-no-user-config",
    "-no-reboot",
    *("-display", "none"),
    *("-sandbox", "on,obsolete=deny,resourcecontrol=deny"),
)
# Devices that no image of ours has a driver for, and guest memory in core dumps or merged with other guests'.
MACHINE: Final = "q35,sata=off,smbus=off,usb=off,vmport=off,graphics=off,dump-guest-core=off,mem-merge=off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One launch. `argv` has no secret; `reads` and `writes` are the files it opens, `ports` what it forwards.

    `cpu` is the model that the launch digest is for. `sp_socket` is where the rehearsal processor must be
    listening when QEMU starts, None on hardware.
    """

    tee: Platform
    argv: tuple[str, ...]
    cpu: str
    policy: int
    host_data: bytes
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    monitor_socket: str
    sp_socket: str | None
    ports: tuple[PortSpec, ...]


def plan(  # noqa: PLR0913  # a launch has this many independent inputs, all named at the call
    manifest: Manifest,
    *,
    tee: Platform,
    image: str,
    run: str,
    volumes: Sequence[str],
    broker: tuple[str, int],
    accelerator: Accelerator,
    host_data: bytes,
    id_block: tuple[IdBlock, IdAuth] | None,
    pipe: Sequence[str],
    ports: Sequence[PortSpec] | None = None,
    qemu: str = "qemu-system-x86_64",
) -> Plan:
    """The launch of the image in folder `image`, with sockets in folder `run`.

    `volumes` are the disks in the manifest's order; `pipe` is the program that joins the guest to `broker`
    (host and port are appended); `ports` are the manifest's with free host ports filled in. `accelerator`
    matters to a rehearsal only. Raises `UsageError` for what cannot be launched.
    """
    forwarded = tuple(manifest.ports if ports is None else ports)
    _check(manifest, tee=tee, volumes=volumes, host_data=host_data, id_block=id_block, ports=forwarded)
    made = Plan(
        tee=tee,
        argv=(),
        cpu=manifest.cpu,
        policy=SNP_POLICY if id_block is None else id_block[0].policy,
        host_data=host_data,
        reads=tuple(_within(image, name) for name in (FIRMWARE[tee], *FILES)),
        writes=tuple(volumes),
        monitor_socket=_socket(run, MONITOR_SOCKET),
        sp_socket=_socket(run, SP_SOCKET) if tee is Platform.REHEARSAL else None,
        ports=forwarded,
    )
    platform = _platform(manifest, made, accelerator=accelerator, id_block=id_block)
    words = (qemu, *platform, *ALWAYS, *_shape(manifest, made), *_devices(made, broker, pipe))
    if any("\0" in word for word in words):
        raise UsageError("a path or the command line has a zero byte in it")
    return replace(made, argv=words)


def execution(accelerator: Accelerator) -> tuple[str, ...]:
    """What executes the instructions of a machine on this host, and which processor that machine sees.

    One thread emulates all processors: with several, QEMU 7.2 now and then executes an instruction that another
    processor is rewriting, and the guest's kernel stops (decision 10). It emulates cmpxchg16b wrongly, and
    AVX slower than what programs use without it.
    """
    match accelerator:
        case Accelerator.KVM:
            return ("-accel", "kvm", "-cpu", "host")
        case Accelerator.TCG:
            return ("-accel", "tcg,thread=single", "-cpu", "max,-cx16,-avx,-avx2")


def _check(
    manifest: Manifest,
    *,
    tee: Platform,
    volumes: Sequence[str],
    host_data: bytes,
    id_block: tuple[IdBlock, IdAuth] | None,
    ports: Sequence[PortSpec],
) -> None:
    """The inputs fit each other."""
    if tee not in manifest.platforms:
        message = f"the image {manifest.name} is not built for {tee.value}"
        known = ", ".join(platform.value for platform in manifest.platforms)
        raise UsageError(message, hint=f"it is built for {known}; add the platform to warily.toml and build again")
    if len(volumes) != len(manifest.volumes):
        message = f"{len(volumes)} disks for the {len(manifest.volumes)} volumes of {manifest.name}"
        raise UsageError(message)
    if len(host_data) != HOST_DATA_SIZE:
        message = f"host data of {len(host_data)} bytes, not {HOST_DATA_SIZE}"
        raise UsageError(message)
    if id_block is not None and tee is not Platform.SNP:
        message = f"an ID block is checked by SNP firmware only; this launch is for {tee.value}"
        raise UsageError(message)
    if manifest.memory % MIB:
        message = f"memory of {manifest.memory} bytes is not a whole number of MiB"
        raise UsageError(message)
    taken = [port.host for port in ports]
    if not all(taken) or len(set(taken)) != len(taken):
        message = "every forwarded port needs a host port of its own"
        raise UsageError(message, hint="the same host port stands twice in [[ports]] of warily.toml")


def _platform(
    manifest: Manifest, made: Plan, *, accelerator: Accelerator, id_block: tuple[IdBlock, IdAuth] | None
) -> tuple[str, ...]:
    """Accelerator, machine, protection object and processor."""
    match made.tee:
        case Platform.REHEARSAL:
            return (*execution(accelerator), "-machine", MACHINE)
        case Platform.SNP:
            memory = _option(
                "memory-backend-memfd", id="ram0", size=f"{manifest.memory // MIB}M", share="true", prealloc="false"
            )
            machine = f"{MACHINE},confidential-guest-support=sev0,memory-backend=ram0"
            guest = _snp_guest(made, id_block)
            return (
                *("-accel", "kvm", "-machine", machine),
                *("-object", memory, "-object", guest, "-cpu", manifest.cpu),
            )
        case Platform.TDX:
            guest = _tdx_guest(made.host_data)
            machine = f"{MACHINE},kernel-irqchip=split,confidential-guest-support=tdx0,hpet=off"
            return ("-accel", "kvm", "-machine", machine, "-object", guest, "-cpu", "host")


def _snp_guest(made: Plan, id_block: tuple[IdBlock, IdAuth] | None) -> str:
    """The protection object. The C-bit is at 51 on every SNP processor so far (Milan to Turin)."""
    settings = {
        "id": "sev0",
        "cbitpos": "51",
        "reduced-phys-bits": "1",
        "policy": f"{made.policy:#x}",
        "kernel-hashes": "on",
        "host-data": _base64(made.host_data),
    }
    if id_block is not None:
        block, auth = id_block
        settings |= {"id-block": _base64(block.pack()), "id-auth": _base64(auth.pack())}
        if auth.author_key_algorithm is not KeyAlgorithm.NONE:
            settings["author-key-enabled"] = "on"
    return _option("sev-snp-guest", **settings)


def _tdx_guest(host_data: bytes) -> str:
    """The protection object: host data in MRCONFIGID, zeros after it, and where quotes are signed."""
    settings = {
        "id": "tdx0",
        "mrconfigid": _base64(host_data.ljust(MRCONFIGID_SIZE, b"\0")),
        "quote-generation-socket.type": "unix",
        "quote-generation-socket.path": QUOTE_SOCKET,
    }
    return _option("tdx-guest", **settings)


def _shape(manifest: Manifest, made: Plan) -> Iterator[str]:
    """Processors, memory, and what is booted: the part that the launch digest is about."""
    firmware, kernel, initrd, *_ = made.reads
    yield from ("-smp", str(manifest.cpus), "-m", f"{manifest.memory // MIB}M")
    yield from ("-bios", firmware, "-kernel", kernel, "-initrd", initrd, "-append", manifest.command_line)


def _devices(made: Plan, broker: tuple[str, int], pipe: Sequence[str]) -> Iterator[str]:
    """Console, monitor, network, disks, and the rehearsal processor's port."""
    protected = made.tee is not Platform.REHEARSAL
    *_, root, hashes = made.reads
    monitor = _option("socket", id="monitor", path=made.monitor_socket, server="on", wait="off")
    yield from ("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console")
    yield from ("-chardev", monitor, "-mon", "chardev=monitor,mode=control")
    yield from _network(broker, pipe, made.ports, protected=protected)
    yield from _disks(root, hashes, made.writes, protected=protected)
    if made.sp_socket is not None:
        yield from _processor_port(made.sp_socket)


def _network(
    broker: tuple[str, int], pipe: Sequence[str], ports: Sequence[PortSpec], *, protected: bool
) -> Iterator[str]:
    """User networking that reaches the broker at one address and nothing else, and the forwarded ports."""
    guest = guest_config.GUEST_ADDRESS
    inward = [f"hostfwd=tcp:127.0.0.1:{port.host}-{guest}:{port.guest}" for port in ports]
    command = shlex.join([*pipe, broker[0], str(broker[1])])
    outward = f"guestfwd=tcp:{guest_config.BROKER_ADDRESS}:{guest_config.BROKER_PORT}-cmd:{_escaped(command)}"
    yield from ("-netdev", ",".join(["user,id=net0,restrict=on,ipv6=off", *inward, outward]))
    device = _device("virtio-net-pci", guest_config.NETWORK_SLOT, protected=protected)
    yield from ("-device", f"{device},netdev=net0,romfile=")


def _disks(root: str, hashes: str, volumes: Sequence[str], *, protected: bool) -> Iterator[str]:
    """The root and its hashes read-only, then the volumes: raw bytes, and a flush is a flush."""
    disks = [
        ("root", root, guest_config.ROOT_SLOT),
        ("hashes", hashes, guest_config.HASH_SLOT),
        *((f"volume{n}", path, guest_config.VOLUME_SLOT + n) for n, path in enumerate(volumes)),
    ]
    for name, path, slot in disks:
        writable = name.startswith("volume")
        settings = {
            "node-name": name,
            "read-only": "off" if writable else "on",
            "cache.direct": "off",
            "cache.no-flush": "off",
            "file.driver": "file",
            "file.filename": path,
        }
        yield from ("-blockdev", _option("driver=raw", **settings))
        yield from ("-device", f"{_device('virtio-blk-pci', slot, protected=protected)},drive={name}")


def _processor_port(path: str) -> Iterator[str]:
    """The virtio-serial port behind which the rehearsal processor listens."""
    yield from ("-chardev", _option("socket", id="sp", path=path, server="off"))
    yield from ("-device", _device("virtio-serial-pci", guest_config.SERIAL_SLOT, protected=False) + ",id=serial0")
    yield from ("-device", f"virtserialport,bus=serial0.0,chardev=sp,name={guest_config.SP_PORT}")


def _device(kind: str, slot: int, *, protected: bool) -> str:
    """A virtio 1 device in a fixed slot; on hardware it goes through the DMA interface, hence shared memory."""
    return f"{kind},bus={BUS},addr={slot:#04x},disable-legacy=on{',iommu_platform=on' if protected else ''}"


def _option(head: str, **settings: str) -> str:
    """`head,name=value,…` with values escaped."""
    return ",".join([head, *(f"{name}={_escaped(value)}" for name, value in settings.items())])


def _escaped(value: str) -> str:
    """A value in which commas are doubled, as QEMU's option parser wants them."""
    return value.replace(",", ",,")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _within(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"


def _socket(run: str, name: str) -> str:
    path = _within(run, name)
    if len(path.encode()) > SOCKET_PATH_LIMIT:
        message = f"{path} is too long for a socket: {len(path.encode())} bytes, at most {SOCKET_PATH_LIMIT}"
        raise UsageError(message, hint="choose a shorter folder for the sockets")
    return path
