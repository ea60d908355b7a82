"""IGVM files as trees."""

from collections.abc import Iterator

from warily.errors import FormatError
from warily.formats._layout import Layout
from warily.formats.igvm import MAGIC, FixedHeader, Igvm
from warily.verify.inspect.node import Node, few, layout_node


def is_igvm(data: bytes) -> bool:
    """Whether the file begins as IGVM files do."""
    return data.startswith(MAGIC)


def igvm_node(data: bytes) -> Node:
    """The fixed header and the variable headers; file data is what these refer to."""
    parts = [layout_node(FixedHeader, data[: FixedHeader.SIZE], at=0)]
    note = ""
    try:
        parts += few(_headers(Igvm.parse(data)))
    except FormatError as error:
        note = f"malformed: {error}"
    return Node(name="IGVM file", offset=0, size=len(data), note=note, parts=tuple(parts))


def _headers(file: Igvm) -> Iterator[Node]:
    for header in file.headers:
        if isinstance(header.value, Layout):
            yield layout_node(type(header.value), header.value.pack(), at=header.offset, name=header.name)
        else:
            yield Node(name=header.name, offset=header.offset, size=len(header.value))
