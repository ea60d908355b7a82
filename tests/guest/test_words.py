"""The measured command line, read strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.guest.refusal import Refused
from warily.guest.words import BootWords

WORDS = {
    "root": "ab" * 32,
    "salt": "cd" * 32,
    "blocks": "14600",
    "hash": "sha256",
    "devices": "declared",
    "grantor": "ef" * 32,
}


def line(**changed: str) -> str:
    return "console=ttyS0 quiet " + " ".join(f"warily.{name}={value}" for name, value in (WORDS | changed).items())


def refusal(text: str) -> str:
    with pytest.raises(Refused) as caught:
        BootWords.parse(text)
    return caught.value.check


def test_a_line_gives_its_words() -> None:
    words = BootWords.parse(line() + "\n")
    assert words == BootWords(root=b"\xab" * 32, salt=b"\xcd" * 32, blocks=14600, grantor=b"\xef" * 32)


@pytest.mark.parametrize("name", sorted(WORDS))
def test_each_word_must_stand_there_once(name: str) -> None:
    assert refusal(line().replace(f"warily.{name}=", "other=")) == "cmdline.missing"
    assert refusal(f"{line()} warily.{name}={WORDS[name]}") == "cmdline.duplicate"


@pytest.mark.parametrize("word", ["warily.debug", "warily.Root=1", "warily.=", "warily.shell=/bin/sh"])
def test_an_unknown_word_is_refused(word: str) -> None:
    assert refusal(f"{line()} {word}") == "cmdline.unknown"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("root", "ab" * 31),
        ("root", "AB" * 32),
        ("root", "ab" * 32 + "0"),
        ("salt", "-"),
        ("salt", ""),
        ("salt", "abc" * 10 + "a"),
        ("salt", "ab" * 65),
        ("blocks", "0"),
        ("blocks", "-1"),
        ("blocks", "0x10"),
        ("blocks", "99999999999"),
        ("blocks", "٣"),
        ("hash", "sha1"),
        ("hash", ""),
        ("devices", "all"),
        ("devices", ""),
        ("grantor", "ef" * 33),
    ],
)
def test_a_malformed_word_is_refused(name: str, value: str) -> None:
    assert refusal(line(**{name: value})) == "cmdline.malformed"


def test_quotes_and_floods_are_refused() -> None:
    assert refusal(line() + ' x="a warily.root=b"') == "cmdline.malformed"
    assert refusal(line() + " " + "x" * 5000) == "cmdline.malformed"


@given(st.text(max_size=300))
def test_arbitrary_text_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        BootWords.parse(text)
