"""`warily measure igvm`: machines that an IGVM file describes whole."""

import argparse
import json
from typing import TYPE_CHECKING, Final

from warily.cli.measure_common import output_options, read

if TYPE_CHECKING:
    from warily.core.registers import Prediction
    from warily.formats._layout import Layout
    from warily.formats.igvm import Igvm

DESCRIPTION: Final = r"""
Predict what SNP or TDX reports of a machine that starts from an IGVM file.

The file holds every page and the state of every processor, so nothing of the host counts. Where tools that measure
such files differ, --candidates has the digests of each, and --match HEX names the one that a report shows.

  warily measure igvm coconut-qemu.igvm --platform snp
  warily measure igvm coconut-qemu.igvm --list
"""


def declare(platforms: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the platform."""
    parser = platforms.add_parser(
        "igvm",
        help="an SNP or TDX guest started from an IGVM file",
        description=DESCRIPTION.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    output_options(parser)
    parser.add_argument("file", metavar="FILE", help="the IGVM file")
    parser.add_argument("--platform", choices=("snp", "tdx"), default="", help="which of the platforms it is for")
    parser.add_argument("--list", action="store_true", help="list the file's headers instead")
    parser.add_argument(
        "--candidates", action="store_true", help="the digests that other tools and monitors make of it"
    )
    parser.add_argument(
        "--match", metavar="HEX", help="name the candidate of this digest; exit status 10 if there is none"
    )
    parser.set_defaults(measure=_measure)


def _measure(options: argparse.Namespace) -> "Prediction | None":
    from warily.core.registers import Prediction  # noqa: PLC0415  # --help answers without it
    from warily.formats.igvm import LIMIT, Igvm  # noqa: PLC0415  # likewise
    from warily.measure import igvm  # noqa: PLC0415  # likewise

    file = Igvm.parse(read(options.file, LIMIT))
    if options.list:
        _list(file, as_json=options.json)
        return None
    found = igvm.measure(file, options.platform, each_page=options.trace == "pages")
    if options.candidates or options.match or options.json:
        return found
    return Prediction(registers=found.registers, trace=found.trace)


def _list(file: "Igvm", *, as_json: bool) -> None:
    """Print the headers: offset in the file, type, fields."""
    rows = [(header.offset, header.name, _fields(header.value)) for header in file.headers]
    if as_json:
        about = {"version": file.version, "architecture": file.architecture, "page_size": file.page_size}
        headers = [{"offset": offset, "header": name, "fields": fields} for offset, name, fields in rows]
        print(json.dumps({**about, "headers": headers}, indent=2))
        return
    for offset, name, fields in rows:
        print(f"{offset:#08x}  {name:<20}  " + "  ".join(f"{field}={value}" for field, value in fields.items()))


def _fields(value: "Layout | bytes") -> dict[str, str]:
    if isinstance(value, bytes):
        return {"content": value[:32].hex()}
    return {name: _shown(getattr(value, name)) for name in value.PLACES}


def _shown(value: object) -> str:
    if isinstance(value, int):
        named = getattr(value, "name", None)
        return f"{value:#x}" if named is None else str(named).lower()
    return value.hex() if isinstance(value, bytes) else value.__class__.__name__
