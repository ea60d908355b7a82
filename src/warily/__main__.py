"""`python -m warily` and the `warily` command."""

import sys

from warily import __version__


def main() -> int:
    """Run the command line; the exit status is the result."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        print(f"warily {__version__}")
        return 0
    from warily.cli.main import run_command_line  # noqa: PLC0415  # --version answers without it

    return run_command_line(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
