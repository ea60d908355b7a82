"""Evidence and what came with it, out of the files that a verb was given.

A TPM's quote may come in pieces, as tpm2-tools write them: the quote itself is the evidence, and its signature and the
registers' values are found by their content among the files of --collateral, or beside it under the same name.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from warily.cli.inputs import read_collateral, read_file
from warily.core.evidence import Evidence

MAX_BESIDE: Final = 16


def read_evidence(path: Path, collateral: Sequence[Path]) -> tuple[Evidence, list[bytes]]:
    """The evidence in the file, and the content of all collateral that is no piece of it."""
    from warily.verify import recognise, recognise_tpm  # noqa: PLC0415  # `warily --help` does without cryptography

    data = read_file(path)
    if not recognise_tpm.is_quote_alone(data):
        return recognise.evidence_from(data), [*read_collateral(collateral), *recognise.collateral_beside(data)]
    files = [entry for entry in collateral if not entry.is_dir()]
    folders = [entry for entry in collateral if entry.is_dir()]
    evidence, rest = recognise_tpm.from_parts(data, map(read_file, files), beside=_beside(path))
    return evidence, [*rest, *read_collateral(folders)]


def keys_given(collateral: Iterable[Path]) -> frozenset[bytes]:
    """SHA-256 of the public keys in PEM files that were named one by one: whoever names a key trusts it.

    Nothing else could vouch for a bare key. A key in a folder was named by nobody.
    """
    from warily.verify import recognise_tpm  # noqa: PLC0415  # `warily --help` does without cryptography

    return frozenset(key for path in collateral if not path.is_dir() for key in recognise_tpm.keys_in(read_file(path)))


def _beside(path: Path) -> Iterator[bytes]:
    """The content of the files in the same folder that have the same name but for the last suffix."""
    found = sorted(entry for entry in path.parent.glob("*") if entry.stem == path.stem and entry != path)
    for entry in found[:MAX_BESIDE]:
        if entry.is_file():
            yield read_file(entry)
