"""The guest's own account of itself at one instant: sampled evidence, bound into REPORT_DATA.

It is worth what the measured software that wrote it is worth: grade E1, never more.
"""

from dataclasses import dataclass
from typing import Final, Self

from warily.formats._json import JsonObject, canonical

MEDIA_TYPE: Final = "application/vnd.warily.guest-state+json"
LABEL: Final = "state"
LIMIT: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestState:
    """What the guest's software saw of its own kernel.

    `lockdown` is the kernel's mode (`none`, `integrity`, `confidentiality`); the two latches cannot be
    undone until the next boot; `devices` lists `bus/address driver` of every bound PCI and virtio device;
    `listening` the TCP ports with a listener (`address:port`).
    """

    kernel: str
    command_line: str
    lockdown: str
    modules_disabled: bool
    kexec_disabled: bool
    hibernation: bool
    swaps: int
    root_is_verity: bool
    devices: tuple[str, ...]
    unbound: tuple[str, ...]
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
                "devices": list(self.devices),
                "unbound": list(self.unbound),
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
            devices=top.texts("devices"),
            unbound=top.texts("unbound"),
            listening=top.texts("listening"),
            modules=top.texts("modules"),
        )
        top.finish()
        return made
