"""A kernel's configuration (`.config`, `/boot/config-*`, `/proc/config.gz` unpacked): symbol → value."""

import re
from typing import Final

from warily.errors import FormatError

LIMIT: Final = 8 << 20
_SET: Final = re.compile(r"CONFIG_([A-Za-z0-9_]+)=(.*)")
_LINE: Final = re.compile(r"^(?:CONFIG_[A-Za-z0-9_]+=|# CONFIG_[A-Za-z0-9_]+ is not set)", re.MULTILINE)
_VERSION: Final = re.compile(r"# Linux/\S+ (\d+(?:\.\d+)+)")
_ENOUGH: Final = 20


def decode(data: bytes) -> dict[str, str]:
    """Every symbol that is set, `y`, `m`, a number, or text without its quotes. Unset symbols are left out.

    Raises `FormatError` where a line is neither a setting nor a comment, a symbol is set twice, or there are too few
    settings for a kernel.
    """
    if len(data) > LIMIT:
        msg = f"kernel configuration: over {LIMIT} bytes"
        raise FormatError(msg)
    found: dict[str, str] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        setting = _SET.fullmatch(line)
        if setting is None:
            if line.strip() and not line.startswith("#"):
                msg = f"kernel configuration: line {number} is no setting"
                raise FormatError(msg)
            continue
        symbol, value = setting.groups()
        if found.setdefault(symbol, value.removeprefix('"').removesuffix('"')) != value.strip('"'):
            msg = f"kernel configuration: line {number} sets {symbol} again"
            raise FormatError(msg)
    if len(found) < _ENOUGH:
        raise FormatError("kernel configuration: too few settings to be a whole one")
    return found


def looks_like(data: bytes) -> bool:
    """One of its first lines sets a symbol, or says that one is not set."""
    return _LINE.search(data[:65536].decode("utf-8", "replace")) is not None


def version(data: bytes) -> str:
    """The kernel's version in the header comment, or nothing."""
    found = _VERSION.search(data[:4096].decode("utf-8", "replace"))
    return found.group(1) if found else ""
