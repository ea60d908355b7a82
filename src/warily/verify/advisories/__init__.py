"""Which known attacks does evidence exclude? Bulletins are dated data (`data/advisories`), judged here, never coded.

`book` reads the data, `judge` compares it with what evidence says, `demand` makes the finding that an expectation asks
for. What a condition means stands with the platform: `verify/snp/exposure.py`, `verify/tdx/exposure.py`.
"""

from warily.verify.advisories.book import Advisory, Answer, Condition, advisories, known_ids, read_advisory
from warily.verify.advisories.demand import demanded
from warily.verify.advisories.judge import Facts, Held, judge

__all__ = [
    "Advisory",
    "Answer",
    "Condition",
    "Facts",
    "Held",
    "advisories",
    "demanded",
    "judge",
    "known_ids",
    "read_advisory",
]
