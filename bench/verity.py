"""The dm-verity tree, ours and veritysetup's, over one file in one run.

usage: python bench/verity.py [MiB]    (needs cryptsetup-bin)
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from warily.image import verity

WANTED = 1.8
ROUNDS = 5
SALT = bytes(range(32))


def main() -> int:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    with tempfile.TemporaryDirectory() as place:
        data, ours, theirs = (Path(place) / name for name in ("data", "ours", "theirs"))
        block = os.urandom(1 << 20)
        with data.open("wb") as file:
            for number in range(size):
                file.write(number.to_bytes(8, "little") + block[8:])
        words = ["veritysetup", "format", "--no-superblock", f"--salt={SALT.hex()}", str(data), str(theirs)]
        env = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
        fast = slow = float("inf")
        for _ in range(ROUNDS):  # in turn, so that whatever else the machine does hits both
            fast = min(fast, seconds(lambda: verity.write_tree(data, ours, salt=SALT)))
            slow = min(slow, seconds(lambda: subprocess.run(words, env=env, capture_output=True, check=True)))
        same = ours.read_bytes() == theirs.read_bytes()
    print(f"file         {size} MiB, {os.cpu_count()} processors, best of {ROUNDS}")
    print(f"warily       {fast:6.2f} s  {size / 1024 / fast:5.2f} GiB/s")
    print(f"veritysetup  {slow:6.2f} s  {size / 1024 / slow:5.2f} GiB/s")
    print(f"ratio        {slow / fast:6.2f}    wanted {WANTED}")
    print(f"same bytes   {same}")
    return 0 if same and slow / fast >= WANTED else 1


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
