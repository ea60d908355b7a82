"""The pictures: golden text, 80 columns, states told apart without colour; an SVG that stands alone."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings

from tests.conftest import REPOSITORY
from tests.posture.examples import HARDWARE, NOTHING, REHEARSAL
from tests.posture.test_grade import facts_of_any_kind
from warily.posture.cell import State
from warily.posture.draw_svg import draw_svg
from warily.posture.draw_text import MARKS, draw_text
from warily.posture.facts import Facts
from warily.posture.grade import grade

REHEARSAL_TEXT = """\
  ledger                                                 2026-11-23 04:15:08 UTC
  REHEARSAL: a software key signed this evidence; no hardware is behind it.
  What lies in memory, keys included, is open to the host, whatever else holds.

                 hypervisor           host-admin           cloud-operator
  memory         ○ exposed            ○ exposed            ○ exposed
    a rehearsal: no hardware encrypts this memory
  firmware       ● excluded E2        ● excluded E2        ● excluded E2
    its bytes are measured; no bytecode of the host's ACPI tables is loaded
  storage        ● excluded E2        ◇ assumed E2         ◇ assumed E2
    root b0b1b2b3… is measured; volumes authenticated, opened on evidence
    assumed of: whoever administers the broker
  network        ○ exposed            ○ exposed            ○ exposed
    port 8080 speaks plain TCP: the host reads and may change all of it
  devices        ● excluded E2        ● excluded E2        ● excluded E2
    10 bound, each declared; nothing unknown is plugged in
  attestation    ◇ assumed E2         ◇ assumed E2         ◇ assumed E2
    nonce, launch and signed manifest lead to root b0b1b2b3…
    assumed of: the holder of the rehearsal key
  runtime        ◇ assumed E1         ◇ assumed E1         ◇ assumed E1
    locked down: no modules, kexec, swap, hibernation; but no log of what ran
    assumed of: the measured image

  still open
  firmware
    addresses in the host's static tables are used as they stand
    the memory map and SMBIOS are the host's word
  storage
    after a crash, older blocks of a volume can be put back unnoticed
    where, when and how much is written can be seen
    the broker that keeps the volume keys runs where this adversary rules
  network
    no channel to the workload is tied to this evidence
    sizes and times of all packets can be seen
  devices
    answers, interrupts and timing of each declared device are the host's
    virtio-pci reads an undeclared virtio device at boot, and is then sent away
    console, clock and timers of the chipset are the host's, and on no list
  attestation
    the anchor is a rehearsal key: whoever holds it can sign any report
    what is in evidence ends with the launch: no log of later events
    the verifier and its key broker run where this adversary rules
  runtime
    what user space runs is recorded nowhere: no runtime log is in evidence
    the sample is the guest's own word, taken once, at its start

  names
  ✗ hypervisor-isolated workload: does not hold
    exposed: memory, network; assumed: attestation E2
  ✗ infrastructure-operator-excluded compute: does not hold
    exposed: memory, network; assumed: storage E2, attestation E2, runtime E1
  ✗ attestable execution environment: does not hold
    exposed: memory; assumed: attestation E2
  ✗ continuously verified runtime: does not hold
    assumed: attestation E2, runtime E1

  ● excluded  ◐ detected  ◇ assumed  ○ exposed  ? unknown  - not-applicable
  E1 sampled by guest software
  E2 a chain that a verifier checked
"""

NOTHING_TEXT = """\
  an image that nothing here explains                    2026-11-23 04:15:08 UTC
  No accepted evidence: nothing may be relied on.

                 hypervisor           host-admin           cloud-operator
  memory         ? unknown            ? unknown            ? unknown
    the evidence is not accepted: no check was made
  firmware       ? unknown            ? unknown            ? unknown
    the evidence is not accepted: no check was made
  storage        ? unknown            ? unknown            ? unknown
    the evidence is not accepted: no check was made
  network        ? unknown            ? unknown            ? unknown
    the evidence is not accepted: no check was made
  devices        ? unknown            ? unknown            ? unknown
    the evidence is not accepted: no check was made
  attestation    ? unknown            ? unknown            ? unknown
    the evidence is not accepted: no check was made
  runtime        ? unknown            ? unknown            ? unknown
    the evidence is not accepted: no check was made

  names
  ✗ hypervisor-isolated workload: does not hold
    unknown: memory, firmware, storage, network, devices, attestation
  ✗ infrastructure-operator-excluded compute: does not hold
    unknown: memory, firmware, storage, network, devices, attestation, runtime
  ✗ attestable execution environment: does not hold
    unknown: memory, attestation
  ✗ continuously verified runtime: does not hold
    unknown: attestation, runtime

  ● excluded  ◐ detected  ◇ assumed  ○ exposed  ? unknown  - not-applicable
"""

ESCAPE = re.compile(r"\x1b\[[0-9]+m")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(("facts", "text"), [(REHEARSAL, REHEARSAL_TEXT), (NOTHING, NOTHING_TEXT)])
def test_golden_text(facts: Facts, text: str) -> None:
    assert draw_text(grade(facts)) == text


def test_colour_adds_nothing_but_colour() -> None:
    posture = grade(REHEARSAL)
    coloured = draw_text(posture, colour=True)
    assert coloured != draw_text(posture)
    assert ESCAPE.sub("", coloured) == draw_text(posture)


def test_states_have_marks_of_their_own() -> None:
    assert len({MARKS[state] for state in State}) == len(State)


def test_what_is_open_can_be_left_out() -> None:
    assert "still open" not in draw_text(grade(REHEARSAL), still_open=False)


@given(facts_of_any_kind)
@settings(max_examples=25, deadline=None)
def test_no_line_is_over_80_columns_or_ends_in_space(facts: Facts) -> None:
    for line in draw_text(grade(facts)).splitlines():
        assert len(line) <= 80
        assert line == line.rstrip()


@given(facts_of_any_kind)
@settings(max_examples=25, deadline=None)
def test_every_svg_is_well_formed_and_says_every_state(facts: Facts) -> None:
    posture = grade(facts)
    root = ET.fromstring(draw_svg(posture))  # noqa: S314  # our own output
    assert root.tag == f"{SVG}svg"
    words = [text.text for text in root.iter(f"{SVG}text")]
    for found in posture.cells:
        assert found.state.value in " ".join(filter(None, words))
    assert len(root.findall(f"{SVG}g")) == 1 + 2 * len(posture.cells) + len(posture.names)


@pytest.mark.parametrize("facts", [HARDWARE, REHEARSAL, NOTHING])
def test_the_svg_stands_alone_and_can_be_read_aloud(facts: Facts) -> None:
    text = draw_svg(grade(facts))
    assert not re.search(r"(?:href|src|url\(|@import|@font-face)", text)
    assert text.count("http") == 1  # the namespace
    root = ET.fromstring(text)  # noqa: S314  # our own output
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert "memory: hypervisor" in (description.text or "")
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"


def test_a_rehearsal_says_so_in_both_pictures() -> None:
    posture = grade(REHEARSAL)
    assert "REHEARSAL" in draw_text(posture)
    assert "REHEARSAL" in draw_svg(posture)
    assert "REHEARSAL" not in draw_text(grade(HARDWARE))


def test_hostile_names_do_not_reach_the_markup_or_the_terminal() -> None:
    hostile = '<script>"&\x1b[2J'
    posture = replace(grade(HARDWARE), image=hostile)
    assert "<script>" not in draw_svg(posture)
    ET.fromstring(draw_svg(posture))  # noqa: S314  # our own output
    assert "\x1b" not in draw_text(posture)


def test_the_guide_shows_the_picture_of_a_rehearsal() -> None:
    shown = (REPOSITORY / "docs" / "guides" / "rehearsal.svg").read_text()
    assert shown == draw_svg(grade(REHEARSAL))
