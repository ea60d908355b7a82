"""`--nonce HEX`: the challenge of this one request, which an expectation file cannot hold."""

import argparse
from dataclasses import fields, replace
from typing import Any, Final, overload

from warily.core.expect import Expect, LastWord, PlatformExpect
from warily.errors import UsageError

REPORT_DATA: Final = 64  # bytes of REPORT_DATA and REPORTDATA
MAX_NONCE: Final = 4096


def nonce_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the challenge."""
    parser.add_argument(
        "--nonce", metavar="HEX", help="the challenge that the evidence must answer: nonce, or report data"
    )


@overload
def answering(expect: PlatformExpect, text: str | None) -> PlatformExpect: ...
@overload
def answering(expect: LastWord, text: str | None) -> LastWord: ...
def answering(expect: Expect, text: str | None) -> Expect:
    """The expectation that also wants this challenge answered: as the nonce, or as the report data and then zeros.

    Raises `UsageError` for what is no hexadecimal, too long, or where evidence of that kind has no challenge.
    """
    if text is None:
        return expect
    if isinstance(expect, LastWord):
        return replace(expect, over=answering(expect.over, text))
    try:
        nonce = bytes.fromhex(text)
    except ValueError:
        nonce = b""
    if not 1 <= len(nonce) <= MAX_NONCE:
        msg = f"--nonce is not 1 to {MAX_NONCE} bytes in hexadecimal"
        raise UsageError(msg)
    names = {entry.name for entry in fields(expect)}
    wanted: dict[str, Any] = {"nonce": nonce} if "nonce" in names else {}
    if not wanted and "report_data" in names and len(nonce) <= REPORT_DATA:
        wanted = {"report_data": nonce.ljust(REPORT_DATA, b"\x00")}
    if not wanted:
        msg = "--nonce is too long, or this evidence answers no challenge"
        raise UsageError(msg)
    return replace(expect, **wanted)
