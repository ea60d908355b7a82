"""Who vouches for a program under Secure Boot."""

import hashlib
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.measure.boot.test_layout import BEFORE, ITEMS, firmware
from tests.signed_programs import Pair, authority, certificates, digests, sign, signature_list
from tests.uki_images import assemble, minimal_stub
from warily.errors import FormatError
from warily.formats.signature_list import read_signatures
from warily.formats.signed_program import read_signed
from warily.formats.uefi_events import EFI_GLOBAL, UefiVariable
from warily.formats.uefi_varstore import IMAGE_SECURITY, Variable, VariableStore
from warily.measure.authenticode import authenticode
from warily.measure.boot import examine
from warily.measure.boot.layout import SECURE_BOOT_DRIVER
from warily.measure.secure_boot import authorities, vouching

PROGRAM = assemble(minimal_stub(), [(".linux", b"kernel")])


@cache
def pairs() -> tuple[Pair, Pair, Pair, Pair]:
    """A root, an intermediate that it issued, a signer that this issued, and somebody else."""
    root = authority("root")
    middle = authority("intermediate", root)
    return root, middle, authority("the signer", middle), authority("somebody else")


def chosen(program: bytes, db: bytes, dbx: bytes = b"") -> bytes | None:
    found = vouching(program, db, dbx)
    return None if found is None else found.data


def test_the_first_entry_of_the_chain_in_the_order_of_db() -> None:
    (root, _), (middle, _), signer, (other, _) = pairs()
    program = sign(PROGRAM, signer, middle)
    listed = {each: certificates(each)[28:] for each in (root, middle, signer[0], other)}
    assert chosen(program, certificates(other)) is None
    assert chosen(program, b"") is None
    for order in ((other, root, middle), (root,), (middle, root), (signer[0], root), (other, signer[0])):
        wanted = next(each for each in order if each is not other)
        assert chosen(program, certificates(*order)) == listed[wanted]
    assert chosen(sign(PROGRAM, signer), certificates(root)) is None  # the intermediate is not in the message
    assert chosen(sign(PROGRAM, signer), certificates(middle)) == listed[middle]


def test_the_second_signature_counts_where_the_first_is_by_nobody() -> None:
    root, _, signer, other = pairs()
    program = sign(sign(PROGRAM, other), root)
    assert len(read_signed(program)) == 2
    assert chosen(program, certificates(signer[0], root[0])) == certificates(root[0])[28:]
    assert authenticode(program, "sha256") == authenticode(PROGRAM, "sha256")


def test_a_digest_in_db() -> None:
    digest = authenticode(PROGRAM, "sha256")
    db = digests(bytes(32), digest)
    assert chosen(PROGRAM, db) == b"o" * 16 + digest
    root, *_ = pairs()
    assert chosen(sign(PROGRAM, root), db + certificates(root[0])) == certificates(root[0])[28:]


def test_what_dbx_names_vouches_for_nothing() -> None:
    root, (middle, _), signer, other = pairs()
    program = sign(PROGRAM, signer, middle)
    db = certificates(root[0])
    assert chosen(program, db, digests(authenticode(PROGRAM, "sha256"))) is None
    assert chosen(program, db, digests(bytes(32))) is not None
    for each in (signer[0], middle):
        assert chosen(program, db, certificates(each)) is None
        body = hashlib.sha256(each.tbs_certificate_bytes).digest()
        kind = bytes.fromhex("92a4d23bc0967940b420fcf98ef103ed")
        assert chosen(program, db, signature_list(kind, body + bytes(16))) is None
    assert chosen(program, db, certificates(other[0])) is not None


def test_a_signature_of_something_else_vouches_for_nothing() -> None:
    root, *_ = pairs()
    db = certificates(root[0])
    assert chosen(sign(PROGRAM, root, digest=bytes(32)), db) is None
    good = sign(PROGRAM, root)
    assert chosen(good, db) is not None
    for at in (0x500, len(good) - 30):  # the program, the signature
        broken = bytearray(good)
        broken[at] ^= 1
        assert chosen(bytes(broken), db) is None


def store(**values: bytes) -> VariableStore:
    vendors = {"db": IMAGE_SECURITY, "dbx": IMAGE_SECURITY}
    return VariableStore(
        variables=tuple(
            Variable(vendor=vendors.get(name, EFI_GLOBAL), name=name, attributes=7, value=value)
            for name, value in values.items()
        )
    )


SECURE = examine(firmware(BEFORE, ITEMS, drivers=(SECURE_BOOT_DRIVER,)))


def test_an_entry_is_measured_once() -> None:
    root, _, _, other = pairs()
    first, second = sign(PROGRAM, root), sign(assemble(minimal_stub(), [(".linux", b"other")]), root)
    third = sign(PROGRAM, other)
    kept = store(PK=b"k", db=certificates(root[0], other[0]))
    found = authorities(SECURE, kept, [first, second, third])
    assert found is not None
    assert [len(events) for events in found] == [1, 0, 1]
    value = UefiVariable(guid=IMAGE_SECURITY, name="db", value=certificates(root[0])[28:])
    assert found[0][0].hashed == value.encode()


@pytest.mark.parametrize(
    ("program", "db", "words"),
    [
        (PROGRAM, b"", "nothing in db vouches"),
        (PROGRAM, b"x" * 20, "are no list"),
        (b"MZ", b"", "PE"),
    ],
)
def test_without_a_voucher_the_reason_is_said(program: bytes, db: bytes, words: str) -> None:
    found = authorities(SECURE, store(PK=b"k", db=db), [program])
    assert found is not None
    assert words in found[0][0].because


def test_without_secure_boot_nobody_is_asked() -> None:
    assert authorities(SECURE, store(db=b"x"), [PROGRAM]) is None
    assert authorities(SECURE, None, [PROGRAM]) is None
    assert authorities(replace(SECURE, drivers=frozenset()), store(PK=b"k"), [PROGRAM]) is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bytes(27), "are no list"),
        (bytes(28), "does not fit"),
        (digests(bytes(32))[:-1], "does not fit"),
        (signature_list(bytes(16), b""), "does not fit"),
        (bytes((1 << 20) + 1), "over the limit"),
    ],
)
def test_broken_lists_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read_signatures(data)


@given(st.data())
def test_damaged_signatures_raise_or_vouch_for_nothing_new(data: st.DataObject) -> None:
    root, *_ = pairs()
    good = sign(PROGRAM, root)
    start = len(PROGRAM) + -len(PROGRAM) % 8
    at = data.draw(st.integers(start, len(good) - 1))
    broken = bytearray(good)
    broken[at] ^= data.draw(st.integers(1, 255))
    try:
        found = chosen(bytes(broken), certificates(root[0]))
    except FormatError:
        return
    assert found in (None, certificates(root[0])[28:])
