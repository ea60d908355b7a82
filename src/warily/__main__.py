"""`python -m warily` and the `warily` command."""

import gc
import os
import sys

from warily import __version__


def main() -> int:
    """Run the command line; the exit status is the result."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        print(f"warily {__version__}")
        return 0
    short = sys.argv[1:2] == ["measure"]
    if short:
        gc.disable()  # looking for garbage while modules load finds none
    from warily.cli.main import run_command_line  # noqa: PLC0415  # --version answers without it

    status = run_command_line(sys.argv[1:])
    if short:
        _leave(status)
    return status


def _leave(status: int) -> None:
    """End at once. A prediction leaves nothing to clean up, and unloading the interpreter takes a tenth of its time."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return  # the usual end says it in the usual way
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
