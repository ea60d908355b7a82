"""How long explaining takes: every row of the mutation table, each from nothing, and how often its cause comes first.

  python bench/explain.py [--rows N]

Needs the vectors (WARILY_VECTORS), whose firmware the builds are made of. Each row reads nothing that the row
before it made. Prints the median and the longest processor time for one changed input and for two, the share that was
named rightly, and how many candidates a search compares in a second.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.explain.known_builds import all_builds
from tests.explain.test_mutations import Mutation, loose, mutations_of_one, mutations_of_two, names_first
from warily.explain.explainer import Explainer


def row(mutation: Mutation, inputs: int) -> tuple[float, bool, int]:
    """Seconds of processor time, whether the changed inputs came first, and how many candidates were compared."""
    changed, names = mutation
    value = changed.digest()
    builds, parts = all_builds(), loose()
    start = time.process_time()
    answer = Explainer(builds, parts=parts).explain(value)
    seconds = time.process_time() - start
    return seconds, names_first(answer, names) and len(answer.nearest[0].inputs) == inputs, answer.searched


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000, help="at most so many rows of each table")
    options = parser.parse_args()
    for said, table, inputs in (("one input", mutations_of_one, 1), ("two inputs", mutations_of_two, 2)):
        found = [row(mutation, inputs) for mutation in table()[: options.rows]]
        times = [seconds for seconds, _, _ in found]
        named = sum(right for _, right, _ in found)
        print(
            f"{said:>10}: {named} of {len(found)} named first, median {statistics.median(times):.3f} s, "
            f"longest {max(times):.3f} s"
        )
    start = time.process_time()
    searched = Explainer(all_builds(), parts=loose()).explain(bytes(range(48))).searched
    seconds = time.process_time() - start
    print(f" a stranger: {searched:,} candidates in {seconds:.2f} s, {seconds / searched * 1e6:.1f} µs each")


if __name__ == "__main__":
    main()
