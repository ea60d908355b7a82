"""Control stanzas."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.errors import FormatError
from warily.formats.debian import Stanza, stanzas

NAMES = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)
LINES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@st.composite
def some_stanza(draw: st.DrawFn) -> Stanza:
    """A stanza with values of one or more lines."""
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique_by=str.lower))
    found = []
    for name in names:
        more = draw(st.lists(LINES.filter(lambda line: line.strip(" \t")), max_size=2))
        found.append((name, "\n".join([draw(LINES), *(f" {line}" for line in more)])))
    return Stanza(tuple(found))


@given(st.lists(some_stanza(), max_size=4))
def test_stanzas_are_read_as_they_were_written(made: list[Stanza]) -> None:
    assert list(stanzas("\n".join(stanza.encode() for stanza in made))) == made


@given(st.text(max_size=200))
def test_arbitrary_text_is_read_or_refused(text: str) -> None:
    try:
        found = list(stanzas(text))
    except FormatError:
        return
    again = "\n".join(stanza.encode() for stanza in found)
    assert list(stanzas(again)) == found


def test_names_compare_without_case() -> None:
    made = Stanza.decode("Package: a\nSHA256: 00\n")
    assert made.value("package") == "a"
    assert made.get("Version") is None
    with pytest.raises(FormatError, match="no Version"):
        made.text("Version")


@pytest.mark.parametrize("text", [" x\n", "a\n", ": x\n", "-a: x\n", "#a: x\n", "A: 1\na: 2\n", "A: 1\n\nB: 2\n", ""])
def test_what_is_not_one_stanza_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        Stanza.decode(text)
