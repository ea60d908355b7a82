"""Builds that a value may be near though no search led to it: what of them was excluded, and what was not.

Nothing here is a proof. A digest does not say how near it is to another; what is left once all that can be tried was
tried are inputs whose content nobody has. Other registers of the same evidence that a build explains narrow it down.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from warily.core.declaration import Platform
from warily.explain import words
from warily.explain.answer import ChangedInput, Nearest
from warily.explain.boots import Boot, by_register, label, said
from warily.explain.builds import Build
from warily.explain.launch import Launch

LAUNCH: Final = "launch_digest"
LAUNCH_SIZE: Final = 48
MRTD: Final = "mrtd"
UNKNOWN: Final = "unknown: nothing that was named has this content"
_ALGORITHMS: Final = {20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}
_LAUNCH_BECAUSE: Final = (
    "not proven: no number of vCPUs, CPU model, kind of host or known file, and no likely word, leads to this value; "
    "what is left are contents that nobody has"
)


def nearest(
    launches: Iterable[tuple[Launch, Build]],
    boots: Iterable[Boot],
    *,
    register: str,
    size: int,
    agreeing: Mapping[str, int],
) -> Iterator[Nearest]:
    """Each build once whose launches or boots have such a register, with the inputs that were not excluded."""
    if size == LAUNCH_SIZE and register in ("", LAUNCH):
        seen = set()
        ordered = sorted(launches, key=lambda pair: pair[0].firmware.rule.platform is Platform.REHEARSAL)
        for launch, build in ordered:
            if id(build) not in seen:
                seen.add(id(build))
                yield _of_launch(launch, build)
    if register == MRTD:
        yield from _of_firmware(boots)
    elif register and register != LAUNCH:
        yield from _of_boots(boots, register, _ALGORITHMS.get(size, ""), agreeing)


def _of_launch(launch: Launch, build: Build) -> Nearest:
    """What a launch digest is of, less what a search tries whole: the contents of files, and many words."""
    parts = [("firmware", f"{launch.firmware.name} sha256:{launch.firmware.sha256.hex()}")]
    if launch.kernel is not None:
        parts = [
            *_root(launch.line),
            ("initrd", f"{launch.initrd.name} sha256:{launch.initrd.sha256.hex()}"),
            ("kernel", f"{launch.kernel.name} sha256:{launch.kernel.sha256.hex()}"),
            (words.COMMAND_LINE, words.show(launch.line)),
            *parts,
        ]
    inputs = tuple(ChangedInput(name=name, was=was, now=UNKNOWN) for name, was in parts)
    fields = {"file": build.where, "platform": launch.firmware.rule.platform.value, "register": LAUNCH}
    return Nearest(manifest=build.name, inputs=inputs, certain=False, because=_LAUNCH_BECAUSE, fields=fields)


def _root(line: bytes) -> list[tuple[str, str]]:
    root = words.root_hash_of(line)
    return [(words.ROOT_HASH, root)] if root else []


def _of_firmware(boots: Iterable[Boot]) -> Iterator[Nearest]:
    """The builds for TDX: their firmware is all that MRTD is of."""
    builds = {id(boot.build): boot.build for boot in boots if boot.platform == Platform.TDX}
    for build in builds.values():
        parts = build.manifest.ingredients if build.manifest else ()
        was = next((f"{part.name} sha256:{part.sha256.hex()}" for part in parts if part.role == "firmware-tdx"), "")
        yield Nearest(
            manifest=build.name,
            inputs=(ChangedInput(name="firmware", was=was, now=UNKNOWN),),
            certain=False,
            because="not proven: MRTD is of the firmware alone, and no firmware that was named has it",
            fields={"file": build.where, "platform": Platform.TDX.value, "register": MRTD},
        )


def _of_boots(boots: Iterable[Boot], register: str, algorithm: str, agreeing: Mapping[str, int]) -> Iterator[Nearest]:
    seen = set()
    for boot in boots:
        events = by_register(boot).get(register, [])
        if id(boot.build) in seen or algorithm not in boot.algorithms or not events:
            continue
        seen.add(id(boot.build))
        inputs = {
            label(event): ChangedInput(name=label(event), was=said(event, algorithm), now=UNKNOWN)
            for _, event in events
            if event.ingredient
        }
        others = agreeing.get(boot.build.where, 0)
        because = f"not proven: no known file, size of memory or likely word leads to this {register}"
        if others:
            because += f"; other registers of the same evidence that are this build's: {others}"
        yield Nearest(
            manifest=boot.build.name,
            inputs=tuple(inputs.values()),
            certain=False,
            because=because,
            fields={"file": boot.build.where, "platform": boot.platform, "register": register},
        )
