"""The Authenticode digest of a PE image: what firmware measures when it loads a program, and what Secure Boot signs.

Source: Microsoft "Windows Authenticode Portable Executable Signature Format", "Calculating the PE Image Hash";
edk2 SecurityPkg/Tcg/Tcg2Dxe/MeasureBootPeCoff.c, which measures exactly that.
"""

import hashlib

from warily.formats.pe import PeImage


def authenticode(data: bytes | memoryview, algorithm: str) -> bytes:
    """The digest of the image `data` under `algorithm` (as `hashlib` names it). Raises `FormatError`.

    Checksum, certificate entry and certificates do not count; sections count in the order of their place in
    the file, with their padding; what follows them and is no certificate counts last.
    """
    image = PeImage.parse(data)
    view = memoryview(data)
    digest = hashlib.new(algorithm)
    digest.update(view[: image.checksum_at])
    after_checksum = image.checksum_at + 4
    if image.certificates_at is None:
        digest.update(view[after_checksum : image.size_of_headers])
    else:
        digest.update(view[after_checksum : image.certificates_at])
        digest.update(view[image.certificates_at + 8 : image.size_of_headers])
    hashed = image.size_of_headers
    for section in sorted(image.sections, key=lambda part: part.raw_offset):
        digest.update(view[section.raw_offset : section.raw_offset + section.raw_size])
        hashed += section.raw_size
    # The rest begins where the count of bytes ends, not where the last section does: the specification says so,
    # and firmware does it. The two differ where there are gaps between sections.
    digest.update(view[hashed : image.size - image.certificates.size])
    return digest.digest()
