"""How long `warily --version` and `warily --help` take over the bare interpreter.

usage: python bench/start.py
"""

import statistics
import subprocess
import sys
import time

WANTED = 60.0  # milliseconds
ROUNDS = 15


def main() -> int:
    bare = median([sys.executable, "-c", "pass"])
    print(f"bare interpreter   {bare:6.1f} ms, median of {ROUNDS}")
    worst = 0.0
    for option in ("--version", "--help"):
        took = median([sys.executable, "-m", "warily", option])
        worst = max(worst, took - bare)
        print(f"warily {option:<11} {took:6.1f} ms, {took - bare:5.1f} ms more")
    print(f"wanted: at most {WANTED:.0f} ms more")
    return 0 if worst <= WANTED else 1


def median(command: list[str]) -> float:
    """Milliseconds from start to end, files cached."""
    subprocess.run(command, capture_output=True, check=True)
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
