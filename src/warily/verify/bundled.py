"""What is inside bundles of fetched collateral, as if each item had been given as a file of its own."""

import hashlib
from datetime import datetime

from warily.errors import FormatError
from warily.formats.collateral_bundle import BundleItem, CollateralBundle


def item(name: str, data: bytes, *, source: str, fetched: datetime) -> BundleItem:
    """An item for a bundle, with its digest."""
    return BundleItem(name=name, source=source, fetched=fetched, sha256=hashlib.sha256(data).digest(), data=data)


def contents(data: bytes) -> list[bytes]:
    """The content of every item. Raises `FormatError`, also where a digest is not that of its item."""
    found = CollateralBundle.decode(data).items
    for entry in found:
        if hashlib.sha256(entry.data).digest() != entry.sha256:
            msg = f"collateral bundle: {entry.name} is not what its digest says: the file was damaged or changed"
            raise FormatError(msg)
    return [entry.data for entry in found]
