"""Print the completion of verbs, options and their values for a shell.

  bash   source <(warily completion bash)      for ever: in ~/.bashrc
  zsh    source <(warily completion zsh)       for ever: in ~/.zshrc, after compinit
  fish   warily completion fish | source       for ever: into ~/.config/fish/completions/warily.fish

It is made from the same declarations as --help.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

# What an option's value is, by the metavar it is shown with; anything else is free text.
FILES: Final = ("FILE", "PATH", "EVIDENCE", "KEYFILE", "FILE|HEX", "HEX|FILE", "SHA256|FILE", "genuine|baseline|FILE")
FOLDERS: Final = ("DIR",)
GLOBAL: Final = ("--help", "--version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option or positional argument. `value` is `none`, `file`, `folder`, `word` or `text`."""

    names: tuple[str, ...]
    value: str
    words: tuple[str, ...]
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What may follow some words of a command line, such as `measure snp`."""

    path: tuple[str, ...]
    options: tuple[Option, ...]
    arguments: tuple[Option, ...]
    words: dict[str, str]

    @property
    def plain(self) -> tuple[str, ...]:
        """The words that can stand next and are no options."""
        return (*self.words, *(word for argument in self.arguments for word in argument.words))

    @property
    def flags(self) -> tuple[str, ...]:
        """The names of all options."""
        return tuple(name for option in self.options for name in option.names)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the shell."""
    parser.add_argument("shell", choices=tuple(SHELLS), help="for which shell")


def run(options: argparse.Namespace) -> int:
    """Print the script; it is a script with or without --json."""
    print(SHELLS[options.shell](commands()), end="")
    return 0


def commands() -> tuple[Command, ...]:
    """The command line as a whole: `warily` itself first, then each verb and what it has below."""
    from warily.cli.main import VERBS, parser_for  # noqa: PLC0415  # main imports verbs, and not the reverse

    top = Command(path=(), options=(Option(names=GLOBAL, value="none", words=(), help=""),), arguments=(), words=VERBS)
    below = [command for verb in VERBS for command in _below((verb,), parser_for(verb))]
    return (top, *below)


def _below(path: tuple[str, ...], parser: argparse.ArgumentParser) -> Iterator[Command]:
    """The command that a parser declares, and those of its subparsers."""
    options, arguments_, words, deeper = [], [], {}, []
    for action in parser._actions:  # noqa: SLF001  # argparse has no public way to ask what was declared
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  # likewise
            words = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001  # likewise
            deeper = [((*path, name), sub) for name, sub in action.choices.items()]
        elif action.option_strings:
            options.append(_option(action))
        else:
            arguments_.append(_option(action))
    yield Command(path=path, options=tuple(options), arguments=tuple(arguments_), words=words)
    for name, sub in deeper:
        yield from _below(name, sub)


def _option(action: argparse.Action) -> Option:
    words = tuple(map(str, action.choices or ()))
    if action.nargs == 0:
        value = "none"
    elif words:
        value = "word"
    elif action.metavar in FILES or action.dest == "file":
        value = "file"
    else:
        value = "folder" if action.metavar in FOLDERS else "text"
    return Option(names=tuple(action.option_strings), value=value, words=words, help=_plain(action.help or ""))


def _plain(text: str) -> str:
    """A help text in one line that no shell reads anything into."""
    kept = "".join(" " if mark in "\"'`\\$[]%(){}" else mark for mark in text.partition("%(")[0])
    return " ".join(kept.replace(":", ",").split())


BASH: Final = """\
# Completion of warily for bash.
_warily() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path= at plain= flags= files=
    for ((at = 1; at < COMP_CWORD; at++)); do
        case "$path ${COMP_WORDS[at]}" in
            %(paths)s) path="$path ${COMP_WORDS[at]}" ;;
        esac
    done
    case "$path $before" in
%(values)s
    esac
    case "$path" in
%(words)s
    esac
    [[ $word == -* || -z $plain$files ]] && plain=$flags files=
    COMPREPLY=($(compgen $files -W "$plain" -- "$word"))
}
complete -F _warily warily
"""


def bash(found: tuple[Command, ...]) -> str:
    """The script for bash."""
    paths = " | ".join(f'" {" ".join(command.path)}"' for command in found if command.path)
    values = []
    for command in found:
        for option in command.options:
            if option.value != "none":
                pattern = " | ".join(f'"{_spaced(command.path)} {name}"' for name in option.names)
                values.append(f"        {pattern}) {_bash_value(option)}; return ;;")
    words = [f'        "{_spaced(command.path)}") {_bash_words(command)} ;;' for command in found]
    return BASH % {"paths": paths, "values": "\n".join(values), "words": "\n".join(words)}


def _spaced(path: tuple[str, ...]) -> str:
    return "".join(f" {word}" for word in path)


def _bash_value(option: Option) -> str:
    generator = {"file": "-f", "folder": "-d", "text": '-W ""'}.get(option.value, f'-W "{" ".join(option.words)}"')
    return f'COMPREPLY=($(compgen {generator} -- "$word"))'


def _bash_words(command: Command) -> str:
    files = "-f" if any(argument.value == "file" for argument in command.arguments) else ""
    return f'plain="{" ".join(command.plain)}" flags="{" ".join(command.flags)}" files={files}'


ZSH: Final = """\
#compdef warily
# Completion of warily for zsh.
_warily() {
    local path_= at
    for ((at = 2; at < CURRENT; at++)); do
        case "$path_ ${words[at]}" in
            %(paths)s) path_="$path_ ${words[at]}"; words[at]=() ; ((CURRENT--, at--)) ;;
        esac
    done
    case "$path_" in
%(cases)s
    esac
}
compdef _warily warily
"""


def zsh(found: tuple[Command, ...]) -> str:
    """The script for zsh."""
    paths = " | ".join(f'" {" ".join(command.path)}"' for command in found if command.path)
    cases = []
    for command in found:
        specs = [spec for option in command.options for spec in _zsh_option(option)]
        places = range(1, 1 + len(command.arguments)) if len(command.arguments) > 1 else "*"
        specs += [f"'{at}: :{_zsh_value(argument)}'" for at, argument in zip(places, command.arguments, strict=False)]
        if command.words:
            rows = " ".join(f'{name}\\:"{_plain(what)}"' for name, what in command.words.items())
            specs.append(f"'1: :(({rows}))'")
        cases.append(f'        "{_spaced(command.path)}") _arguments {" ".join(specs)} ;;')
    return ZSH % {"paths": paths, "cases": "\n".join(cases)}


def _zsh_option(option: Option) -> Iterator[str]:
    for name in option.names:
        shown = f"[{option.help}]" if option.help else ""
        yield f"'*{name}{shown}'" if option.value == "none" else f"'*{name}{shown}: :{_zsh_value(option)}'"


def _zsh_value(option: Option) -> str:
    return {"file": "_files", "folder": "_files -/", "text": " "}.get(option.value, f"({' '.join(option.words)})")


def fish(found: tuple[Command, ...]) -> str:
    """The script for fish."""
    lines = ["# Completion of warily for fish.", "complete -c warily -f"]
    for command in found:
        here = _fish_condition(command)
        lines += [f"complete -c warily {here} -a {name} -d '{_plain(what)}'" for name, what in command.words.items()]
        for option in command.options:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            shown = f" -d '{option.help}'" if option.help else ""
            lines.append(f"complete -c warily {here} {names}{_fish_value(option)}{shown}")
        for argument in command.arguments:
            if argument.value == "file":
                lines.append(f"complete -c warily {here} -F")
            elif argument.words:
                lines.append(f"complete -c warily {here} -a '{' '.join(argument.words)}'")
    return "\n".join(lines) + "\n"


def _fish_condition(command: Command) -> str:
    """When a line applies: every word of the path was said, and none of those that lead further."""
    said = [f"__fish_seen_subcommand_from {word}" for word in command.path]
    if command.words:
        said.append(f"not __fish_seen_subcommand_from {' '.join(command.words)}")
    return f"-n '{'; and '.join(said)}'"


def _fish_value(option: Option) -> str:
    known = {"none": "", "file": " -r -F", "folder": " -x -a '(__fish_complete_directories)'", "text": " -x"}
    return known.get(option.value, f" -x -a '{' '.join(option.words)}'")


SHELLS: Final[dict[str, Callable[[tuple[Command, ...]], str]]] = {"bash": bash, "zsh": zsh, "fish": fish}
