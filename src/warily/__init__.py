"""warily: virtual machines whose host is hostile.

The command line is `warily`; the library surface grows here, one curated name at a time.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
