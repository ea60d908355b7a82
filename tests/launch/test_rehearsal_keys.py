"""The rehearsal's keys: made once, private, named for what they are, and shaped like AMD's."""

import stat
from pathlib import Path

import pytest
from cryptography import x509

from warily.errors import HostError
from warily.formats import pem
from warily.formats.snp_report import Tcb, TcbLayout
from warily.formats.x509 import Certificate
from warily.launch import rehearsal_keys
from warily.launch.rehearsal_keys import LEVELS, ORGANISATION, Hierarchy, hierarchy, rehearsal_root
from warily.verify.snp.leaf import read_leaf
from warily.verify.x509 import is_signed_by


def test_the_chain_is_amds_in_shape(keys: Hierarchy) -> None:
    ark, ask, vcek = (Certificate.decode(der) for der in (keys.ark, keys.ask, keys.vcek))
    assert is_signed_by(ark, ark)
    assert is_signed_by(ask, ark)
    assert is_signed_by(vcek, ask)
    assert not vcek.is_authority
    leaf = read_leaf(keys.vcek)
    assert leaf is not None
    assert (leaf.product_name, leaf.hardware_id) == ("Genoa", keys.chip_id)
    assert leaf.tcb(TcbLayout.LEGACY) == LEVELS.encode()
    assert Tcb.decode(LEVELS.encode(), TcbLayout.LEGACY) == LEVELS


def test_extensions_are_encoded_as_in_a_genuine_vcek(keys: Hierarchy, vectors: Path) -> None:
    text = (vectors / "evidence/snp/genoa_v3_aci_microsoft/vcek.pem").read_bytes()
    genuine = Certificate.decode(pem.decode_blocks(text)[0].der)

    def shape(certificate: Certificate) -> dict[str, tuple[bool, bytes]]:
        """Order, criticality, and the bytes; for the chip's identity their number."""
        return {
            oid: (extension.critical, bytes(64) if oid.endswith("3704.1.4") else extension.value[:2])
            for oid, extension in certificate.extensions.items()
        }

    ours = Certificate.decode(keys.vcek)
    assert list(shape(ours).items()) == list(shape(genuine).items())
    assert len(ours.extensions["1.3.6.1.4.1.3704.1.4"].value) == len(genuine.extensions["1.3.6.1.4.1.3704.1.4"].value)


def test_every_name_says_rehearsal(keys: Hierarchy) -> None:
    for der in (keys.ark, keys.ask, keys.vcek):
        certificate = x509.load_der_x509_certificate(der)
        for name in (certificate.subject, certificate.issuer):
            assert ORGANISATION in name.rfc4514_string().replace("\\", "")
            assert "Advanced Micro Devices" not in name.rfc4514_string()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller keys, where only the files matter."""
    monkeypatch.setattr(rehearsal_keys, "RSA_BITS", 1024)


@pytest.mark.usefixtures("quick")
def test_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "keys"
    first = hierarchy(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert rehearsal_root(folder) == first.ark == hierarchy(folder).ark
    assert hierarchy(folder).signing_key.private_numbers() == first.signing_key.private_numbers()
    assert [path.name for path in folder.parent.iterdir()] == ["keys"]
    assert hierarchy(tmp_path / "b").ark != first.ark


@pytest.mark.usefixtures("quick")
def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    assert hierarchy(folder).ark == rehearsal_root(folder)


@pytest.mark.usefixtures("quick")
def test_of_two_first_uses_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "keys"
    make = rehearsal_keys._files
    others: list[Hierarchy] = []

    def while_another_makes_them() -> dict[str, bytes]:
        monkeypatch.setattr(rehearsal_keys, "_files", make)
        others.append(hierarchy(folder))
        return make()

    monkeypatch.setattr(rehearsal_keys, "_files", while_another_makes_them)
    assert hierarchy(folder).ark == others[0].ark


@pytest.mark.usefixtures("quick")
def test_what_is_not_ours_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    hierarchy(folder)
    (folder / "vcek.key").write_bytes((folder / "ark.key").read_bytes())
    with pytest.raises(HostError, match="does not hold the keys"):
        hierarchy(folder)
    (folder / "vcek.key").unlink()
    with pytest.raises(HostError, match="does not hold the keys"):
        hierarchy(folder)
    folder.chmod(0o755)
    with pytest.raises(HostError, match="open to others"):
        hierarchy(folder)
