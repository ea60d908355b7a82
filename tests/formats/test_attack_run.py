"""The file of a laboratory's results."""

import pytest

from warily.errors import FormatError
from warily.formats.attack_run import AttackRow, AttackRun

ROW = AttackRow(id="acpi.ssdt", component="firmware", control="succeeded", verdict="refused", evidence="it held")
RUN = AttackRun(image="ledger", launch_digest=bytes(48), at="2026-12-01T12:00:00Z", attacks=(ROW,))


def test_a_run_is_read_as_it_was_written() -> None:
    assert AttackRun.decode(RUN.encode()) == RUN


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"warily/attacks/1", b"warily/attacks/2", "schema"),
        (b'"verdict":"refused"', b'"verdict":"fine"', "no verdict"),
        (b'"control":"succeeded"', b'"control":"maybe"', "no verdict"),
        (b'"image":', b'"more":1,"image":', "more"),
        (b"00" * 48, b"00" * 47, "launch_digest"),
    ],
)
def test_anything_else_is_malformed(old: bytes, new: bytes, why: str) -> None:
    text = RUN.encode()
    assert old in text
    with pytest.raises(FormatError, match=why):
        AttackRun.decode(text.replace(old, new, 1))


def test_an_id_stands_there_once() -> None:
    twice = AttackRun(image="x", launch_digest=bytes(48), at="", attacks=(ROW, ROW))
    with pytest.raises(FormatError, match="twice"):
        AttackRun.decode(twice.encode())


def test_newer_rows_take_the_place_of_older_ones() -> None:
    newer = AttackRow(id="acpi.ssdt", component="firmware", control="", verdict="succeeded", evidence="")
    other = AttackRow(id="a.b", component="devices", control="", verdict="refused", evidence="")
    run = RUN.with_rows([newer, other])
    assert run.attacks == (other, newer)
    assert run.lost.attacks == (newer,)
