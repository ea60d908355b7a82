"""Packages that differ between two lists of them, by name and version."""

from collections.abc import Iterable

from warily.core.sbom import Component
from warily.explain.answer import ChangedInput


def changed_packages(before: Iterable[Component], after: Iterable[Component]) -> tuple[ChangedInput, ...]:
    """The packages that came, went, or have another version; the same version with other bytes is said to be so."""
    was, now = _by_name(before), _by_name(after)
    found = []
    for name in sorted(was.keys() | now.keys()):
        old, new = was.get(name, {}), now.get(name, {})
        if old.keys() != new.keys():
            gone = ", ".join(sorted(old.keys() - new.keys()))
            come = ", ".join(sorted(new.keys() - old.keys()))
            found.append(ChangedInput(name=f"package {name}", was=gone, now=come))
            continue
        for version, digest in old.items():
            if digest and new[version] and digest != new[version]:
                mine, theirs = digest.hex()[:16], new[version].hex()[:16]
                found.append(
                    ChangedInput(name=f"package {name}", was=f"{version} ({mine}…)", now=f"{version} ({theirs}…)")
                )
    return tuple(found)


def _by_name(packages: Iterable[Component]) -> dict[str, dict[str, bytes]]:
    """Name → version → SHA-256. A package may be there in several versions."""
    found: dict[str, dict[str, bytes]] = {}
    for package in packages:
        found.setdefault(package.name, {})[package.version] = package.sha256
    return found
