"""The completion scripts: complete, and understood by the shells themselves."""

import shutil
import subprocess
from pathlib import Path

import pytest

from warily.cli import completion
from warily.cli.main import VERBS, run_command_line

COMPLETE = """
source {script}
COMP_WORDS=({words} "{last}")
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_warily
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert run_command_line(["completion", shell]) == 0
    return capsys.readouterr().out


def completed(words: str, last: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What bash offers for the last word of a line."""
    path = tmp_path / "warily.bash"
    path.write_text(script("bash", capsys))
    text = COMPLETE.format(script=path, words=words, last=last)
    done = subprocess.run(["bash", "-uc", text], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "last", "offered"),
    [
        ("warily", "", list(VERBS)),
        ("warily", "-", ["--help", "--version"]),
        ("warily", "me", ["measure"]),
        ("warily up --tee", "", ["rehearsal", "snp", "tdx"]),
        ("warily up --print --tee", "s", ["snp"]),
        ("warily measure", "sn", ["snp"]),
        ("warily measure snp --vmm", "", ["qemu", "ec2", "gce"]),
        ("warily measure snp --vcpus 4", "--vm", ["--vmm"]),
        ("warily measure snp --append", "", []),
        ("warily manifest", "v", ["verify"]),
        ("warily completion", "", ["bash", "zsh", "fish"]),
        ("warily key", "", ["-h", "--help", "--json"]),
    ],
)
def test_bash_offers(
    words: str, last: str, offered: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sorted(completed(words, last, tmp_path, capsys)) == sorted(offered)


def test_bash_offers_files_and_folders_where_one_belongs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "report.bin").touch()
    (tmp_path / "repository").mkdir()
    assert sorted(completed("warily verify", "rep", tmp_path, capsys)) == ["report.bin", "repository"]
    assert completed("warily build --project", "rep", tmp_path, capsys) == ["repository"]
    assert completed("warily verify --at", "rep", tmp_path, capsys) == []


def in_fish(name: str) -> str:
    return f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_option_of_every_verb_is_there(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    for command in completion.commands():
        for option in command.options:
            for name in option.names:
                assert (in_fish(name) if shell == "fish" else name) in text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_parses_its_script(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "script"
    path.write_text(script(shell, capsys))
    done = subprocess.run([program, "-n", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_shell_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["completion", "csh"]) == 2
    assert "csh" in capsys.readouterr().err
