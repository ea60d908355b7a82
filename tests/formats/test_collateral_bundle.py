"""The bundle of fetched collateral: arbitrary bytes raise `FormatError`, and what is encoded reads back as it was."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.collateral_bundle import BundleItem, CollateralBundle
from warily.verify import bundled
from warily.verify.kinds import Kind
from warily.verify.recognise import collateral_from, recognise

AT = datetime(2026, 3, 15, 1, 2, 3, tzinfo=UTC)
TIMES = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9998, 12, 30)).map(  # noqa: DTZ001  # UTC is said below
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
ITEMS = st.builds(
    BundleItem,
    name=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True),
    source=st.from_regex(r"https://[a-z]{1,9}/[!-~]{0,20}", fullmatch=True),
    fetched=TIMES,
    sha256=st.binary(min_size=32, max_size=32),
    data=st.binary(max_size=60) | st.text(st.characters(codec="ascii"), max_size=60).map(str.encode),
)


@given(st.lists(ITEMS, max_size=4, unique_by=lambda item: item.name))
def test_what_is_encoded_reads_back(items: list[BundleItem]) -> None:
    made = CollateralBundle(items=tuple(sorted(items, key=lambda item: item.name)))
    text = made.encode()
    assert CollateralBundle.decode(text) == made
    assert CollateralBundle.decode(text).encode() == text
    assert recognise(text) is Kind.BUNDLE


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        CollateralBundle.decode(data)


def whole() -> dict[str, object]:
    item = {"name": "a.der", "source": "https://x/", "fetched": "2026-03-15T00:00:00Z", "sha256": "00" * 32}
    return {"collateral_bundle": 1, "items": [item | {"octets": "AAE"}]}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "../a"), ("name", "A"), ("name", ""), ("name", ".hidden"), ("source", "a\nb"), ("source", "é"),
        ("fetched", "2026-03-15"), ("fetched", "2026-13-15T00:00:00Z"), ("fetched", "2026-03-15T00:00:00+01:00"),
        ("sha256", "00"), ("octets", "A"), ("octets", "YQ"), ("more", 1),
    ],
)  # fmt: skip
def test_an_item_is_as_it_should_be(key: str, value: object) -> None:
    assert CollateralBundle.decode(json.dumps(whole()).encode()).items[0].data == b"\x00\x01"
    changed = whole()
    changed["items"][0][key] = value  # type: ignore[index]  # JSON
    with pytest.raises(FormatError):
        CollateralBundle.decode(json.dumps(changed).encode())


def test_order_version_and_number_of_items() -> None:
    entry = whole()["items"][0]  # type: ignore[index]  # JSON
    for changed in (
        {"collateral_bundle": 2, "items": []},
        {"collateral_bundle": 1, "items": [entry, entry]},
        {"collateral_bundle": 1, "items": [entry | {"name": "b"}, entry]},
        {"collateral_bundle": 1, "items": [entry | {"name": f"{at:03}"} for at in range(257)]},
        {"collateral_bundle": 1, "items": [{key: entry[key] for key in entry if key != "octets"}]},
        {"collateral_bundle": 1, "items": [], "more": 1},
    ):
        with pytest.raises(FormatError):
            CollateralBundle.decode(json.dumps(changed).encode())


def test_a_bundle_inside_a_bundle_is_no_collateral() -> None:
    inner = CollateralBundle(items=()).encode()
    assert collateral_from([inner]).certificates == ()
    item = bundled.item("inner.json", inner, source="https://x/", fetched=AT)
    with pytest.raises(FormatError, match="is no collateral"):
        collateral_from([CollateralBundle(items=(item,)).encode()])


def test_an_item_is_what_its_digest_says() -> None:
    item = bundled.item("a.der", b"\x00", source="https://x/", fetched=AT)
    text = CollateralBundle(items=(item,)).encode()
    assert bundled.contents(text) == [b"\x00"]
    with pytest.raises(FormatError, match="not what its digest says"):
        bundled.contents(text.replace(b'"AA"', b'"AQ"'))
