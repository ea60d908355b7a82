"""Event logs lead to the registers of the boots they were taken from, and damaged ones do not, in linear time."""

import csv
import hashlib
import json
import time
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.forge_tpm import SHA256_BANK, boot, event, log, pcrs_after, variable
from warily.core.finding import Finding, Outcome
from warily.core.registers import BANKS, RegisterBank, pcr_bank, rtmr_bank
from warily.errors import FormatError
from warily.formats.tcg_log import STARTUP_LOCALITY, EventLog, EventType
from warily.formats.tdx_quote import Quote
from warily.verify import eventlog
from warily.verify.eventlog import BOOT_PCRS, against_registers
from warily.verify.front import verify
from warily.verify.recognise import evidence_from
from warily.verify.recognise_tpm import with_logs

RTMRS = frozenset({1, 2, 3, 4})
# What each negative of the MANIFEST must lead to; None where only unmeasured bytes differ.
NEGATIVES = {
    "dropped": "log.replay",
    "swapped": "log.replay",
    "duplicated": "log.replay",
    "digest_flip": "log.replay",
    "mr_moved": "log.replay",
    "type_no_action": "log.replay",
    "header_only": "log.replay",
    "data_tampered": "log.event",
    "type_relabelled": None,
    "no_action_inserted": None,
    "trunc": "malformed",
    "digestcount_max": "malformed",
    "eventsize_max": "malformed",
    "unknown_alg": "malformed",
    "no_header": "malformed",
    "zero": "malformed",
}


def first(findings: tuple[Finding, ...]) -> str | None:
    return next((finding.check for finding in findings if finding.outcome is not Outcome.PASS), None)


def outcome(data: bytes, registers: RegisterBank) -> str | None:
    """`malformed`, the first rule that fails, or None."""
    try:
        made = EventLog.decode(data)
    except FormatError:
        return "malformed"
    return first(against_registers(made, registers))


def rtmrs(path: Path) -> RegisterBank:
    raw = path.read_bytes()
    td = Quote.decode(raw if raw[:1] != b"0" else bytes.fromhex(raw.decode())).td
    assert td is not None
    return rtmr_bank((td.rtmr0, td.rtmr1, td.rtmr2, td.rtmr3), required=RTMRS)


def expected_pcrs(vectors: Path) -> dict[tuple[str, str], dict[int, bytes]]:
    found: dict[tuple[str, str], dict[int, bytes]] = defaultdict(dict)
    with (vectors / "evidence/tpm_eventlog/go-tpm-tools/expected_pcrs.tsv").open() as source:
        for row in csv.DictReader(source, delimiter="\t"):
            found[row["eventlog"], row["hash"]][int(row["pcr"])] = bytes.fromhex(row["digest"])
    return found


def test_genuine_logs_lead_to_their_pcrs(vectors: Path) -> None:
    rows = expected_pcrs(vectors)
    for (name, bank), values in rows.items():
        made = EventLog.decode((vectors / "evidence/tpm_eventlog/go-tpm-tools" / name).read_bytes())
        registers = pcr_bank(BANKS[bank], values, required=frozenset(values))
        assert all(finding.outcome is Outcome.PASS for finding in against_registers(made, registers)), (name, bank)
    assert len({name for name, _ in rows}) == 9


def test_a_boot_in_qemu_leads_to_its_pcrs(vectors: Path) -> None:
    shapes = sorted((vectors / "measure/pcr/boot").iterdir())
    assert len(shapes) == 5
    for shape in shapes:
        made = EventLog.decode((shape / "binary_bios_measurements").read_bytes())
        for bank, values in json.loads((shape / "run.json").read_text())["pcrs"].items():
            quoted = {int(pcr): bytes.fromhex(value) for pcr, value in values.items()}
            findings = against_registers(made, pcr_bank(BANKS[bank], quoted, required=BOOT_PCRS))
            assert first(findings) is None, (shape.name, bank)


def cases(vectors: Path) -> list[dict[str, str]]:
    with (vectors / "evidence" / "CASES.tsv").open() as source:
        return [row for row in csv.DictReader(source, delimiter="\t") if row["platform"] == "TDX CCEL"]


def test_the_rows_of_the_cases_come_out_as_written(vectors: Path) -> None:
    rows = cases(vectors)
    assert len(rows) == 4
    for row in rows:
        registers = rtmrs(vectors / "evidence" / row["endorsements"])
        made = EventLog.decode((vectors / "evidence" / row["evidence"]).read_bytes())
        replayed = eventlog.replay(made, registers)
        # The note says of each register whether it was reached: "RTMR0=ok RTMR1=DIFF …".
        said = dict(part.split("=") for part in (row["reason"] or row["note"]).split())
        leads = {registers.name(index): replayed.leads_to(index) for index in sorted(RTMRS)}
        assert leads == {name: word == "ok" for name, word in said.items()}, row["id"]
        assert (first(eventlog.judge(replayed)) is None) is (row["expected"] == "MATCH"), row["id"]


@pytest.mark.parametrize("damage", NEGATIVES)
def test_negatives_fail_by_what_was_broken(vectors: Path, damage: str) -> None:
    folder = vectors / "evidence" / "negative" / "eventlog"
    quote = rtmrs(vectors / "evidence/tdx_ccel/cos113_go-tdx-guest/quote.dat")
    assert outcome((folder / f"cos113_ccel_{damage}.bin").read_bytes(), quote) == NEGATIVES[damage]
    name = "ubuntu-2104-no-secure-boot"
    values = expected_pcrs(vectors)[f"{name}.bin", "sha256"]
    pcrs = pcr_bank(BANKS["sha256"], values, required=frozenset(values))
    assert outcome((folder / f"tpm_{name}_{damage}.bin").read_bytes(), pcrs) == NEGATIVES[damage]


def test_no_negative_is_missing(vectors: Path) -> None:
    names = {path.stem for path in (vectors / "evidence" / "negative" / "eventlog").iterdir()}
    assert names == {
        f"{base}_{kind}" for base in ("cos113_ccel", "tpm_ubuntu-2104-no-secure-boot") for kind in NEGATIVES
    }


def test_every_log_of_the_vectors_is_read_and_comes_back(vectors: Path) -> None:
    skipped = (".json", ".tsv", "quote.dat", "nonce.dat", "table.dat", "table.bin", "CCEL.bin")
    paths = [*(vectors / "evidence/tpm_eventlog").rglob("*"), *(vectors / "evidence/tdx_ccel").rglob("*")]
    paths += [*(vectors / "ima").glob("*bios*.bin"), *(vectors / "ima").glob("*eventlog.bin")]
    logs = [path for path in paths if path.is_file() and not path.name.endswith(skipped)]
    assert len(logs) >= 25
    for path in logs:
        data = path.read_bytes()
        assert EventLog.decode(data).encode() == data, path.name


def test_a_devices_own_pcrs_are_explained_by_its_log(vectors: Path) -> None:
    """A server's registers and log, from a vendor that is not a cloud: all boot registers, both banks."""
    values = json.loads((vectors / "ima/guard-h12ssl-epyc.pcrs.json").read_text())
    made = EventLog.decode((vectors / "ima/guard-h12ssl-epyc.eventlog.bin").read_bytes())
    for bank in ("sha1", "sha256"):
        quoted = {int(pcr): bytes.fromhex(values[bank][str(pcr)]) for pcr in (*range(10), 14)}
        assert first(against_registers(made, pcr_bank(BANKS[bank], quoted, required=BOOT_PCRS))) is None


def test_a_quote_and_its_log_are_judged_together(vectors: Path) -> None:
    """Without Intel's collateral the quote stays open; a log that does not belong to it is refused all the same."""
    folder = vectors / "evidence" / "tdx_ccel"
    evidence = evidence_from((folder / "cos113_go-tdx-guest/quote.dat").read_bytes())
    at = datetime(2026, 3, 15, tzinfo=UTC)
    good = with_logs(evidence, [(folder / "cos113_go-tdx-guest/ccel_data.dat").read_bytes()])
    appraisal = verify(good, collateral=(), expect="baseline", at=at)
    assert appraisal.undecided
    assert appraisal.outcome_of("log.replay") is Outcome.PASS
    assert set(eventlog.RULES) <= set(appraisal.required)
    bad = with_logs(evidence, [(folder / "go-eventlog/cos-113-intel-tdx-dupe-separator.bin").read_bytes()])
    refused = verify(bad, collateral=(), expect="baseline", at=at)
    assert not refused.undecided
    assert refused.first_failure is not None
    assert refused.first_failure.check == "log.replay"


def test_events_are_explained(vectors: Path) -> None:
    made = EventLog.decode((vectors / "measure/pcr/boot/uki-esp/binary_bios_measurements").read_bytes())
    values = json.loads((vectors / "measure/pcr/boot/uki-esp/run.json").read_text())["pcrs"]["sha256"]
    quoted = {int(pcr): bytes.fromhex(value) for pcr, value in values.items()}
    said = eventlog.claims(eventlog.replay(made, pcr_bank(SHA256_BANK, quoted, required=BOOT_PCRS)))
    assert said["secure_boot"] is False  # the firmware measured that there is no such variable
    lines = {(entry["register"], entry["says"]): entry["data"] for entry in said["events"]}  # type: ignore[attr-defined]  # a list
    assert lines["PCR4", "Calling EFI Application from Boot Option"] == "measured"
    assert lines["PCR9", "tag 0x8f3b22ec: Linux initrd"] == "not measured"


def test_secure_boot_of_genuine_logs(vectors: Path) -> None:
    known = {"cos-85-amd-sev.bin": True, "ubuntu-2104-no-secure-boot.bin": False, "gdc-host.bin": False}
    rows = expected_pcrs(vectors)
    for name, wanted in known.items():
        made = EventLog.decode((vectors / "evidence/tpm_eventlog/go-tpm-tools" / name).read_bytes())
        registers = pcr_bank(SHA256_BANK, rows[name, "sha256"], required=BOOT_PCRS)
        assert eventlog.secure_boot(eventlog.replay(made, registers)) is wanted


def forged(made: EventLog) -> RegisterBank:
    return pcr_bank(SHA256_BANK, pcrs_after(made), required=BOOT_PCRS)


def test_a_start_at_another_locality_counts() -> None:
    told = event(0, EventType.NO_ACTION, STARTUP_LOCALITY + b"\x03")
    made = log(told, *boot().events)
    values = pcrs_after(made)
    assert first(against_registers(made, pcr_bank(SHA256_BANK, values, required=BOOT_PCRS))) == "log.replay"
    start = bytes(31) + b"\x03"
    value = start
    for entry in made.events:
        if entry.register == 0 and entry.extends:
            value = hashlib.sha256(value + (entry.digest(SHA256_BANK) or b"")).digest()
    right = pcr_bank(SHA256_BANK, values | {0: value}, required=BOOT_PCRS)
    assert first(against_registers(made, right)) is None


def test_a_log_that_says_nothing_of_what_was_signed_fails() -> None:
    made = boot()
    only = pcr_bank(SHA256_BANK, {23: bytes(32)}, required=BOOT_PCRS)
    assert first(against_registers(made, only)) == "log.replay"


def test_an_entry_without_a_digest_of_the_bank_extends_nothing() -> None:
    made = log(*boot().events, banks=(SHA256_BANK, BANKS["sha384"]))
    assert first(against_registers(made, forged(made))) is None
    empty = pcr_bank(BANKS["sha384"], {pcr: bytes(48) for pcr in range(8)}, required=BOOT_PCRS)
    assert first(against_registers(made, empty)) == "log.event"


def test_an_error_separator_is_told() -> None:
    wrong = event(2, EventType.SEPARATOR, b"\x01\x00\x00\x00")
    made = log(*(entry for entry in boot().events if (entry.register, entry.type) != (2, EventType.SEPARATOR)), wrong)
    assert first(against_registers(made, forged(made))) == "log.separator"


def test_many_bad_entries_give_few_findings() -> None:
    bad = [event(5, EventType.EFI_ACTION, b"%d" % number, measured=b"x") for number in range(100)]
    made = boot(*bad)
    found = [finding for finding in against_registers(made, forged(made)) if finding.outcome is Outcome.FAIL]
    assert len(found) == eventlog.MAX_FINDINGS + 1
    assert "84 more" in found[-1].found


def test_time_grows_with_the_log_and_no_faster() -> None:
    def seconds(count: int) -> float:
        entries = tuple(event(8, EventType.IPL, b"grub_cmd: true") for _ in range(count))
        data = replace(boot(), events=entries).encode() + b"\xff" * (16 * count)
        start = time.perf_counter()
        made = EventLog.decode(data)
        against_registers(made, pcr_bank(SHA256_BANK, {8: bytes(32)}, required=frozenset()))
        return time.perf_counter() - start

    seconds(1000)
    small, large = min(seconds(3000) for _ in range(3)), min(seconds(30000) for _ in range(2))
    assert large < 25 * small  # ten times the log; a square would be a hundred


@settings(max_examples=60)
@given(position=st.integers(0, 10), bit=st.integers(0, 255))
def test_no_digest_can_change(position: int, bit: int) -> None:
    made = boot()
    entry = made.events[position % len(made.events)]
    digest = bytearray(entry.digests[0][1])
    digest[bit // 8] ^= 1 << bit % 8
    changed = replace(entry, digests=((SHA256_BANK, bytes(digest)),))
    events = tuple(changed if item is entry else item for item in made.events)
    assert first(against_registers(replace(made, events=events), forged(made))) == "log.replay"


def test_a_variable_may_be_measured_whole_or_by_its_value() -> None:
    whole = variable("Boot0000", b"value")
    for measured in (None, b"value"):
        made = boot(event(1, EventType.EFI_VARIABLE_BOOT, whole, measured=measured))
        assert first(against_registers(made, forged(made))) is None
    other = boot(event(1, EventType.EFI_VARIABLE_BOOT, whole, measured=b"other"))
    assert first(against_registers(other, forged(other))) == "log.event"


def test_an_algorithm_that_cannot_be_computed_is_said() -> None:
    with pytest.raises(FormatError, match="cannot be replayed"):
        eventlog.replay(boot(), pcr_bank(0x12, {0: bytes(32)}, required=BOOT_PCRS))
