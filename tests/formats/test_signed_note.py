"""Signed notes, checkpoints and proofs: what one implementation of each specification wrote, and arbitrary bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.signed_note import SignedNote, VerifierKey
from warily.formats.tlog_checkpoint import Checkpoint
from warily.formats.tlog_proof import LogProof
from warily.formats.tlog_tiles import bundle_path, decode_bundle, encode_bundle, levels, tile_path, tile_width
from warily.publish.note import read_key, seen_by

# The example of Go's golang.org/x/mod/sumdb/note, which first had the format.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
CHECKPOINT = "example.org/log\n2\n" + "A" * 43 + "=\n"


def test_a_note_of_another_implementation_is_read_and_verified() -> None:
    note = SignedNote.decode(GO_NOTE)
    assert note.encode() == GO_NOTE
    seen = seen_by(note, read_key(GO_KEY))
    assert seen is not None
    assert seen.name == "PeterNeumann"


@pytest.mark.parametrize("at", range(0, GO_NOTE.index(b"\n\n"), 7))
def test_a_changed_text_is_nobodys(at: int) -> None:
    changed = bytearray(GO_NOTE)
    changed[at] ^= 1
    try:
        note = SignedNote.decode(bytes(changed))
    except FormatError:
        return
    assert seen_by(note, read_key(GO_KEY)) is None


def test_a_key_whose_id_is_anothers_is_refused() -> None:
    with pytest.raises(FormatError, match="is not that of the key"):
        read_key(GO_KEY.replace("c74f20a3", "c74f20a4"))


@pytest.mark.parametrize(
    "word", ["", "a+b", "a+c74f20a3+AAAA", "a b+c74f20a3+" + GO_KEY[22:], GO_KEY + "=", GO_KEY.replace("+AR", "+BR")]
)
def test_what_is_no_key_is_refused(word: str) -> None:
    with pytest.raises(FormatError):
        VerifierKey.decode(word)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_arbitrary_bytes_are_refused_or_come_back(data: bytes) -> None:
    for form in (SignedNote, LogProof):
        try:
            assert form.decode(data).encode() == data
        except FormatError:
            continue


@given(st.text(max_size=120))
def test_an_arbitrary_checkpoint_is_refused_or_comes_back(text: str) -> None:
    try:
        assert Checkpoint.decode(text).encode() == text
    except FormatError:
        return


@pytest.mark.parametrize(
    "text",
    [
        CHECKPOINT.replace("\n2\n", "\n02\n"),
        CHECKPOINT.replace("\n2\n", "\n-2\n"),
        CHECKPOINT.replace("\n2\n", f"\n{1 << 63}\n"),
        CHECKPOINT.replace("\n2\n", "\n²\n"),
        CHECKPOINT.removesuffix("\n"),
        CHECKPOINT + "\n",
        CHECKPOINT.replace("A=", "B="),
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    assert Checkpoint.decode(CHECKPOINT).encode() == CHECKPOINT
    with pytest.raises(FormatError):
        Checkpoint.decode(text)


def test_tiles_lie_where_the_specification_says() -> None:
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path(1, 0, 17) == "tile/1/000.p/17"
    assert bundle_path(273, 112) == "tile/entries/273.p/112"
    # The example of the specification: 70,000 entries.
    assert levels(70_000) == 3
    assert [tile_width(70_000, 0, n) for n in (272, 273, 274)] == [256, 112, 0]
    assert [tile_width(70_000, 1, n) for n in (0, 1, 2)] == [256, 17, 0]
    assert tile_width(70_000, 2, 0) == 1


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_bundle_comes_back(entries: list[bytes]) -> None:
    data = encode_bundle(entries)
    assert decode_bundle(data, width=len(entries)) == tuple(entries)
    with pytest.raises(FormatError):
        decode_bundle(data + b"\0", width=len(entries))
    with pytest.raises(FormatError):
        decode_bundle(data, width=len(entries) + 1)


def test_an_entry_too_long_for_a_bundle_is_refused() -> None:
    with pytest.raises(FormatError):
        encode_bundle([bytes(65_536)])
