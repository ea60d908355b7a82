"""What a built image tells its guest, and where on the bus the guest's devices are.

The file is `/usr/lib/warily/guest.json` in the verity-protected root, hence part of the measurement.
Devices are chosen by PCI slot, fixed here, never by what the host calls them.
"""

from dataclasses import dataclass
from typing import Final, Self

from warily.formats._json import JsonObject, canonical

PATH: Final = "/usr/lib/warily/guest.json"
LIMIT: Final = 1 << 16

# PCI slots on bus 0, function 0. Volume n is at VOLUME_SLOT + n.
NETWORK_SLOT: Final = 0x07
SERIAL_SLOT: Final = 0x08
ROOT_SLOT: Final = 0x10
HASH_SLOT: Final = 0x11
VOLUME_SLOT: Final = 0x12

# What every q35 machine has besides: the host bridge and the bridge to its old ports. No driver is bound to them.
CHIPSET: Final = frozenset(
    {("pci/0000:00:00.0", "8086:29c0:060000"), ("pci/0000:00:1f.0", "8086:2918:060100")},
)

SP_PORT: Final = "warily.sp.0"  # the virtio-serial port of the rehearsal AMD-SP

# The one network a guest sees: QEMU's user networking, with the broker at one address.
GUEST_ADDRESS: Final = "10.0.2.15"
NETMASK: Final = "255.255.255.0"
BROKER_ADDRESS: Final = "10.0.2.100"
BROKER_PORT: Final = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestVolume:
    """A volume as the guest must find it; nothing about its layout is read from the disk. Size in bytes."""

    name: str
    size: int
    mount: str
    cipher: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestConfig:
    """The image's name, its volumes in slot order, and the TCP ports on which it may be reached."""

    name: str
    volumes: tuple[GuestVolume, ...]
    ports: tuple[int, ...]

    def encode(self) -> bytes:
        """The file's content."""
        volumes = [{"name": v.name, "size": v.size, "mount": v.mount, "cipher": v.cipher} for v in self.volumes]
        return canonical({"name": self.name, "volumes": volumes, "ports": list(self.ports)})

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The configuration that `text` holds. Raises `FormatError`."""
        top = JsonObject.parse(text, what="guest.json", limit=LIMIT)
        made = cls(
            name=top.text("name", limit=64),
            volumes=tuple(_volume(entry) for entry in top.objects("volumes", limit=16)),
            ports=top.numbers("ports", limit=64),
        )
        top.finish()
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A device that an image has a use for: the slot, what must be found there, and the driver that gets it.

    `identity` is `vendor:device:class` of the PCI function, `kind` is `vendor:device` on the virtio bus, both in
    hexadecimal (VIRTIO 1.2, sections 4.1.2 and 5).
    """

    slot: int
    identity: str
    kind: str
    driver: str

    @property
    def address(self) -> str:
        """The PCI function's name in /sys."""
        return f"0000:00:{self.slot:02x}.0"


def declared(volumes: int, *, rehearsal: bool) -> tuple[Declared, ...]:
    """The devices of an image with so many volumes. The port of the stand-in processor is one in rehearsals alone."""
    disks = [_disk(slot) for slot in (ROOT_SLOT, HASH_SLOT, *range(VOLUME_SLOT, VOLUME_SLOT + volumes))]
    network = Declared(slot=NETWORK_SLOT, identity="1af4:1041:020000", kind="1af4:0001", driver="virtio_net")
    port = Declared(slot=SERIAL_SLOT, identity="1af4:1043:078000", kind="1af4:0003", driver="virtio_console")
    return (network, *([port] if rehearsal else []), *disks)


def _disk(slot: int) -> Declared:
    return Declared(slot=slot, identity="1af4:1042:010000", kind="1af4:0002", driver="virtio_blk")


def _volume(entry: JsonObject) -> GuestVolume:
    made = GuestVolume(
        name=entry.text("name", limit=64),
        size=entry.number("size", low=1 << 20),
        mount=entry.text("mount", limit=256),
        cipher=entry.text("cipher", limit=64),
    )
    entry.finish()
    return made
