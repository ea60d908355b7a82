"""Every rule is open on a machine that trusts its host, and closed on one that does not; and the conditions mean it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warily.audit.conditions import examine
from warily.audit.facts import Facts, version_of
from warily.audit.judge import State, judge
from warily.audit.rules import read_rule, rules
from warily.audit.trees import _LOOKED_AT
from warily.errors import FormatError

ALL = {rule.id: rule for rule in rules()}


@dataclass(frozen=True, eq=False)
class Files:
    """A tree in memory: path → content; links lead elsewhere."""

    content: Mapping[str, bytes | None]
    links: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()

    def paths(self) -> Sequence[str]:
        return sorted((*self.content, *self.links))

    def read(self, path: str, limit: int = 0) -> bytes | None:
        del limit
        return self.content.get(path)

    def link(self, path: str) -> str | None:
        return self.links.get(path)

    def sees(self, path: str) -> bool:
        return not any(path.startswith(hidden) for hidden in self.hidden)


SYMBOLS = sorted(
    set(re.findall(r"config ([A-Z0-9_]+)=", "\n".join(c for r in rules() for a in r.closed_by for c in a)))
)
MODULES = sorted(set(re.findall(r"no module (\S+)", "\n".join(c for r in rules() for a in r.closed_by for c in a))))
PROGRAMS = [
    "usr/lib/systemd/systemd",
    "usr/lib/systemd/system-generators/systemd-ssh-generator",
    "usr/sbin/sshd",
    "usr/sbin/agetty",
    "usr/lib/systemd/system-generators/systemd-getty-generator",
    "usr/bin/cloud-init",
    "usr/bin/ignition",
    "usr/sbin/qemu-ga",
    "usr/sbin/NetworkManager",
    "usr/lib/systemd/systemd-resolved",
    "usr/lib/systemd/systemd-timesyncd",
    "usr/sbin/ntpd",
    "usr/lib/systemd/systemd-coredump",
    "usr/bin/systemd-sysext",
    "usr/libexec/udisks2/udisksd",
    "usr/bin/unattended-upgrade",
    "usr/lib/systemd/system-generators/systemd-gpt-auto-generator",
    "usr/bin/apt-get",
    "var/lib/systemd/random-seed",
    "etc/default/kdump-tools",
    "etc/ssh/ssh_host_rsa_key",
    "usr/lib/systemd/system/ssh.service",
    "usr/lib/systemd/system/systemd-sysext.service",
    "usr/lib/systemd/system/getty@.service",
    "usr/lib/systemd/system/systemd-resolved.service",
    "usr/lib/systemd/system/systemd-timesyncd.service",
    "usr/lib/systemd/system/systemd-networkd.service",
]

# A machine as distributions make it, and a little worse: everything is built, nothing is on the command line.
PLAIN = Facts(
    target="plain",
    kinds=(),
    config=dict.fromkeys(SYMBOLS, "y")
    | dict.fromkeys(("LEGACY_VSYSCALL_NONE", "ACPI_CUSTOM_DSDT"), "n")
    | dict.fromkeys(
        ("PANIC_ON_OOPS", "INIT_ON_ALLOC_DEFAULT_ON", "MODULE_SIG_FORCE", "LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY"), "n"
    )
    | {"INTEL_TDX_GUEST": "n"},
    kernel=(6, 1, 9),
    words=(
        "root=/dev/vda1",
        "swiotlb=noforce",
        "iommu=off",
        "crashkernel=256M",
        "kgdboc=ttyS0",
        "sysrq_always_enabled",
        "earlyprintk=ttyS0",
        "systemd.debug_shell",
        "vsyscall=emulate",
        "random.trust_cpu=n",
        "random.trust_bootloader=y",
        "ia32_emulation=1",
    ),
    root=Files(
        dict.fromkeys(PROGRAMS, b"")
        | {f"usr/lib/modules/6.1.9/kernel/{name.replace('*', 'x').replace('?', '-')}.ko.xz": b"" for name in MODULES}
        | {
            "etc/fstab": b"/dev/vda2 none swap sw 0 0\nshare /mnt virtiofs defaults 0 0\n",
            "etc/network/interfaces": b"iface eth0 inet dhcp\n",
            "etc/shadow": b"root:$6$abc:1::::::\n",
            "etc/crypttab": b"data /dev/vdb none luks\n",
            "etc/machine-id": b"0123456789abcdef0123456789abcdef\n",
            "etc/systemd/coredump.conf": b"[Coredump]\n",
            "etc/chrony/chrony.conf": b"refclock PHC /dev/ptp0 poll 3\n",
            "etc/systemd/system/multi-user.target.wants/serial-getty@ttyS0.service": b"",
            "etc/systemd/system/timers.target.wants/apt-daily.timer": b"",
        }
    ),
    initrd=Files({"kernel/firmware/acpi/dsdt.aml": b"", "usr/bin/udevadm": b"", "scripts/functions": b"", "init": b""}),
)

# A machine that takes nothing: no driver it does not need, one program, everything measured.
FORTRESS = Facts(
    target="fortress",
    kinds=(),
    config=dict.fromkeys(SYMBOLS, "n") | {"MODULE_SIG_FORCE": "y", "AMD_MEM_ENCRYPT": "y"},
    kernel=(6, 12, 1),
    words=(
        "acpi=off",
        "acpi_no_static_ssdt",
        "mce=off",
        "vsyscall=none",
        "oops=panic",
        "no-kvmclock",
        "tsc=reliable",
        "random.trust_cpu=y",
        "random.trust_bootloader=n",
        "lockdown=confidentiality",
        "init_on_alloc=1",
        "edd=off",
        "warily.root=ab",
        "warily.devices=declared",
        "debugfs=off",
        "unknown_nmi_panic",
    ),
    root=Files({"usr/bin/program": b"", "etc/machine-id": b"uninitialized\n"}),
    initrd=Files({"init": b"", "usr/lib/warily/warily/guest/devices.py": b""}),
)


@pytest.mark.parametrize("name", [name for name, rule in ALL.items() if not rule.running])
def test_a_rule_is_open_on_the_plain_machine_and_closed_on_the_fortress(name: str) -> None:
    (open_one,) = judge(PLAIN, [ALL[name]], {})
    assert open_one.state is State.OPEN, open_one.evidence
    (closed,) = judge(FORTRESS, [ALL[name]], {})
    assert closed.state is State.CLOSED, closed.evidence


@pytest.mark.parametrize("name", [name for name, rule in ALL.items() if not rule.running])
def test_nothing_known_is_never_closed(name: str) -> None:
    (found,) = judge(Facts(target="", kinds=()), [ALL[name]], {})
    assert found.state is State.UNKNOWN


@given(st.sampled_from(sorted(ALL)), st.sets(st.sampled_from(["config", "kernel", "words", "root", "initrd"])))
def test_what_was_not_looked_at_closes_nothing(name: str, hidden: set[str]) -> None:
    """Hiding facts of the plain machine turns what is open into unknown at best."""
    kept = {
        name: getattr(PLAIN, name) for name in ("config", "kernel", "words", "root", "initrd") if name not in hidden
    }
    facts = Facts(target="", kinds=(), **kept)
    for finding in judge(facts, [ALL[name]], {}):
        assert finding.state in (State.OPEN, State.UNKNOWN)


RUNNING = {
    "sys/kernel/security/lockdown": b"none integrity [confidentiality]\n",
    "proc/sys/kernel/modules_disabled": b"1\n",
    "proc/sys/kernel/kexec_load_disabled": b"1\n",
    "proc/sys/kernel/sysrq": b"0\n",
    "proc/swaps": b"Filename Type\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": b"tsc\n",
}
LOOSE = {
    "sys/kernel/security/lockdown": b"[none] integrity confidentiality\n",
    "proc/sys/kernel/modules_disabled": b"0\n",
    "proc/modules": b"loop 1 0 - Live 0x0\n",
    "proc/sys/kernel/kexec_load_disabled": b"0\n",
    "proc/sys/kernel/sysrq": b"438\n",
    "proc/swaps": b"Filename Type\n/dev/vda2 partition\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": b"kvm-clock\n",
    "sys/firmware/qemu_fw_cfg": b"",
    "sys/firmware/acpi/tables/SSDT1": b"",
    "sys/class/virtio-ports/vport1p1/name": b"org.qemu.guest_agent.0\n",
    "run/credentials/@system/passwd.hashed-password.root": b"",
    "sys/bus/virtio/devices/virtio0/device": b"0x0005\n",
}


@pytest.mark.parametrize("name", [name for name, rule in ALL.items() if rule.running])
def test_a_running_rule_sees_the_running_machine(name: str) -> None:
    loose, tight = (Facts(target="", kinds=(), system=Files(content)) for content in (LOOSE, RUNNING))
    assert judge(loose, [ALL[name]], {})[0].state is State.OPEN
    assert judge(tight, [ALL[name]], {})[0].state is State.CLOSED
    assert judge(PLAIN, [ALL[name]], {}) == ()


@pytest.mark.parametrize("name", [name for name, rule in ALL.items() if rule.running])
def test_a_machine_that_is_not_shown_is_not_known(name: str) -> None:
    masked = Facts(target="", kinds=(), system=Files({}, hidden=("proc", "sys", "run", "dev")))
    assert judge(masked, [ALL[name]], {})[0].state is State.UNKNOWN


def test_a_file_that_cannot_be_read_closes_nothing() -> None:
    unreadable = Facts(target="", kinds=(), root=Files({"etc/shadow": None}))
    assert judge(unreadable, [ALL["program.passwords"]], {})[0].state is State.UNKNOWN


def test_every_path_that_a_running_rule_names_is_looked_at() -> None:
    for rule in ALL.values():
        for condition in (each for alternative in rule.closed_by for each in alternative):
            named = re.match(r"(?:no )?sys(?:file)? (\S+)", condition)
            if named:
                assert any(
                    fnmatchcase(named.group(1).replace("*", "x"), pattern) or named.group(1) == pattern
                    for pattern in _LOOKED_AT
                ), condition


def test_an_explanation_is_kept_apart_from_a_pass() -> None:
    (found,) = judge(PLAIN, [ALL["device.usb"]], {"device.usb": "there is no controller"})
    assert (found.state, found.because) == (State.EXPLAINED, "there is no controller")
    (closed,) = judge(FORTRESS, [ALL["device.usb"]], {"device.usb": "there is no controller"})
    assert (closed.state, closed.because) == (State.CLOSED, "")


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("config USB=y", True),
        ("config USB=n|m", False),
        ("config NOT_MENTIONED=n", True),
        ("kernel >=6.1", True),
        ("kernel >=6.1.10", False),
        ("kernel <6.2", True),
        ("word root=*", True),
        ("no word root=*", False),
        ("file usr/sbin/sshd", True),
        ("file sbin/sshd", True),
        ("module virtio-balloon", True),
        ("module virtio_balloon", True),
        ("no module virtio_balloon", False),
        ("line etc/fstab \\bswap\\b", True),
        ("unit serial-getty@*.service", True),
        ("masked getty@.service", False),
        ("masked nothing.service", True),
    ],
)
def test_conditions_mean_what_they_say(condition: str, holds: bool) -> None:  # noqa: FBT001  # a table of truth
    assert examine(condition, PLAIN).holds is holds


def test_a_masked_unit_is_started_by_nobody() -> None:
    root = Files(
        {"etc/systemd/system/multi-user.target.wants/serial-getty@ttyS0.service": b""},
        {"etc/systemd/system/serial-getty@.service": "/dev/null"},
    )
    facts = Facts(target="", kinds=(), root=root)
    assert examine("unit serial-getty@*.service", facts).holds is False
    assert examine("masked serial-getty@.service", facts).holds is True


def test_a_rule_that_is_none_is_refused() -> None:
    with pytest.raises(FormatError):
        examine("perhaps", PLAIN)
    with pytest.raises(FormatError):
        read_rule({"id": "a.b", "title": "", "unknown": 1})


def test_versions_are_numbers() -> None:
    assert version_of("6.12.117+deb13-cloud-amd64") == (6, 12, 117)
    assert version_of("nonsense") is None
