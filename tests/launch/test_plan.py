"""Plans: three golden command lines, escaping, and what is refused."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.core.declaration import Platform
from warily.core.manifest import Manifest, PortSpec, VolumeSpec
from warily.errors import UsageError
from warily.formats.snp_id_block import NO_KEY, NO_SIGNATURE, IdAuth, IdBlock, KeyAlgorithm
from warily.launch.plan import Accelerator, Plan, plan

GOLDEN = Path(__file__).parent / "golden"
BLOCK = IdBlock(
    launch_digest=bytes(range(48)),
    family_id=b"family".ljust(16, b"\0"),
    image_id=b"image".ljust(16, b"\0"),
    version=1,
    guest_svn=7,
    policy=0x20000,
)
AUTH = IdAuth(
    id_key_algorithm=KeyAlgorithm.ECDSA_P384_SHA384,
    author_key_algorithm=KeyAlgorithm.NONE,
    id_block_signature=NO_SIGNATURE,
    id_key=NO_KEY,
    id_key_signature=NO_SIGNATURE,
    author_key=NO_KEY,
)


def planned(  # noqa: PLR0913  # the inputs of `plan`, with defaults
    manifest: Manifest,
    tee: Platform = Platform.REHEARSAL,
    *,
    image: str = "/srv/image",
    run: str = "/run/warily",
    volumes: Sequence[str] = ("/srv/data.disk",),
    accelerator: Accelerator = Accelerator.TCG,
    host_data: bytes = bytes(range(32)),
    id_block: tuple[IdBlock, IdAuth] | None = None,
    ports: Sequence[PortSpec] | None = None,
    pipe: Sequence[str] = ("/usr/bin/python3", "-I", "-S", "/usr/lib/warily/pipe.py"),
) -> Plan:
    return plan(
        manifest,
        tee=tee,
        image=image,
        run=run,
        volumes=volumes,
        broker=("127.0.0.1", 40123),
        accelerator=accelerator,
        host_data=host_data,
        id_block=id_block,
        pipe=pipe,
        ports=ports,
    )


@pytest.mark.parametrize("name", ["rehearsal-tcg", "rehearsal-kvm", "snp", "snp-id-block", "tdx"])
def test_golden(manifest: Manifest, name: str) -> None:
    """The whole command line, one option a line. A missing file is written, to be looked at and checked in."""
    tee = Platform(name.split("-", maxsplit=1)[0])
    accelerator = Accelerator.KVM if name.endswith("kvm") else Accelerator.TCG
    id_block = (BLOCK, AUTH) if name == "snp-id-block" else None
    argv = planned(manifest, tee, accelerator=accelerator, id_block=id_block).argv
    found = "\n".join(shlex.quote(word) for word in argv).replace("\n-", "\n\n-").replace("\n", " ")
    found = found.replace("  ", "\n") + "\n"
    kept = GOLDEN / f"{name}.txt"
    if not kept.exists():
        kept.write_text(found)
        pytest.fail(f"{kept} was missing; look at what was written there")
    assert found == kept.read_text()


def settings(option: str) -> dict[str, str]:
    """What QEMU's option parser reads: pairs parted by single commas, doubled ones inside values."""
    parts = option.replace(",,", "\0").split(",")
    pairs = (part.partition("=") for part in parts)
    return {name: value.replace("\0", ",") for name, _, value in pairs}


def after(argv: Sequence[str], name: str) -> list[str]:
    return [argv[at + 1] for at, word in enumerate(argv) if word == name]


# QEMU takes an odd run of commas at a value's end as its end: `a,` + `,b` is exactly why they are doubled.
paths = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=30)


@given(folder=paths, disk=paths, script=paths)
def test_any_path_survives_escaping(manifest: Manifest, folder: str, disk: str, script: str) -> None:
    made = planned(manifest, image=f"/{folder}x", volumes=[f"/{disk}"], pipe=["/usr/bin/python3", script])
    files = [settings(option)["file.filename"] for option in after(made.argv, "-blockdev")]
    assert files == [*made.reads[3:], f"/{disk}"]
    command = settings(after(made.argv, "-netdev")[0])["guestfwd"].partition("-cmd:")[2]
    assert shlex.split(command) == ["/usr/bin/python3", script, "127.0.0.1", "40123"]


def test_hardware_has_no_rehearsal_processor(manifest: Manifest) -> None:
    for tee in (Platform.SNP, Platform.TDX):
        made = planned(manifest, tee)
        assert made.sp_socket is None
        assert "warily.sp.0" not in " ".join(made.argv)
    assert planned(manifest).sp_socket == "/run/warily/sp.sock"


def test_the_id_block_decides_the_policy(manifest: Manifest) -> None:
    made = planned(manifest, Platform.SNP, id_block=(BLOCK, AUTH))
    assert made.policy == BLOCK.policy
    assert settings(after(made.argv, "-object")[1])["policy"] == "0x20000"
    authored = (BLOCK, replace(AUTH, author_key_algorithm=KeyAlgorithm.ECDSA_P384_SHA384))
    argv = planned(manifest, Platform.SNP, id_block=authored).argv
    assert settings(after(argv, "-object")[1])["author-key-enabled"] == "on"


def test_only_the_root_is_read_only_and_only_declared_ports_are_forwarded(manifest: Manifest) -> None:
    made = planned(manifest)
    assert [settings(option)["read-only"] for option in after(made.argv, "-blockdev")] == ["on", "on", "off"]
    network = after(made.argv, "-netdev")[0]
    assert network.count("hostfwd=") == len(manifest.ports)
    assert "restrict=on" in network


def test_what_cannot_be_launched(manifest: Manifest) -> None:
    with pytest.raises(UsageError, match="not built for snp"):
        planned(replace(manifest, platforms=(Platform.REHEARSAL,)), Platform.SNP)
    with pytest.raises(UsageError, match="0 disks for the 1 volumes"):
        planned(manifest, volumes=())
    with pytest.raises(UsageError, match="host data of 31 bytes"):
        planned(manifest, host_data=bytes(31))
    with pytest.raises(UsageError, match="ID block is checked by SNP"):
        planned(manifest, id_block=(BLOCK, AUTH))
    with pytest.raises(UsageError, match="whole number of MiB"):
        planned(replace(manifest, memory=(512 << 20) + 1))
    with pytest.raises(UsageError, match="too long for a socket"):
        planned(manifest, run="/" + "x" * 100)
    with pytest.raises(UsageError, match="zero byte"):
        planned(manifest, volumes=["/a\0b"])
    for ports in ([PortSpec(guest=1, host=0)], [PortSpec(guest=1, host=5), PortSpec(guest=2, host=5)]):
        with pytest.raises(UsageError, match="host port of its own"):
            planned(manifest, ports=ports)


def test_volumes_keep_their_slots(manifest: Manifest) -> None:
    volumes = tuple(VolumeSpec(name=f"v{n}", size=1 << 20, mount=f"/v{n}", cipher="aead") for n in range(3))
    made = planned(replace(manifest, volumes=volumes), volumes=["/0", "/1", "/2"])
    slots = [settings(device)["addr"] for device in after(made.argv, "-device") if "virtio-blk" in device]
    assert slots == ["0x10", "0x11", "0x12", "0x13", "0x14"]
