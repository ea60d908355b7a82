"""Expectation files: complete or refused by name, waivers with their reasons."""

from dataclasses import fields
from datetime import date

import pytest

from warily.core.expect import BitRule, SnpExpect, TcbFloor
from warily.core.finding import Waived
from warily.errors import UsageError
from warily.verify.expectation import read_expectation

WHOLE = f"""
[snp]
rehearsal_roots = ["{"ab" * 32}"]
measurements = ["{"22" * 48}", "{"23" * 48}"]
report_data = "{"11" * 64}"
host_data = {{ waived = "nothing was given at launch" }}
vmpls = [0, 1]
policy = {{ required = [17], forbidden = ["DEBUG", "MIGRATE_MA"] }}
platform = {{ required = ["ALIAS_CHECK_COMPLETE"], forbidden = [] }}
unknown_bits = false
tcb_floor = {{ fmc = 0, bootloader = 4, tee = 0, snp = 24, microcode = 219 }}
guest_svn = 3
chip_ids = {{ waived = "any machine" }}
id_key_digests = {{ waived = "no ID block" }}
author_key_digests = {{ waived = "no ID block" }}
family_id = "{"00" * 16}"
image_id = {{ waived = "no ID block" }}
migration_agent = false
provisional_firmware = true
must_exclude = ["AMD-SB-3015", "AMD-SB-3019"]
"""
KEYS = [field.name for field in fields(SnpExpect)]


def without(key: str) -> str:
    return "\n".join(line for line in WHOLE.splitlines() if not line.startswith(f"{key} ="))


def test_a_whole_file() -> None:
    want = read_expectation(WHOLE.encode())
    assert isinstance(want, SnpExpect)
    assert want.rehearsal_roots == {b"\xab" * 32}
    assert want.measurements == frozenset({b"\x22" * 48, b"\x23" * 48})
    assert want.host_data == Waived("nothing was given at launch")
    assert want.vmpls == frozenset({0, 1})
    assert want.policy == BitRule(required=1 << 17, forbidden=1 << 19 | 1 << 18)
    assert want.platform == BitRule(required=1 << 5, forbidden=0)
    assert want.tcb_floor == TcbFloor(bootloader=4, tee=0, snp=24, microcode=219)
    assert want.provisional_firmware is True
    assert want.must_exclude == frozenset({"AMD-SB-3015", "AMD-SB-3019"})
    listed = 'must_exclude = ["AMD-SB-3015", "AMD-SB-3019"]'
    until = read_expectation(WHOLE.replace(listed, "must_exclude = { published_until = 2024-12-31 }").encode())
    assert isinstance(until, SnpExpect)
    assert until.must_exclude == date(2024, 12, 31)
    with pytest.raises(UsageError, match="knows no advisory AMD-SB-9999 about snp"):
        read_expectation(WHOLE.replace("AMD-SB-3019", "AMD-SB-9999").encode())


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(UsageError, match=rf"snp\.{key} is missing"):
        read_expectation(without(key).encode())


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", ["1.5", '"zz"', '[["x"]]', "{ waved = 1 }", '{ waived = "" }', "-1", "99999999999"])
def test_a_mistyped_value_is_named(key: str, value: str) -> None:
    with pytest.raises(UsageError, match=rf"snp\.{key}"):
        read_expectation((without(key) + f"\n{key} = {value}\n").encode())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (WHOLE + "measurement = []", "unknown key snp.measurement; did you mean measurements"),
        (WHOLE + "[tdx]", "the file has 2 tables"),
        (WHOLE + "[sev]", "unknown key the file.sev"),
        ("snp = 1", "snp is not a table"),
        ("", "the file has 0 tables"),
        ("[snp", "not TOML"),
        ("\xff", "not TOML"),
        (without("rehearsal_roots") + '\nrehearsal_roots = { waived = "any" }', "rehearsal_roots is not a list"),
        (WHOLE.replace("microcode = 219", "ucode = 219"), "unknown key snp.tcb_floor.ucode"),
        (WHOLE.replace('"DEBUG"', '"DEBUGGING"'), "DEBUG"),
        (WHOLE.replace("nothing was given", "two\\nlines"), "one line"),
        ("#" * ((1 << 20) + 1), "over the limit"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_expectation(text.encode("latin-1"))
    assert says in str(caught.value)
