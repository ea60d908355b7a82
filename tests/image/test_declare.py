"""The declaration: what is read, what is refused, and that parser and schema are of one mind."""

import contextlib
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.core.declaration import Platform
from warily.errors import UsageError
from warily.image import declare
from warily.image.settings import SECTIONS, SETTINGS, schema

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "ledger"
SMALL = 'name = "a"\n'


def refused(text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        declare.parse(text.encode())
    return caught.value


def test_the_example_is_read_whole() -> None:
    made = declare.read(EXAMPLE)
    assert (made.name, made.suite, made.packages) == ("ledger", "trixie", ("python3",))
    assert (made.machine.cpus, made.machine.memory) == (2, 1 << 30)
    assert made.machine.platforms == (Platform.REHEARSAL, Platform.SNP, Platform.TDX)
    assert [(volume.name, volume.size, volume.mount) for volume in made.volumes] == [("data", 64 << 20, "/data")]
    assert [(port.guest, port.host) for port in made.ports] == [(8080, 8080)]
    assert made.services[0].volumes == ("data",)
    assert made.files[0].mode == 0o755


def test_defaults_are_filled_in() -> None:
    made = declare.parse(SMALL.encode())
    assert (made.suite, made.machine.cpus, made.machine.platforms) == ("trixie", 1, (Platform.REHEARSAL,))
    assert made.command_line == ()


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        (SMALL + "[machine]\nmemroy = '1G'\n", "line 3: [machine] has no key 'memroy'", "did you mean 'memory'?"),
        (SMALL + "[mashine]\ncpus = 1\n", "line 2: the top level has no key 'mashine'", "did you mean 'machine'?"),
        ("nmae = 'a'\n", "line 1: the top level has no key 'nmae'", "did you mean 'name'?"),
        (
            SMALL + "[[ports]]\nguest=1024\nhost=1024\n[[ports]]\nguest=1025\nhots=1\n",
            "line 7: [ports] has no key 'hots'",
            "did you mean 'host'?",
        ),
        (SMALL + "[machine]\nplatforms = ['snpp']\n", "line 3: [machine] platforms is 'snpp', not 'snp'", ""),
        (SMALL + "[image]\nsuite = 'sid'\n", "suite is 'sid'", ""),
        (SMALL + "[machine]\ncpus = 65\n", "cpus is not an integer in 1..64", ""),
        (SMALL + "[machine]\ncpus = true\n", "cpus is not an integer", ""),
        (SMALL + "[machine]\nmemory = '1X'\n", "memory is not a size", ""),
        (SMALL + "[machine]\nmemory = '1M'\n", "from 512M to 2T", ""),
        (SMALL + "[machine]\ncpu = 'EPYC-Rom'\n", "unknown CPU model", "did you mean"),
        (SMALL + "[[files]]\nsource='x'\ntarget='/opt/x'\nmode=644\n", "mode is not an integer in 0..511", "0o755"),
        (SMALL + "[[files]]\nsource='../x'\ntarget='/opt/x'\n", "leaves the project's folder", ""),
        (SMALL + "[[files]]\nsource='x'\ntarget='/usr/lib/warily/x'\n", "/usr/lib/warily belongs to the system", ""),
        (SMALL + "[[files]]\nsource='x'\ntarget='/opt/../etc/x'\n", "not a plain path", ""),
        (SMALL + "[[services]]\nname='s'\ncommand=['true']\n", "not an absolute path", ""),
        (SMALL + "[[services]]\nname='s'\ncommand=['/a']\nvolumes=['dat']\n", "'dat', which is not declared", ""),
        (SMALL + "[[services]]\nname='s'\ncommand=[\"/a\\u0000\"]\n", "command cannot be", ""),
        (SMALL + "[[volumes]]\nname='d'\nsize='64M'\nmount='/usr/x'\n", "/usr belongs to the system", ""),
        (SMALL + 2 * "[[volumes]]\nname='d'\nsize='64M'\nmount='/d'\n", "stands there twice", ""),
        (SMALL + "[[ports]]\nguest=80\nhost=8080\n", "guest is not an integer in 1024..65535", ""),
        (SMALL + "[volumes]\nname='d'\n", "volumes is written [[volumes]]", ""),
        (SMALL + "[[machine]]\ncpus=1\n", "machine is written [machine]", ""),
        (SMALL + "[[volumes]]\nname='d'\nsize='64M'\n", "line 2: [volumes] mount is missing", ""),
        ("name = 'A b'\n", "name cannot be 'A b'", ""),
        ("[image]\n", "name is missing", ""),
        ("name = \n", "Invalid value", ""),
        (SMALL + "[image]\npackages=['a;b']\n", "packages cannot be 'a;b'", ""),
        (SMALL + "[image]\npackages=['aa','aa']\n", "names something twice", ""),
        (SMALL + "[kernel]\ncommand_line=['init=/bin/sh']\n", "may not say 'init=/bin/sh'", "what may be added"),
    ],
)
def test_what_is_wrong_is_refused_and_named(text: str, where: str, hint: str) -> None:
    error = refused(text)
    assert where in str(error)
    assert hint in (error.hint or "")


def test_a_volume_does_not_hide_declared_files() -> None:
    text = SMALL + "[[volumes]]\nname='d'\nsize='64M'\nmount='/srv'\n[[files]]\nsource='x'\ntarget='/srv/x'\n"
    assert "would hide" in str(refused(text))


def test_the_file_is_bounded() -> None:
    assert "over" in str(refused("# " + "x" * declare.LIMIT))


def test_deep_nesting_is_refused() -> None:
    refused("name = " + "[" * 100_000)


@given(st.text(max_size=200))
def test_arbitrary_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        declare.parse(text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        declare.parse(data)


@given(st.integers(1, 999), st.sampled_from(["", "K", "M", "G", "T"]))
def test_sizes_are_read_as_shown(number: int, unit: str) -> None:
    count = declare.size(f"{number}{unit}")
    assert count is not None
    assert declare.size(declare.shown(count)) == count


def values() -> st.SearchStrategy[object]:
    """Things that stand in declarations, right ones and wrong ones."""
    word = st.sampled_from(["a", "data", "/data", "/etc/x", "64M", "1G", "trixie", "sid", "snp", "EPYC-v4", "X", ""])
    return st.one_of(word, st.integers(-1, 70000), st.booleans(), st.lists(word, max_size=3))


@st.composite
def declarations(draw: st.DrawFn) -> dict[str, Any]:
    """Declarations with the right keys and any values."""
    keys = {section.name: [s.key for s in SETTINGS if s.section == section.name] for section in SECTIONS}
    top: dict[str, Any] = draw(st.fixed_dictionaries({"name": values()}))
    for section in SECTIONS[1:]:
        table = st.fixed_dictionaries({}, optional=dict.fromkeys(keys[section.name], values()))
        if draw(st.booleans()):
            top[section.name] = draw(st.lists(table, max_size=2) if section.most else table)
    return top


@given(declarations())
def test_what_the_parser_takes_the_schema_takes(top: dict[str, Any]) -> None:
    try:
        declare._Reader("").declaration(top)
    except UsageError:
        return
    jsonschema.validate(top, schema())


def test_the_schema_refuses_what_the_table_does_not_know() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate({"name": "a"}, schema())
    refused_by_schema: list[dict[str, Any]] = [{"name": "a", "memroy": 1}, {"name": "a", "machine": {"cpus": 0}}, {}]
    for wrong in refused_by_schema:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema())
