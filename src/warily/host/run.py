"""The one door to other programs."""

import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from warily.errors import HostError

TAIL: Final = 2000


def find(program: str, *, package: str) -> str:
    """The path of `program`. Raises `HostError` with the Debian package that brings it."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if found is None:
        msg = f"{program} is not installed"
        raise HostError(msg, hint=f"run `apt-get install {package}`, or `./dev up`, which installs what is missing")
    return found


def run(
    command: Sequence[str | Path],
    *,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
) -> bytes:
    """What `command` prints on standard output, once it has succeeded.

    Raises `HostError` with the exact command and the end of its standard error otherwise.
    No secret belongs in `command`.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(  # noqa: S603  # an argument vector, never a shell
            words, input=stdin, capture_output=True, check=False, env=env, cwd=cwd, timeout=timeout
        )
    except FileNotFoundError:
        msg = f"{words[0]} is not installed"
        raise HostError(msg) from None
    except subprocess.TimeoutExpired:
        msg = f"{shlex.join(words)} took over {timeout:.0f} s"
        raise HostError(msg) from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace")[-TAIL:].strip()
        msg = f"{shlex.join(words)} ended with status {done.returncode}"
        raise HostError(msg, hint=said or None)
    return done.stdout
