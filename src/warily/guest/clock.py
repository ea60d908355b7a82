"""The guest's clock: set once, by the broker's sealed word, whatever the host's real-time clock said at boot.

A host can delay a grant, and make the processor's counter run faster or slower afterwards: this bounds neither.
"""

import time
from typing import Final

TOLERANCE: Final = 30  # seconds that an honest grant may need on its way


def follow(at: int) -> str:
    """The clock is the broker's, `at` in seconds of Unix time; what to say of it, empty where it was right already."""
    off = at - int(time.time())
    if abs(off) <= TOLERANCE:
        return ""
    time.clock_settime(time.CLOCK_REALTIME, at)
    return f"warily: the clock was {abs(off)} s {'behind' if off > 0 else 'ahead'}, and is now the broker's"
