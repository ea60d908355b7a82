"""What a laboratory found out about one image, as JSON: which attacks were mounted, and what became of each.

    {"schema", "image", "launch_digest", "at", "attacks": [{"id", "component", "control", "verdict", "evidence"}]}

`control` is the verdict on the control, empty where none was asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Self

from warily.errors import FormatError
from warily.formats._json import JsonObject, canonical

SCHEMA: Final = "warily/attacks/1"
LIMIT: Final = 1 << 20
MAX_ROWS: Final = 1024
DIGEST_SIZE: Final = 48
REFUSED, DETECTED, SUCCEEDED, UNDECIDED = "refused", "detected", "succeeded", "undecided"
VERDICTS: Final = (REFUSED, DETECTED, SUCCEEDED, UNDECIDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackRow:
    """One attack: its id, the component that it is on, and its verdicts with what the image's rests on."""

    id: str
    component: str
    control: str
    verdict: str
    evidence: str

    @property
    def means_something(self) -> bool:
        """It succeeded on the control, so that a refusal is the image's own merit."""
        return self.control == SUCCEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackRun:
    """The rows of one image. `launch_digest` is that of its rehearsal; `at` is when the last row was made, RFC 3339."""

    image: str
    launch_digest: bytes
    at: str
    attacks: tuple[AttackRow, ...]

    @property
    def lost(self) -> Self:
        """The run with the attacks that succeeded, and no others."""
        return replace(self, attacks=tuple(row for row in self.attacks if row.verdict == SUCCEEDED))

    def with_rows(self, rows: Iterable[AttackRow]) -> Self:
        """The run with these rows in place of those of the same ids, sorted."""
        found = {row.id: row for row in self.attacks} | {row.id: row for row in rows}
        return replace(self, attacks=tuple(found[name] for name in sorted(found)))

    def encode(self) -> bytes:
        """The run as JSON."""
        rows = [
            {
                "id": row.id,
                "component": row.component,
                "control": row.control,
                "verdict": row.verdict,
                "evidence": row.evidence,
            }
            for row in self.attacks
        ]
        return canonical(
            {
                "schema": SCHEMA,
                "image": self.image,
                "launch_digest": self.launch_digest.hex(),
                "at": self.at,
                "attacks": rows,
            }
        )

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The run that `text` holds. Raises `FormatError`."""
        top = JsonObject.parse(text, what="attacks", limit=LIMIT)
        schema = top.text("schema", limit=64)
        if schema != SCHEMA:
            msg = f"attacks: schema {schema!r}, not {SCHEMA}"
            raise FormatError(msg)
        made = cls(
            image=top.text("image", limit=64),
            launch_digest=top.hexadecimal("launch_digest", width=DIGEST_SIZE),
            at=top.text("at", limit=64),
            attacks=tuple(_row(entry) for entry in top.objects("attacks", limit=MAX_ROWS)),
        )
        top.finish()
        if len({row.id for row in made.attacks}) != len(made.attacks):
            raise FormatError("attacks: an id appears twice")
        return made


def _row(entry: JsonObject) -> AttackRow:
    made = AttackRow(
        id=entry.text("id", limit=64),
        component=entry.text("component", limit=64),
        control=entry.text("control", limit=16),
        verdict=entry.text("verdict", limit=16),
        evidence=entry.text("evidence", limit=1024),
    )
    entry.finish()
    if made.verdict not in VERDICTS or made.control not in ("", *VERDICTS):
        msg = f"{entry.what}: no verdict is {made.verdict!r}, or {made.control!r}"
        raise FormatError(msg)
    return made
