"""Unified kernel images: a PE program whose sections are a kernel, its initrd, its command line and more.

A stub at the head starts the kernel, and measures the sections first, in an order of its own, whatever their order in
the file. Which sections a stub knows depends on its version, which it carries in a section itself.
Source: UAPI Group Specification "Unified Kernel Image"; systemd-stub(7); systemd src/fundamental/uki.h.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from warily.errors import FormatError
from warily.formats.pe import PeImage, SectionHeader

# In the order of the measurement: section → the first version of systemd-stub that measures it. `.pcrsig`, the
# signature of the outcome, is never measured.
MEASURED: Final[Mapping[str, int]] = {
    ".linux": 252,
    ".osrel": 252,
    ".cmdline": 252,
    ".initrd": 252,
    ".ucode": 256,
    ".splash": 252,
    ".dtb": 252,
    ".uname": 254,
    ".sbat": 254,
    ".pcrpkey": 252,
    ".profile": 257,
    ".dtbauto": 257,
    ".hwids": 257,
    ".efifw": 258,
}
FIRST: Final = 252
PROFILES_SINCE: Final = 257
KERNEL: Final = ".linux"
PROFILE: Final = ".profile"
SIGNATURES: Final = ".pcrsig"
MAX_ZEROS: Final = 128 << 20  # in memory after the bytes of the file; a kernel asks for some tens of megabytes

# A stub takes one of several such sections by what machine it finds itself on, and none where none fits.
CHOSEN_BY_MACHINE: Final = (".dtbauto", ".efifw")

_MAGIC: Final = ".sdmagic"
_VERSION: Final = re.compile(rb"systemd-stub v?(\d{1,5})([0-9A-Za-z.~+:_^-]{0,80})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stub:
    """The stub's version, as it says of itself: `text` whole, `major` the number that counts."""

    text: str
    major: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Uki:
    """A unified kernel image. `stub` is None where the image does not say which stub it has.

    `base` has the sections before the first `.profile`, in the order of the file; `profiles` those of each profile,
    which begin with its `.profile`.
    """

    image: PeImage
    stub: Stub | None
    base: tuple[SectionHeader, ...]
    profiles: tuple[tuple[SectionHeader, ...], ...]

    @classmethod
    def parse(cls, data: bytes | memoryview, *, version: int | None = None) -> Self:
        """The image that `data` is. Raises `FormatError`, also for a PE image without a kernel in it.

        `version` is that of the stub where it is not what the image says.
        """
        image = PeImage.parse(data)
        starts = [index for index, part in enumerate(image.sections) if part.text == PROFILE]
        ends = [*starts[1:], len(image.sections)][: len(starts)]
        found = cls(
            image=image,
            stub=_stub(data, image.sections) if version is None else Stub(text=str(version), major=version),
            base=image.sections[: starts[0]] if starts else image.sections,
            profiles=tuple(image.sections[start:end] for start, end in zip(starts, ends, strict=True)),
        )
        if all(part.text != KERNEL for part in image.sections):
            raise FormatError("UKI: no .linux section", hint="this PE image is no unified kernel image")
        return found

    def measured(self, *, profile: int = 0, chosen: Mapping[str, int] | None = None) -> dict[str, SectionHeader]:
        """The sections that the stub measures, in its order: name → section. Raises `FormatError`.

        `profile` is the one that is started; 0 is the first, and what an image without profiles has. Where nobody
        says which stub it is, it is taken for the newest that is known. `chosen` tells which of the sections in
        `CHOSEN_BY_MACHINE` the machine takes (name → place among those of that name, from 0). Sections of size 0
        are as good as absent, as the stub sees them.
        """
        major = self.stub.major if self.stub else max(MEASURED.values())
        if major < FIRST:
            msg = f"UKI: systemd-stub {major} measures no sections; {FIRST} is the first that does"
            raise FormatError(msg)
        known = [name for name, since in MEASURED.items() if since <= major]
        if major < PROFILES_SINCE:
            _check_unambiguous(self.image.sections, known)
        found = _located(self.base, known, chosen or {})
        if profile or self.profiles:
            if profile >= len(self.profiles):
                msg = f"UKI: profile {profile} of {len(self.profiles)}"
                raise FormatError(msg)
            found |= _located(self.profiles[profile], known, chosen or {})
        sections = {name: found[name] for name in known if name in found and found[name].virtual_size}
        if KERNEL not in sections:
            raise FormatError("UKI: no kernel in the profile that is started")
        _check_zeros(sections.values())
        return sections

    def section(self, name: str) -> SectionHeader | None:
        """The first section of that name in the base part; None without one."""
        return next((part for part in self.base if part.text == name), None)


def _stub(data: bytes | memoryview, sections: Sequence[SectionHeader]) -> Stub | None:
    magic = next((part for part in sections if part.text == _MAGIC), None)
    if magic is None:
        return None
    said = _VERSION.search(bytes(magic.loaded(data)[:256]))
    return Stub(text=(said[1] + said[2]).decode("ascii"), major=int(said[1])) if said else None


def _located(
    sections: Iterable[SectionHeader], known: Sequence[str], chosen: Mapping[str, int]
) -> dict[str, SectionHeader]:
    """The first section of each known name; of those that the machine chooses, the chosen one or none."""
    found: dict[str, SectionHeader] = {}
    seen: dict[str, int] = {}
    for part in sections:
        name = part.text
        place = seen[name] = seen.get(name, -1) + 1
        if name in known and place == (chosen.get(name) if name in CHOSEN_BY_MACHINE else 0):
            found[name] = part
    return found


def _check_unambiguous(sections: Sequence[SectionHeader], known: Sequence[str]) -> None:
    """Stubs before 257 take the last section whose name *begins* as the one they look for."""
    for name in known:
        alike = [part.text for part in sections if part.text.startswith(name)]
        if len(alike) > 1 or alike[:1] not in ([], [name]):
            msg = f"UKI: sections {', '.join(sorted(alike))}: this stub knows no profiles and could take any for {name}"
            raise FormatError(msg)


def _check_zeros(sections: Iterable[SectionHeader]) -> None:
    zeros = sum(part.zeros for part in sections)
    if zeros > MAX_ZEROS:
        msg = f"UKI: sections ask for {zeros} zero bytes, over the limit of {MAX_ZEROS}"
        raise FormatError(msg)
