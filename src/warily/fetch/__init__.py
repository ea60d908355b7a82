"""What vendors say about the hardware of a piece of evidence, fetched: `plan` says what is needed, `collect` gets it.

`plan` is pure: evidence in, named requests out. `door` is the one place that speaks to a network, `cache` keeps what
was answered, `memory` how new it was. Nothing here judges evidence, and no verification ever comes here.
"""
