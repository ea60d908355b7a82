"""TDX expectation files: complete or refused by name; bits by name or by value and mask; statuses with dates."""

from dataclasses import fields
from datetime import date

import pytest

from warily.core.expect import BitRule, StatusRule, TdxExpect
from warily.core.finding import Waived
from warily.errors import UsageError
from warily.verify.expectation import read_expectation

WHOLE = f"""
[tdx]
rehearsal_roots = []
enclaves = []
debug = false
statuses = ["UpToDate", {{ status = "OutOfDate", since = 2024-03-13 }}]
advisories = ["INTEL-SA-00615"]
must_exclude = ["migtd-2026-11"]
evaluation = 18
attributes = {{ required = ["SEPT_VE_DISABLE"], forbidden = ["MIGRATABLE", 63] }}
xfam = {{ value = "0x3", mask = "0x80B" }}
unknown_bits = false
platform = {{ required = [], forbidden = ["SMT_ENABLED"] }}
platform_ids = ["{"01" * 16}"]
tee_tcb_svn = "{"03" * 16}"
qe_svn = 4
pce_svn = 13
mrseams = ["{"11" * 48}"]
mrtds = ["{"22" * 48}"]
mrconfigids = {{ waived = "nothing was given at launch" }}
mrowners = ["{"00" * 48}"]
mrownerconfigs = ["{"00" * 48}"]
mrservicetds = ["{"00" * 48}", ""]
rtmr0 = {{ waived = "a log explains it" }}
rtmr1 = {{ waived = "a log explains it" }}
rtmr2 = {{ waived = "a log explains it" }}
rtmr3 = ["{"00" * 48}"]
report_data = "{"55" * 64}"
"""
KEYS = [field.name for field in fields(TdxExpect)]


def without(key: str) -> str:
    return "\n".join(line for line in WHOLE.splitlines() if not line.startswith(f"{key} ="))


def test_a_whole_file() -> None:
    want = read_expectation(WHOLE.encode())
    assert isinstance(want, TdxExpect)
    assert want.statuses == frozenset(
        {
            StatusRule(status="UpToDate", since=None),
            StatusRule(status="OutOfDate", since=date(2024, 3, 13)),
        }
    )
    assert want.attributes == BitRule(required=1 << 28, forbidden=1 << 29 | 1 << 63)
    assert want.xfam == BitRule(required=3, forbidden=0x808)
    assert want.platform == BitRule(required=0, forbidden=4)
    assert want.mrservicetds == frozenset({bytes(48), b""})
    assert want.rtmr0 == Waived("a log explains it")
    assert want.report_data == b"\x55" * 64


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(UsageError, match=rf"tdx\.{key} is missing"):
        read_expectation(without(key).encode())


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", ["1.5", '"zz"', '[["x"]]', "{ waved = 1 }", '{ waived = "" }', "-1", "99999999999"])
def test_a_mistyped_value_is_named(key: str, value: str) -> None:
    with pytest.raises(UsageError, match=rf"tdx\.{key}"):
        read_expectation((without(key) + f"\n{key} = {value}\n").encode())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("statuses", '["Revoked"]'),
        ("statuses", '["Fine"]'),
        ("statuses", '[{ status = "OutOfDate", since = "2024" }]'),
        ("statuses", '[{ status = "OutOfDate", until = 2024-01-01 }]'),
        ("xfam", '{ value = "3", mask = "0xf" }'),
        ("xfam", '{ value = "0x3" }'),
        ("xfam", '{ value = "0x3", mask = "0x10000000000000000" }'),
        ("advisories", '["two\\nlines"]'),
        ("mrtds", '[""]'),
    ],
)
def test_what_cannot_be_wanted_is_named(key: str, value: str) -> None:
    with pytest.raises(UsageError, match=rf"tdx\.{key}"):
        read_expectation((without(key) + f"\n{key} = {value}\n").encode())
