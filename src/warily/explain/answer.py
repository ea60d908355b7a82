"""What explaining a value leads to: what it is, or what it nearly is and because of which inputs it is not."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from warily.formats._record import record

_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


@record
class ChangedInput:
    """One input of a measurement: what a known build has, and what leads to the value. Empty: nothing there.

    `packages` are the packages that changed with it, where lists of both sides are known.
    """

    name: str
    was: str
    now: str
    packages: tuple["ChangedInput", ...] = ()

    def as_json(self) -> dict[str, object]:
        """The object in `inputs`; `packages` only where some are known."""
        found: dict[str, object] = {"name": self.name, "was": self.was, "is": self.now}
        return found | {"packages": [entry.as_json() for entry in self.packages]} if self.packages else found

    def __str__(self) -> str:
        said = f"{self.name}: {self.was or 'nothing'} → {self.now or 'nothing'}"
        return said + "".join(f"; {entry}" for entry in self.packages)


@record
class Known:
    """A value that is known. `sentence` says what it is, `fields` the same by name.

    A value for a shape of machine that the manifest does not declare is known too.
    """

    value: bytes
    sentence: str
    fields: Mapping[str, object]

    def as_json(self) -> dict[str, object]:
        """The object in `known`."""
        return {"value": self.value.hex(), "sentence": self.sentence, **self.fields}


@record
class Nearest:
    """A known build and the inputs that, changed, give the value. `certain`: with them, it is exactly the value.

    Where it is not certain, `because` says by what the build was found to be near.
    """

    manifest: str
    inputs: tuple[ChangedInput, ...]
    certain: bool
    because: str
    fields: Mapping[str, object] = _NOTHING

    def as_json(self) -> dict[str, object]:
        """The object in `nearest`."""
        inputs = [entry.as_json() for entry in self.inputs]
        head = {"manifest": self.manifest, "inputs": inputs, "certain": self.certain, "because": self.because}
        return head | dict(self.fields)


@record
class Answer:
    """What is known of one value or of a file's, and what the rest is nearest to. `searched` counts candidates."""

    known: tuple[Known, ...]
    nearest: tuple[Nearest, ...]
    searched: int = 0

    def as_json(self) -> dict[str, object]:
        """The object that `warily explain --json` prints."""
        return {
            "known": [entry.as_json() for entry in self.known],
            "nearest": [entry.as_json() for entry in self.nearest],
            "searched": self.searched,
        }
