"""Where warily keeps things: keys and memory with the user, packages in a cache, a machine's state with its project."""

import os
from pathlib import Path
from typing import Final

PROJECT_STATE: Final = ".warily"


def keys() -> Path:
    """The folder of the user's own keys. `WARILY_KEYS` moves it."""
    chosen = os.environ.get("WARILY_KEYS")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "warily" / "keys"


def pool() -> Path:
    """The folder of downloaded packages, named by digest. `WARILY_POOL` moves it."""
    chosen = os.environ.get("WARILY_POOL")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "warily" / "pool"


def collateral() -> Path:
    """The folder of vendors' answers, and of the record of how new they were. `WARILY_COLLATERAL` moves it."""
    chosen = os.environ.get("WARILY_COLLATERAL")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "warily" / "collateral"


def control() -> Path:
    """The folder of the plain Debian machine that attacks are first tried on. `WARILY_CONTROL` moves it."""
    chosen = os.environ.get("WARILY_CONTROL")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "warily" / "control"


def state(project: Path) -> Path:
    """The folder in which a project's image, disks and broker live."""
    return project / PROJECT_STATE


def attacks(project: Path) -> Path:
    """The file of what a laboratory found out about the project's image."""
    return state(project) / "attacks.json"


def seen() -> Path:
    """The folder in which the newest thing seen of each log is remembered. `WARILY_SEEN` moves it."""
    chosen = os.environ.get("WARILY_SEEN")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "warily" / "seen"
