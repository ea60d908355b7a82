"""The guest's own account of itself at one instant: sampled evidence, bound into REPORT_DATA.

It is worth what the measured software that wrote it is worth: grade E1, never more.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from warily.errors import FormatError
from warily.formats._json import JsonObject, canonical

MEDIA_TYPE: Final = "application/vnd.warily.guest-state+json"
LABEL: Final = "state"
LIMIT: Final = 1 << 20
MOST_DEVICES: Final = 4096
_DEVICE: Final = re.compile(r"([!-~]{1,128}) ([0-9a-f:]{1,64})(?: ([!-~]{1,64}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device as the kernel lists it.

    `at` is `bus/address`, where a virtio device has the address of the PCI function it is behind; `identity` is
    `vendor:device:class` on PCI and `vendor:device` on virtio; `driver` is empty where none is bound.
    """

    at: str
    identity: str
    driver: str = ""

    def __str__(self) -> str:
        return f"{self.at} {self.identity}{f' {self.driver}' if self.driver else ''}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The device whose text this is. Raises `FormatError`."""
        found = _DEVICE.fullmatch(text)
        if found is None:
            msg = f"guest state: {text[:80]!r} is no device"
            raise FormatError(msg)
        return cls(at=found[1], identity=found[2], driver=found[3] or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestState:
    """What the guest's software saw of its own kernel.

    `lockdown` is the kernel's mode (`none`, `integrity`, `confidentiality`); the two latches cannot be
    undone until the next boot; `devices` are all PCI and virtio devices, bound or not; `released` those that a
    driver of the kernel had taken before the first program took them away from it; `autoprobe` the buses on which
    the kernel still binds what appears; `listening` the TCP ports with a listener (`address:port`).
    """

    kernel: str
    command_line: str
    lockdown: str
    modules_disabled: bool
    kexec_disabled: bool
    hibernation: bool
    swaps: int
    root_is_verity: bool
    devices: tuple[Device, ...]
    released: tuple[Device, ...]
    autoprobe: tuple[str, ...]
    listening: tuple[str, ...]
    modules: tuple[str, ...]

    def encode(self) -> bytes:
        """The state as JSON."""
        return canonical(
            {
                "kernel": self.kernel,
                "command_line": self.command_line,
                "lockdown": self.lockdown,
                "modules_disabled": self.modules_disabled,
                "kexec_disabled": self.kexec_disabled,
                "hibernation": self.hibernation,
                "swaps": self.swaps,
                "root_is_verity": self.root_is_verity,
                "devices": list(map(str, self.devices)),
                "released": list(map(str, self.released)),
                "autoprobe": list(self.autoprobe),
                "listening": list(self.listening),
                "modules": list(self.modules),
            }
        )

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The state that `text` holds. Raises `FormatError`."""
        top = JsonObject.parse(text, what="guest state", limit=LIMIT)
        made = cls(
            kernel=top.text("kernel", limit=256),
            command_line=top.text("command_line"),
            lockdown=top.text("lockdown", limit=32),
            modules_disabled=top.flag("modules_disabled"),
            kexec_disabled=top.flag("kexec_disabled"),
            hibernation=top.flag("hibernation"),
            swaps=top.number("swaps"),
            root_is_verity=top.flag("root_is_verity"),
            devices=tuple(map(Device.parse, top.texts("devices", limit=MOST_DEVICES))),
            released=tuple(map(Device.parse, top.texts("released", limit=MOST_DEVICES))),
            autoprobe=top.texts("autoprobe"),
            listening=top.texts("listening"),
            modules=top.texts("modules"),
        )
        top.finish()
        return made
