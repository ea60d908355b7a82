"""A known attack and what one piece of evidence says of it: excluded, not excluded, or more than it can tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import overload


class Standing(StrEnum):
    """What evidence says of one advisory."""

    EXCLUDED = "excluded"
    OPEN = "not-excluded"
    UNKNOWN = "cannot-tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One advisory as it stands for one piece of evidence.

    `because` is a phrase: what was found, and since what level the advisory is answered. `answerable` says whether
    some field of evidence from such a machine could exclude it at all, `behind` that it is open for want of newer
    firmware or microcode. `published` is None where that is not known, `data_of` where only the vendor's collateral
    names the advisory.
    """

    advisory: str
    title: str
    attacks: tuple[str, ...]
    cves: tuple[str, ...]
    published: date | None
    data_of: date | None
    source: str
    standing: Standing
    because: str
    answerable: bool
    behind: bool

    def as_json(self) -> dict[str, object]:
        """The eleven members that `--json` promises, always all of them."""
        return {
            "advisory": self.advisory,
            "title": self.title,
            "attacks": list(self.attacks),
            "cves": list(self.cves),
            "published": self.published.isoformat() if self.published else None,
            "data_of": self.data_of.isoformat() if self.data_of else None,
            "source": self.source,
            "standing": self.standing.value,
            "because": self.because,
            "answerable": self.answerable,
            "behind": self.behind,
        }


class JudgedLater(Sequence[Exposure]):
    """The exposures that `judge` returns, judged at the first look; it sees frozen values only, and cannot fail."""

    __slots__ = ("_judge", "_judged")

    def __init__(self, judge: Callable[[], tuple[Exposure, ...]]) -> None:
        self._judge = judge
        self._judged: tuple[Exposure, ...] | None = None

    def _read(self) -> tuple[Exposure, ...]:
        if self._judged is None:
            self._judged = self._judge()
        return self._judged

    @overload
    def __getitem__(self, at: int) -> Exposure: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Exposure, ...]: ...
    def __getitem__(self, at: int | slice) -> Exposure | tuple[Exposure, ...]:
        return self._read()[at]

    def __len__(self) -> int:
        return len(self._read())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._read() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._read())

    def __repr__(self) -> str:
        return repr(self._read())
