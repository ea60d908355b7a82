"""Is the evidence genuine, and is it what was wanted? Pure: evidence, collateral, expectation, time."""
