"""Digests of IGVM files: what two other implementations make of them, and the rules in which they differ."""

import hashlib
import json

import pytest

from tests import igvm_files as files
from tests.conftest import ABSENT, vectors_folder
from warily.core.registers import Prediction
from warily.errors import FormatError, UsageError
from warily.formats.igvm import Igvm
from warily.formats.snp_page_info import PageType
from warily.measure.igvm import measure
from warily.measure.launch_digest import VMSA_GPA, LaunchDigest

FOLDER = vectors_folder() / "measure/igvm"
DATA = bytes(range(256)) * 16


def rows() -> list[object]:
    path = FOLDER / "igvm_vectors.json"
    if not path.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason=ABSENT))]
    return [pytest.param(row, id=row["file"]) for row in json.loads(path.read_text())]


@pytest.mark.parametrize("row", rows())
def test_every_row(row: dict[str, dict[str, str]]) -> None:
    """Microsoft's and Coconut's measuring code, run on these files. Where one failed, we measure and it said why."""
    data = (FOLDER / str(row["file"])).read_bytes()
    assert hashlib.sha256(data).hexdigest() == str(row["sha256"])
    results = row["results"]
    for platform, value in row["python_reference"].items():
        found = measure(Igvm.parse(data), platform)
        assert next(iter(found.registers.values())).hex() == value
        assert found.trace[-1].after == value
        if not results[f"ms_{platform}"].startswith("ERR"):
            assert results[f"ms_{platform}"] == value
        for name, theirs in (("igvmmeasure", "igvmmeasure"), ("native-zero", "igvmmeasure_native_zero")):
            if theirs in results and platform == "snp":
                assert candidate(found, name).hex() == results[theirs]


def candidate(found: Prediction, name: str) -> bytes:
    (value,) = (one.value for one in found.candidates if one.name == name)
    return value


def snp(*headers: tuple[int, bytes], data: bytes = DATA) -> Prediction:
    return measure(Igvm.parse(files.igvm([files.platform(1, files.SNP), files.policy(1), *headers], data)))


def chain(*pages: tuple[PageType, int, bytes | None]) -> bytes:
    digest = LaunchDigest()
    for kind, gpa, data in pages:
        digest.add(kind, gpa, bytes(48) if data is None else hashlib.sha384(data.ljust(4096, b"\0")).digest())
    return digest.value


def test_a_parameter_area_is_as_many_pages_as_it_has_and_one_for_igvmmeasure() -> None:
    found = snp(files.area(0, 0x4000), files.insert(0x10000, 0))
    pages = [(PageType.UNMEASURED, 0x10000 + at, None) for at in range(0, 0x4000, 0x1000)]
    assert found.registers["launch_digest"] == chain(*pages)
    assert candidate(found, "igvmmeasure") == chain(pages[0])


def test_a_large_page_is_512_small_ones() -> None:
    large = bytes(range(256)) * (2 << 12) * 1
    found = snp(files.page(0x200000, files.DATA, flags=1), data=large)
    assert len(large) == 2 << 20
    pages = [(PageType.NORMAL, 0x200000 + at, large[at : at + 4096]) for at in range(0, len(large), 4096)]
    assert found.registers["launch_digest"] == chain(*pages)
    assert len(found.trace) == 1


def test_kvm_measures_one_processor_last_where_it_pleases() -> None:
    vmsa = bytearray(files.VMSA)
    headers = (
        files.processor(0x7000, files.DATA),
        files.processor(0x8000, files.DATA, index=1),
        files.page(0x1000, 0),
    )
    found = snp(*headers, data=bytes(vmsa))
    forced = vmsa.copy()
    forced[0x158:0x160] = (0x30 | vmsa[0x158] & 1).to_bytes(8, "little")
    zeros = (PageType.NORMAL, 0x1000, b"")
    assert found.registers["launch_digest"] == chain(
        (PageType.VMSA, 0x7000, bytes(vmsa)), (PageType.VMSA, 0x8000, bytes(vmsa)), zeros
    )
    assert candidate(found, "kvm") == chain(zeros, (PageType.VMSA, VMSA_GPA, bytes(forced)))


def test_an_id_block_shows_what_it_demands() -> None:
    block = bytearray(0x2B8)
    block[0] = 1
    block[8:56] = bytes(range(48))
    found = snp(files.page(0, files.DATA), (0x30B, bytes(block)))
    assert found.registers["id_block"] == bytes(range(48))
    assert set(found.registers) == {"launch_digest", "id_block"}


def test_both_platforms_are_measured_unless_one_is_named() -> None:
    masks = [files.platform(1, files.SNP), files.platform(2, files.TDX)]
    file = Igvm.parse(files.igvm([*masks, files.page(0, files.DATA, mask=3), files.page(0x1000, 0, mask=2)], DATA))
    both = measure(file)
    assert set(both.registers) == {"launch_digest", "mrtd"}
    assert measure(file, "tdx").registers == {"mrtd": both.registers["mrtd"]}
    assert both.registers["launch_digest"] == chain((PageType.NORMAL, 0, DATA))


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(UsageError, match="for tdx, not for snp"):
        measure(Igvm.parse(files.igvm([files.platform(1, files.TDX)])), "snp")
    with pytest.raises(UsageError, match="no platform"):
        measure(Igvm.parse(files.igvm([])))
    with pytest.raises(FormatError, match="inserted and not declared"):
        snp(files.insert(0x1000, 4))
    with pytest.raises(FormatError, match="declared twice"):
        snp(files.area(0, 4096), files.area(0, 4096))
    with pytest.raises(FormatError, match="VMSA of processor 0 is not"):
        snp(files.processor(0x7000, files.DATA), data=bytes(100))
    many = [files.page(at << 21, 0, flags=1) for at in range(3)] + [files.area(0, 64 << 20)]
    with pytest.raises(FormatError, match="over the limit"):
        snp(*many, *[files.insert(at << 26, 0) for at in range(80)])


def test_each_page_may_be_a_step() -> None:
    headers = [files.platform(1, files.SNP), files.page(0, files.DATA), files.page(0x1000, files.DATA)]
    file = Igvm.parse(files.igvm(headers, DATA))
    assert [step.input for step in measure(file).trace] == ["data: 2 pages"]
    assert [step.at for step in measure(file, each_page=True).trace] == [0, 0x1000]
    assert measure(file).trace[-1].after == measure(file, each_page=True).trace[-1].after
