"""The file in which a project keeps what `warily attack` found out about its image."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from warily.errors import FormatError, HostError
from warily.formats.attack_run import LIMIT, AttackRow, AttackRun

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warily.adversary.attack import Outcome
    from warily.core.manifest import Manifest


def stored(path: Path) -> AttackRun | None:
    """The run that the file holds; None where there is none. Raises `FormatError`."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return AttackRun.decode(file.read(LIMIT + 1))


def store(path: Path, manifest: "Manifest", outcomes: "Iterable[Outcome]") -> None:
    """The file holds these rows, and those of earlier runs on the very same image. Raises `HostError`."""
    from warily.core.declaration import Platform  # noqa: PLC0415  # reading a run does without it

    digest = min(manifest.values(Platform.REHEARSAL, "launch_digest"))
    now = datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: TID251  # it acts in the present
    fresh = AttackRun(image=manifest.name, launch_digest=digest, at=now, attacks=())
    try:
        kept = stored(path)
    except FormatError:  # of another version, or not ours: what is found out now takes its place
        kept = None
    rows = kept.attacks if kept is not None and kept.launch_digest == digest else ()
    run = fresh.with_rows(rows).with_rows(_row(outcome) for outcome in outcomes)
    try:
        path.write_bytes(run.encode())
    except OSError as error:
        message = f"cannot write {path}: {error.strerror or error}"
        raise HostError(message) from None


def _row(outcome: "Outcome") -> AttackRow:
    return AttackRow(
        id=outcome.attack.id,
        component=outcome.attack.component,
        control="" if outcome.control is None else outcome.control.verdict.value,
        verdict=outcome.image.verdict.value,
        evidence=outcome.image.line,
    )
