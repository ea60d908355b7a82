"""PCR 11, compared with what systemd-measure computes for the same sections."""

import json
from pathlib import Path

import pytest

from tests.uki_images import assemble, minimal_stub
from warily.errors import UsageError
from warily.formats.uki import CHOSEN_BY_MACHINE
from warily.measure.boot import fold
from warily.measure.uki import phase_events, section_events, uki_events


def rows(vectors: Path) -> list[tuple[dict[str, bytes], dict[str, list[dict[str, str]]]]]:
    folder = vectors / "measure"
    found = json.loads((folder / "pcr" / "pcr11_systemd_measure_262.json").read_text())
    assert len(found) == 10
    return [
        ({f".{name}": (folder / file).read_bytes() for name, file in row["sections"].items()}, row["result"])
        for row in found
    ]


def test_sections_and_phases_lead_to_what_systemd_measure_says(vectors: Path) -> None:
    for sections, result in rows(vectors):
        events = section_events(sections, algorithms=list(result))
        for bank, values in result.items():
            assert len(values) == 5
            for value in values:
                found = fold([*events, *phase_events(value.get("phase", ""))], bank)
                assert found.registers["pcr11"].hex() == value["hash"]


def test_an_image_of_these_sections_leads_to_the_same(vectors: Path) -> None:
    for sections, result in rows(vectors):
        image = assemble(minimal_stub(version="262"), list(reversed(sections.items())))
        chosen = dict.fromkeys(CHOSEN_BY_MACHINE, 0)
        events = uki_events(image, algorithms=["sha256"], chosen=chosen)
        assert fold(events, "sha256").registers["pcr11"].hex() == result["sha256"][0]["hash"]


def test_zeros_in_memory_count() -> None:
    image = assemble(minimal_stub(), [(".linux", b"kernel")], virtual={".linux": 2_000_000})
    whole = section_events({".linux": b"kernel".ljust(2_000_000, b"\0")}, algorithms=["sha384"])
    assert fold(uki_events(image, algorithms=["sha384"]), "sha384").registers == fold(whole, "sha384").registers


def test_a_profile_that_is_not_the_first_is_a_parameter() -> None:
    image = assemble(minimal_stub(), [(".linux", b"k"), (".profile", b"ID=a"), (".profile", b"ID=b")])
    assert set(fold(uki_events(image, algorithms=["sha256"]), "sha256").registers) == {"pcr11"}
    assert set(fold(uki_events(image, algorithms=["sha256"], profile=1), "sha256").registers) == {"pcr11", "pcr12"}


@pytest.mark.parametrize("path", ["enter-initrd:", ":", "x" * 300, ":".join("a" * 100)])
def test_paths_that_are_none_are_refused(path: str) -> None:
    with pytest.raises(UsageError):
        phase_events(path)


@pytest.mark.parametrize("sections", [{}, {".linux": b""}, {".linux": b"k", ".pcrsig": b"s"}, {"linux": b"k"}])
def test_sections_that_no_stub_measures_are_refused(sections: dict[str, bytes]) -> None:
    with pytest.raises(UsageError):
        section_events(sections, algorithms=["sha256"])
