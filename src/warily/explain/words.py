"""Kernel command lines that differ from one by a word or two, and which words those are.

The vocabulary is data (`data/kernel_words.toml`); words of other command lines that are known come first.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from importlib import resources
from itertools import combinations, islice, product
from typing import Final

from warily.explain.answer import ChangedInput

COMMAND_LINE: Final = "command line"
ROOT_HASH: Final = "root hash"
ROOT_KEYS: Final = frozenset(
    {b"warily.root", b"warily.salt", b"warily.blocks", b"warily.hash", b"roothash", b"usrhash"}
)
_HASH_KEYS: Final = frozenset({b"warily.root", b"roothash", b"usrhash"})
NAMED_KEYS: Final = {b"warily.grantor": "grantor"}
CUTS: Final = (2047, 2048, 4095, 511, 1023, 255)  # where programs are known to cut a line
LIKELY: Final = 120  # words that may stand in the place of any other
LIKELY_PAIRS: Final = 40  # words that are tried two at a time
FEW_VALUES: Final = 8  # values of a word that are tried together with another word's
FEW_WORDS: Final = 20  # words that are tried together with another value
MAX_WORDS: Final = 256  # of a line that is varied word by word
_STEPS: Final = tuple(b"0 1 2 3 4 5 6 7 8 on off y n yes no force none any all auto strict".split())
_OPPOSITE: Final = {
    one: other
    for pair in ((b"0", b"1"), (b"on", b"off"), (b"y", b"n"), (b"yes", b"no"), (b"Y", b"N"), (b"true", b"false"))
    for one, other in (pair, pair[::-1])
}
_USUAL_NUMBERS: Final = (b"-1", b"0", b"1", b"2", b"5", b"9", b"10", b"15", b"16", b"20", b"30", b"60")
_LARGE: Final = tuple(str(1 << power).encode() for power in range(5, 21))
_NUMBERS: Final = tuple(
    str(number).encode() for number in (*range(257), 300, 360, 500, 512, 600, 900, 1000, 1024, 2048, 3600, 4096, -1)
)


@lru_cache(maxsize=1)
def vocabulary() -> tuple[bytes, ...]:
    """Words that kernel command lines often have, likely ones first."""
    table = tomllib.loads(resources.files("warily.data").joinpath("kernel_words.toml").read_text("utf-8"))
    return tuple(word.encode() for group in table["group"] for word in group["words"])


def plausible(line: bytes, known: Sequence[bytes]) -> Iterator[bytes]:
    """Lines that differ by one change that is worth trying together with another: a word gone, added, or turned."""
    mine = _words(line)
    for at in range(len(mine)):
        yield b" ".join((*mine[:at], *mine[at + 1 :]))
    for word in not_in(line, known)[:LIKELY]:
        yield from _added(line, mine, word)
    yield from _turned(line, known)


def few(line: bytes, known: Sequence[bytes]) -> Iterator[bytes]:
    """The most plausible of these, to be tried together with two other changes."""
    mine = _words(line)
    for at in range(len(mine)):
        yield b" ".join((*mine[:at], *mine[at + 1 :]))
    for word in not_in(line, known)[:FEW_WORDS]:
        yield from _added(line, mine, word)
    yield from islice(_turned(line, known), FEW_WORDS)


def likely(line: bytes, known: Sequence[bytes]) -> Iterator[bytes]:
    """Lines that differ by one likely change: blanks, a word gone, a word added at an end, another value.

    `known` are words, those of other builds first. Each line once; never `line` itself.
    """
    words = _words(line)
    seen = {line}
    for made in (*_texts(line), *_without(words), *other_values(line, known), *_at_ends(line, words, known)):
        if made not in seen:
            seen.add(made)
            yield made


def moved(line: bytes, _known: Sequence[bytes]) -> Iterator[bytes]:
    """Lines that differ by words that changed places, or by the number in one word."""
    words = _words(line)
    for at in range(len(words)):
        for other in range(len(words)):
            if at != other:
                made = [*words[:at], *words[at + 1 :]]
                made.insert(other, words[at])
                yield b" ".join(made)
    for at in range(len(words) - 1):
        for other in range(at + 2, len(words)):
            swapped = [*words]
            swapped[at], swapped[other] = words[other], words[at]
            yield b" ".join(swapped)
    yield from (b" ".join(sorted(words)), b" ".join(reversed(words)), line.upper(), line.lower())
    yield from _with_numbers(line)


def further(line: bytes, known: Sequence[bytes]) -> Iterator[bytes]:
    """Lines that differ by one less likely change: a known word inside, or with another number at the end."""
    words = _words(line)
    for word in not_in(line, known)[:LIKELY]:
        for at in range(1, len(words)):
            yield b" ".join((*words[:at], word, *words[at:]))
    for key, others in _by_key(tuple(known)).items():
        numbers = _LARGE if any(other.partition(b"=")[2].isdigit() for other in others) else ()
        for value in (*_STEPS, *_USUAL_NUMBERS, *numbers):
            yield line + b" " + key + b"=" + value


def unlikely(line: bytes, known: Sequence[bytes]) -> Iterator[bytes]:
    """Lines that differ by one change of all others that are tried: any word at any place, or instead of any."""
    words = _words(line)
    fresh = not_in(line, known)
    for word in fresh[LIKELY:]:
        for at in range(1, len(words)):
            yield b" ".join((*words[:at], word, *words[at:]))
    for word in fresh[:LIKELY]:
        for at in range(len(words)):
            yield b" ".join((*words[:at], word, *words[at + 1 :]))


def few_pairs(line: bytes, known: Sequence[bytes]) -> Iterator[bytes]:
    """Lines that differ by the most plausible two changes: words gone, or of the commonest added."""
    mine = line.split(b" ")
    fresh = not_in(line, known)[:FEW_WORDS]
    for first, second in combinations(range(len(mine)), 2):
        yield b" ".join((*mine[:first], *mine[first + 1 : second], *mine[second + 1 :]))
    for shorter, word in product(_without_one(mine), fresh):
        yield from _added(shorter, _words(shorter), word)
    for one, other in product(fresh, repeat=2):
        yield from _added(line, mine, one + b" " + other)


def two_changes(line: bytes, known: Sequence[bytes]) -> Iterator[bytes]:
    """Lines that differ by two words: one gone and any likely one added, two added, another value and one added."""
    mine = line.split(b" ")
    fresh = not_in(line, known)
    for shorter, word in product(_without_one(mine), fresh[:LIKELY]):
        yield from _added(shorter, _words(shorter), word)
    for changed, word in product(_turned(line, known), fresh[:FEW_WORDS]):
        yield from _added(changed, _words(changed), word)
    for one, other in product(fresh[:LIKELY_PAIRS], repeat=2):
        yield from _added(line, mine, one + b" " + other)


def two_other_changes(line: bytes, known: Sequence[bytes]) -> Iterator[bytes]:
    """Lines that differ by other values of two words, or of one and a word gone or added."""
    fresh = not_in(line, known)
    mine = _words(line)
    turned = {at: list(_turned_word(mine[at], known))[:FEW_VALUES] for at in range(len(mine))}
    for first, second in combinations(turned, 2):
        for one, other in product(turned[first], turned[second]):
            yield b" ".join((*mine[:first], one, *mine[first + 1 : second], other, *mine[second + 1 :]))
    for shorter in _without_one(line.split(b" ")):
        yield from _turned(shorter, known)
    for shorter, word in product(_without_one(line.split(b" ")), fresh[LIKELY:]):
        yield shorter + b" " + word


def three_changes(line: bytes, known: Sequence[bytes]) -> Iterator[bytes]:
    """Lines that differ by three words: one gone, and two added at the end."""
    fresh = not_in(line, known)[:FEW_WORDS]
    for shorter in _without_one(line.split(b" ")):
        for one, other in product(fresh, repeat=2):
            yield from _added(shorter, _words(shorter), one + b" " + other)


def _without_one(mine: list[bytes]) -> list[bytes]:
    return [b" ".join((*mine[:at], *mine[at + 1 :])) for at in range(len(mine))]


def with_root_of(line: bytes, other: bytes) -> bytes | None:
    """The line with the words about the root file system as `other` has them; None where it has no such words."""
    theirs = {_key(word): word for word in _words(other) if _key(word) in ROOT_KEYS}
    mine = _words(line)
    if not theirs or {_key(word) for word in mine} & ROOT_KEYS != set(theirs):
        return None
    return b" ".join(theirs.get(_key(word), word) for word in mine)


def changes(before: bytes, after: bytes) -> tuple[ChangedInput, ...]:
    """The words that differ, each an input; those about the root file system are one, the root hash."""
    mine, theirs = before.split(), after.split()
    if before == after:
        return ()
    if len(mine) * len(theirs) > MAX_WORDS**2:
        return (ChangedInput(name=COMMAND_LINE, was=_shape(before), now=_shape(after)),)
    if not mine or not theirs:
        return (ChangedInput(name=COMMAND_LINE, was=show(before), now=show(after)),)
    found: list[ChangedInput] = []
    root: list[tuple[bytes, bytes]] = []
    for was, now in _pairs(mine, theirs):
        if {_key(was), _key(now)} & ROOT_KEYS:
            root.append((was, now))
        else:
            found.append(
                ChangedInput(name=NAMED_KEYS.get(_key(was or now), COMMAND_LINE), was=show(was), now=show(now))
            )
    best = next((pair for pair in root if _key(pair[0]) == _key(pair[1]) and _key(pair[0]) in _HASH_KEYS), None)
    if best is not None:
        found.insert(0, ChangedInput(name=ROOT_HASH, was=_value(best[0]), now=_value(best[1])))
    else:  # a word about the root that was taken away, say, is no other root
        found += (ChangedInput(name=COMMAND_LINE, was=show(was), now=show(now)) for was, now in root)
    if not found:
        return (ChangedInput(name=COMMAND_LINE, was=_shape(before), now=_shape(after)),)
    return tuple(found)


def root_hash_of(line: bytes) -> str:
    """The root hash that the line names; empty where it names none."""
    return next((_value(word) for word in _words(line) if _key(word) in _HASH_KEYS), "")


def show(word: bytes) -> str:
    """The bytes as text that can be printed."""
    text = word.decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _pairs(mine: list[bytes], theirs: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """(was, is) for each word that differs; one pair for words that changed places."""
    if Counter(mine) == Counter(theirs):
        first = next((at for at, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b), None)
        if first is not None:
            last = max(at for at, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b)
            yield b" ".join(mine[first : last + 1]), b" ".join(theirs[first : last + 1])
        return
    for kind, a, b, c, d in SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        gone, come = mine[a:b], theirs[c:d]
        by_key = {_key(word): word for word in come}
        for word in gone:
            match = by_key.pop(_key(word), None)
            if match is not None:
                gone = [entry for entry in gone if entry != word]
                come = [entry for entry in come if entry != match]
                yield word, match
        for at in range(max(len(gone), len(come))):
            yield gone[at] if at < len(gone) else b"", come[at] if at < len(come) else b""


def _texts(line: bytes) -> Iterator[bytes]:
    """Changes that are no change of words: blanks, ends, the whole line."""
    yield from (line + b"\n", line + b" ", b" " + line, line.strip(), line.rstrip(b"\n"), b"", line + b"\r\n")
    yield from (b" ".join(line.split()), line + b"\0", b'"' + line + b'"', b"'" + line + b"'")
    yield from (line + b" initrd=initrd", b"initrd=initrd " + line)
    for at in range(1, min(line.count(b" "), MAX_WORDS) + 1):  # a blank twice
        yield b"  ".join((b" ".join(line.split(b" ")[:at]), b" ".join(line.split(b" ")[at:])))
    for cut in CUTS:
        if len(line) > cut:
            yield line[:cut]


def _without(words: list[bytes]) -> Iterator[bytes]:
    for at in range(len(words)):
        yield b" ".join((*words[:at], *words[at + 1 :]))
    for word, count in Counter(words).items():
        if count > 1:
            yield b" ".join(entry for entry in words if entry != word)
    for at in range(len(words)):  # a word twice
        yield b" ".join((*words[: at + 1], *words[at:]))


def other_values(line: bytes, known: Sequence[bytes]) -> Iterator[bytes]:
    """Lines in which one word has another value: one of `known`, a usual one, or a number near it."""
    words = _words(line)
    values = _by_key(tuple(known))
    for at, word in enumerate(words):
        key, sign, value = word.partition(b"=")
        others = [*values.get(key, ())]
        if sign:
            others += [key, *(key + b"=" + step for step in _numbers_near(value)), *(key + b"=" + s for s in _STEPS)]
        else:
            others += [key + b"=" + step for step in _STEPS]
        for other in others:
            if other != word:
                yield b" ".join((*words[:at], other, *words[at + 1 :]))


def _turned(line: bytes, known: Sequence[bytes]) -> Iterator[bytes]:
    """Lines in which one word has another value that it plausibly might have."""
    mine = _words(line)
    for at, word in enumerate(mine):
        for other in _turned_word(word, known):
            yield b" ".join((*mine[:at], other, *mine[at + 1 :]))


def _turned_word(word: bytes, known: Sequence[bytes]) -> Iterator[bytes]:
    """Other values of a word: those that others have, its opposite, numbers near it."""
    key, sign, value = word.partition(b"=")
    if not sign or key in ROOT_KEYS:
        return
    others = dict.fromkeys(_by_key(tuple(known)).get(key, ()))
    if value in _OPPOSITE:
        others[key + b"=" + _OPPOSITE[value]] = None
    usual = _USUAL_NUMBERS if value.lstrip(b"-").isdigit() else ()
    for number in (*usual, *_numbers_near(value)):
        others[key + b"=" + number] = None
    others.pop(word, None)
    yield from others


@lru_cache(maxsize=8)
def _by_key(known: tuple[bytes, ...]) -> dict[bytes, list[bytes]]:
    """The words of a vocabulary that give each key its values."""
    found: dict[bytes, list[bytes]] = {}
    for word in known:
        found.setdefault(_key(word), []).append(word)
    return found


def _with_numbers(line: bytes) -> Iterator[bytes]:
    """Lines in which a word has another number, or that say a word again with another value."""
    words = _words(line)
    for at, word in enumerate(words):
        key, sign, value = word.partition(b"=")
        if not sign or key in ROOT_KEYS:
            continue
        if value.lstrip(b"-").isdigit():
            for number in _NUMBERS:
                yield b" ".join((*words[:at], key + b"=" + number, *words[at + 1 :]))
        for value in (*_STEPS, *_USUAL_NUMBERS):
            yield line + b" " + key + b"=" + value


def _numbers_near(value: bytes) -> Iterator[bytes]:
    digits = value.rstrip(b"KMGkmg")
    if not digits.isdigit() or len(digits) > 12:  # noqa: PLR2004  # no such number is anybody's slip
        return
    number, unit = int(digits), value[len(digits) :]
    for near in (number - 1, number + 1, number * 2, number // 2, number * 10, number // 10):
        if near >= 0:
            yield str(near).encode() + unit


def not_in(line: bytes, known: Sequence[bytes]) -> list[bytes]:
    """The words of `known` that the line does not have."""
    mine = set(_words(line))
    return [word for word in known if word not in mine]


def _at_ends(line: bytes, words: list[bytes], known: Sequence[bytes]) -> Iterator[bytes]:
    if not any(words):
        yield from known
        return
    for word in not_in(line, known):
        yield from _added(line, words, word)


def _added(line: bytes, words: list[bytes], word: bytes) -> Iterator[bytes]:
    """The line with the word at either end, and before the words about the root file system, which builds add last."""
    yield line + b" " + word
    yield word + b" " + line
    at = next((place for place, entry in enumerate(words) if _key(entry) in ROOT_KEYS), 0)
    if at:
        yield b" ".join((*words[:at], word, *words[at:]))


def _words(line: bytes) -> list[bytes]:
    return line.split(b" ", MAX_WORDS)


def _key(word: bytes) -> bytes:
    return word.partition(b"=")[0]


def _value(word: bytes) -> str:
    return show(word.partition(b"=")[2] or word)


def _shape(line: bytes) -> str:
    """A line whose blanks matter: its length and its ends."""
    return f"{len(line)} bytes, “{show(line[:12])}…{show(line[-12:])}”"


def all_words(lines: Iterable[bytes]) -> tuple[bytes, ...]:
    """Every word of the lines, then the vocabulary; each once."""
    found = dict.fromkeys(word for line in lines for word in _words(line) if word)
    return tuple(dict.fromkeys((*found, *vocabulary())))
