"""CoRIMs and CoMIDs of the reference implementation's own tests, and arbitrary bytes."""

from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats import cbor
from warily.formats.comid import Comid
from warily.formats.corim import COMID, Corim, is_signed, signature_of

SAMPLES = "measure/refvalues/veraison"


def test_every_sample_is_read_and_nothing_is_lost(vectors: Path) -> None:
    corims = sorted((vectors / SAMPLES).glob("*corim*.cbor"))
    assert len(corims) >= 8
    for path in corims:
        data = path.read_bytes()
        corim = Corim.decode(signature_of(data).payload if is_signed(data) else data)
        assert Corim.decode(corim.encode()) == corim
        for number, body in corim.tags:
            if number == COMID:
                comid = Comid.decode(body)
                assert Comid.decode(comid.encode()) == comid
                assert cbor2.loads(comid.encode()) == cbor2.loads(body)


def test_a_comid_alone_is_read(vectors: Path) -> None:
    for path in sorted((vectors / SAMPLES).glob("comid__*.cbor")):
        comid = Comid.decode(path.read_bytes())
        assert cbor2.loads(comid.encode()) == cbor2.loads(path.read_bytes()), path.name


@given(st.binary(max_size=120))
def test_arbitrary_bytes_are_refused_or_read(data: bytes) -> None:
    for form in (Corim, Comid):
        try:
            assert form.decode(form.decode(data).encode()) == form.decode(data)
        except FormatError:
            continue


@given(
    st.recursive(
        st.integers(-100, 600) | st.binary(max_size=8) | st.text(max_size=8) | st.none(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(0, 12), inner, max_size=4),
        max_leaves=20,
    )
)
def test_an_arbitrary_map_is_refused_or_read(value: object) -> None:
    wrapped = cbor.encode(cbor.Tag(501, value))
    for form, data in ((Corim, wrapped), (Comid, cbor.encode(value))):
        try:
            form.decode(data)
        except FormatError:
            continue


@pytest.mark.parametrize(
    "value",
    [
        {0: "x"},
        {0: "x", 1: [b"no tag"]},
        {0: 5, 1: []},
        {0: "x", 1: [], 4: {1: "tomorrow"}},
        {0: "x", 1: [], 5: [{1: "nameless"}]},
        {0: "x", 1: [], 3: 7},
    ],
)
def test_a_malformed_corim_is_refused(value: object) -> None:
    with pytest.raises(FormatError):
        Corim.decode(cbor.encode(cbor.Tag(501, value)))
