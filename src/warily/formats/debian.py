"""Debian control stanzas: the text of `dpkg-deb --field`, `apt-cache show` and a repository's Packages file.

Specification: Debian Policy 4.7, section 5.1. Field names keep their case and compare without it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from warily.errors import FormatError

LIMIT: Final = 64 << 20
FIELDS: Final = 256
SPACE: Final = " \t"


@dataclass(frozen=True, slots=True)
class Stanza:
    """One paragraph: fields in their order. A value holds its continuation lines as they were written."""

    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """The field's value, or None."""
        folded = name.lower()
        return next((value for key, value in self.fields if key.lower() == folded), None)

    def text(self, name: str) -> str:
        """The field's value. Raises `FormatError` where there is none."""
        value = self.get(name)
        if value is None:
            msg = f"control stanza: no {name}"
            raise FormatError(msg)
        return value

    def encode(self) -> str:
        """The stanza as text, with a final newline and no empty line after it."""
        return "".join(f"{name}:{value}\n" for name, value in self.fields)

    @classmethod
    def decode(cls, text: str) -> Self:
        """The one stanza that `text` holds."""
        found = list(stanzas(text))
        if len(found) != 1:
            msg = f"control stanza: {len(found)} where one is wanted"
            raise FormatError(msg)
        return cls(found[0].fields)

    def value(self, name: str) -> str:
        """The field's value without the space around it."""
        return self.text(name).strip(SPACE)


def stanzas(text: str) -> Iterator[Stanza]:
    """The stanzas of `text`, which empty lines separate."""
    if len(text) > LIMIT:
        msg = f"control file: over {LIMIT} characters"
        raise FormatError(msg)
    fields: list[tuple[str, str]] = []
    for line in text.split("\n"):
        if not line.strip(SPACE):
            if fields:
                yield Stanza(_checked(fields))
            fields = []
        elif line[0] in SPACE:
            if not fields:
                msg = "control stanza: it starts with a continuation line"
                raise FormatError(msg)
            name, value = fields[-1]
            fields[-1] = (name, f"{value}\n{line}")
        else:
            fields.append(_field(line))
    if fields:
        yield Stanza(_checked(fields))


def _field(line: str) -> tuple[str, str]:
    """Policy 5.1: a name is printable US-ASCII without space and colon, and starts with neither `#` nor `-`."""
    name, colon, value = line.partition(":")
    if not colon or not name or name[0] in "#-" or not all("!" <= letter <= "~" for letter in name):
        msg = f"control stanza: {line[:60]!r} is not a field"
        raise FormatError(msg)
    return name, value


def _checked(fields: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    if len(fields) > FIELDS:
        msg = f"control stanza: over {FIELDS} fields"
        raise FormatError(msg)
    if len({name.lower() for name, _ in fields}) != len(fields):
        msg = "control stanza: a field appears twice"
        raise FormatError(msg)
    return tuple(fields)
