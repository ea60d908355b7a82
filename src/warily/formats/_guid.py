"""GUIDs as UEFI stores them: the first three groups little-endian, the rest as printed."""


def guid(text: str) -> bytes:
    """The 16 bytes of the GUID printed as `text`. Source: UEFI Specification 2.10, appendix A."""
    first, second, third, *rest = text.split("-")
    return b"".join(bytes.fromhex(group)[::-1] for group in (first, second, third)) + bytes.fromhex("".join(rest))


def text_of(value: bytes) -> str:
    """How the 16 bytes `value` are printed."""
    groups = (value[3::-1], value[5:3:-1], value[7:5:-1], value[8:10], value[10:])
    return "-".join(group.hex() for group in groups)
