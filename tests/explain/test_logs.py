"""Event logs compared: the first divergence, both meanings, the words that differ."""

import hashlib
from dataclasses import replace
from pathlib import Path

from warily.core.registers import pcr_bank
from warily.explain.boots import Boot
from warily.explain.builds import Build
from warily.explain.logs import Line, compare, lines_of_boot, lines_of_log, registers_of, shared_bank
from warily.explain.words import changes
from warily.formats.tcg_log import EventLog, EventType
from warily.measure.boot.event import BootEvent, known
from warily.measure.boot.steps import CALLING
from warily.verify.eventlog import replay

BOOTS = "measure/pcr/boot"


def log_of(vectors: Path, name: str) -> EventLog:
    return EventLog.decode((vectors / BOOTS / name / "binary_bios_measurements").read_bytes())


def test_two_more_processors_show_in_the_acpi_tables_alone(vectors: Path) -> None:
    found = compare(*(lines_of_log(log_of(vectors, name)) for name in ("directboot", "direct-smp4")))
    assert [(entry.register, entry.inputs[0].name) for entry in found] == [
        ("pcr1", "ACPI table-loader"), ("pcr1", "ACPI rsdp"), ("pcr1", "ACPI tables"),
    ]  # fmt: skip
    assert found[0].now is not None
    assert found[0].now.at == 10


def test_a_log_does_not_differ_from_itself(vectors: Path) -> None:
    lines = lines_of_log(log_of(vectors, "uki-esp"))
    assert compare(lines, lines) == ()


def test_the_registers_are_those_of_a_replay(vectors: Path) -> None:
    log = log_of(vectors, "directboot")
    found = registers_of(lines_of_log(log, 0x000B))
    bank = pcr_bank(0x000B, {index: bytes(32) for index in range(10)}, required=frozenset())
    for index, value in replay(log, bank).values.items():
        assert found[f"pcr{index}"] == value


def test_logs_without_a_common_bank_cannot_be_compared(vectors: Path) -> None:
    log = log_of(vectors, "directboot")
    other = replace(log, algorithms=((0x0012, 32),))
    assert shared_bank(log, log) == 0x000C
    assert shared_bank(log, other) is None


LINE = b"root=/dev/vda ro quiet"
NOBODY = Build(name="b", where="", manifest=None, packages=(), signer="", logged="", launches=())


def event(line: bytes) -> BootEvent:
    data = f"initrd=initrd {line.decode()}\0".encode("utf-16-le")
    return known(
        9,
        EventType.EVENT_TAG,
        "load options",
        ingredient="command line",
        digests={"sha384": hashlib.sha384(data).digest()},
    )


def test_a_command_line_that_only_its_digest_shows_is_told_by_its_words() -> None:
    boots = [Boot(build=NOBODY, platform="tdx", events=(event(line),), line=line) for line in (LINE, LINE + b" single")]
    before, after = (lines_of_boot(boot, "sha384") for boot in boots)
    hidden = tuple(Line(at=1, register=one.register, type=one.type, digest=one.digest, means="tag") for one in after)
    (found,) = compare(before, hidden, vocabulary=(b"debug", b"single"))
    assert [(entry.name, entry.was, entry.now) for entry in found.inputs] == [("command line", "", "single")]


def test_an_event_that_is_missing_is_said_to_be() -> None:
    digest = hashlib.sha384(CALLING).digest()
    line = Line(at=3, register="rtmr1", type=EventType.EFI_ACTION, digest=digest, means="calling")
    (found,) = compare((line,), ())
    assert (found.was, found.now) == (line, None)
    assert found.inputs[0].now == "no such event"


def test_an_event_that_nobody_could_predict_is_no_divergence() -> None:
    open_event = Line(at=1, register="rtmr0", type=10, digest=None, means="ACPI tables: not given")
    real = Line(at=4, register="rtmr0", type=10, digest=bytes(48), means="ACPI tables")
    assert compare((open_event,), (real,)) == ()


def test_hostile_lists_of_events_take_little_time() -> None:
    """Sequences that a matcher would compare again and again."""
    lists = [
        [
            Line(at=at, register="pcr0", type=1, digest=hashlib.sha256(bytes([at * step % 251])).digest(), means="x")
            for at in range(4000)
        ]
        for step in (7, 11)
    ]
    assert len(compare(*lists)) > 3000


def test_hostile_command_lines_take_little_time() -> None:
    lines = [b" ".join(b"%d" % (at * step % 251) for at in range(30_000)) for step in (7, 11)]
    (found,) = changes(*lines)
    assert found.name == "command line"
