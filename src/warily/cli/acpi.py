"""Inspect, show, predict and pin the ACPI tables that a host supplies.

  warily acpi inspect FILE…   what in these tables reaches memory, devices or further code
  warily acpi show FILE…      the tables as a tree with offsets
  warily acpi loader FILE     check QEMU's table loader script
  warily acpi predict         the tables that the installed QEMU makes for a machine, and their digests
  warily acpi pin             write them down as a reference
  warily acpi check PIN DIR   compare tables with the reference

FILE is one table, several one after the other (`etc/acpi/tables`), the text of acpidump, or a folder such as
/sys/firmware/acpi/tables. All files of one command are one machine's.

  warily acpi inspect dsdt.aml ssdt.aml --ram 0-0x80000000
  warily acpi predict --machine q35 --cpus 2 --memory 2G --firmware ovmf --into blobs/
  warily acpi pin --output pin.json -- -machine q35,smm=off -smp 2 -m 2G
  warily acpi check pin.json --running

Exit statuses: 0 nothing found · 3 malformed · 10 findings, or tables that differ.
"""

import argparse
import importlib
from pathlib import Path
from typing import Final, cast

ACTIONS: Final = ("inspect", "show", "loader", "predict", "pin", "check")
_MODULES: Final = {
    "inspect": "acpi_inspect",
    "show": "acpi_show",
    "loader": "acpi_inspect",
    "predict": "acpi_predict",
    "pin": "acpi_predict",
    "check": "acpi_check",
}
FIRMWARES: Final = ("seabios", "ovmf", "ovmf-2022")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    inspect = actions.add_parser("inspect", help="what the tables reach")
    _json(inspect)
    _tables(inspect)
    _ram(inspect)
    show = actions.add_parser("show", help="the tables as a tree with offsets")
    _json(show)
    _tables(show)
    loader = actions.add_parser("loader", help="check QEMU's table loader script")
    _json(loader)
    loader.add_argument("file", metavar="FILE", type=Path, help="the script, fw_cfg file etc/table-loader")
    loader.add_argument("--tables", metavar="FILE", type=Path, help="etc/acpi/tables, so that pointers are followed")
    loader.add_argument("--rsdp", metavar="FILE", type=Path, help="etc/acpi/rsdp, likewise")
    predict = actions.add_parser("predict", help="the tables that the installed QEMU makes")
    _json(predict)
    _machine(predict)
    predict.add_argument("--into", metavar="DIR", type=Path, help="also write the files there")
    pin = actions.add_parser("pin", help="write them down as a reference")
    _json(pin)
    _machine(pin)
    pin.add_argument("--output", metavar="FILE", type=Path, required=True, help="where the pin goes")
    check = actions.add_parser("check", help="compare tables with a pin")
    _json(check)
    check.add_argument("pin", metavar="PIN", type=Path, help="what `warily acpi pin` wrote")
    check.add_argument("files", metavar="FILE", type=Path, nargs="*", help="tables, or a folder of them")
    check.add_argument("--running", action="store_true", help="the tables that this machine runs with")


def run(options: argparse.Namespace) -> int:
    """Do what the action says; its exit status is the result."""
    module = importlib.import_module(f"warily.cli.{_MODULES[options.action]}")
    return cast("int", getattr(module, options.action)(options))


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON")


def _tables(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help="tables, or a folder of them")


def _ram(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ram",
        metavar="START-END",
        action="append",
        default=[],
        help="addresses that are the machine's memory, END not included; without it, wherever a PC may have memory",
    )


def _machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--machine", metavar="TYPE", default="q35", help="QEMU's machine and its settings (q35)")
    parser.add_argument("--cpus", metavar="N", default="2", help="virtual processors, as -smp takes them (2)")
    parser.add_argument("--memory", metavar="SIZE", default="2G", help="memory, as -m takes it (2G)")
    parser.add_argument("--firmware", choices=FIRMWARES, help="whose setup to imitate; else by -bios and pflash")
    parser.add_argument("--ecam", metavar="ADDRESS", help="where firmware puts PCI Express configuration space")
    parser.add_argument("--window", metavar="ADDRESS", help="where its 64-bit PCI addresses begin; `none` for none")
    parser.add_argument("--qemu", metavar="PROGRAM", default="qemu-system-x86_64", help="which QEMU to ask")
    parser.add_argument("arguments", metavar="-- ARGUMENT", nargs="*", help="QEMU's arguments, in place of the shape")
