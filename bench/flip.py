"""Change every signed bit of genuine evidence, one at a time: none may be accepted.

usage: python bench/flip.py [WORD]...    (minutes; needs the vectors; WORD chooses by name)

Exit status 10 where a bit could change. The tests try a sample of the same bits; docs/fuzzing.md has the result.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.conftest import vectors_folder
from tests.genuine import genuine

FOUND = 10


def main() -> int:
    wrong = tried = 0
    print("| evidence | signed bits | accepted with one changed | processor seconds |\n| --- | --- | --- | --- |")
    for evidence in genuine(vectors_folder()):
        if sys.argv[1:] and not any(word in evidence.name for word in sys.argv[1:]):
            continue
        assert evidence.accepts(evidence.data), evidence.name
        started = time.process_time()
        accepted = evidence.accepted_with(evidence.bits)
        took = time.process_time() - started
        print(f"| `{evidence.name}` | {len(evidence.bits)} | {len(accepted)} | {took:.0f} |", flush=True)
        wrong += len(accepted)
        tried += len(evidence.bits)
    print(f"\n{tried} bits, {wrong} that could change")
    return FOUND if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
