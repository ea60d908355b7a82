# noqa: INP001  # a folder that Python runs, not a package
"""The agent, as `python3 -IB /usr/lib/warily` runs it: this folder is then the first of the module path."""

from warily.guest.agent import main

main()
