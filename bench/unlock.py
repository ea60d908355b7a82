"""From a declaration to an unlocked volume under emulation: the first time, and again.

    python bench/unlock.py [PROJECT]

Each figure is one whole `warily up --once`, timed from outside; `boot to up` is what it says itself, from
the start of the broker until the ports answer. Nobody else does this path in one command, so there is no
peer to run beside it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent / "examples" / "ledger"
STATE = ".warily"


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLE
    with tempfile.TemporaryDirectory(prefix="warily-bench-") as place:
        project = Path(place) / "project"
        shutil.copytree(source, project, ignore=shutil.ignore_patterns(STATE))
        environment = os.environ | {"WARILY_KEYS": str(Path(place) / "keys")}
        print(f"{'run':<36}{'whole command':>16}{'boot to up':>14}")
        for title in ("first: build, format, boot", "second: reuse, open, boot", "third: likewise"):
            started = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "warily", "up", "--once", "--json", "--quiet", "--project", str(project)],
                env=environment,
                stdout=subprocess.PIPE,
                check=True,
            )
            took = time.perf_counter() - started
            inner = json.loads(done.stdout)["seconds"]
            print(f"{title:<36}{took:>14.1f} s{inner:>12.1f} s")


if __name__ == "__main__":
    main()
