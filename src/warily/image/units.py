"""The systemd units of an image: one hardened service for each declared one, and what is shut off."""

from typing import Final

from warily.core.declaration import Declaration, Service

VOLUMES_UNIT: Final = "warily-volumes.service"
FIRST_UID: Final = 20000
FIRST_GID: Final = 30000
UNIT_FOLDER: Final = "etc/systemd/system"

# The wants of systemd's own targets that an image keeps. Whatever else a package asks to be started is not:
# what runs in a guest is what its declaration names.
KEPT_WANTS: Final = {
    "systemd-journald.service": "the log, in memory",
    "systemd-journald.socket": "the log's door",
    "systemd-journald-dev-log.socket": "the log's door for programs that use syslog",
    "systemd-sysctl.service": "kernel settings, before anything else runs",
    "systemd-tmpfiles-setup.service": "folders in /var and /run, which are empty at every boot",
    "tmp.mount": "temporary files in memory",
}

# Units that something other than a `wants` link could still start.
MASKED: Final = {
    "autovt@.service": "no login",
    "console-getty.service": "no login",
    "container-getty@.service": "no login",
    "getty@.service": "no login",
    "getty.target": "no login",
    "serial-getty@.service": "no login on the host's side of the console",
    "debug-shell.service": "no shell without a password, or with one",
    "emergency.service": "no shell when something is wrong: the machine ends instead",
    "rescue.service": "likewise",
    "systemd-ask-password-console.path": "no question that the host could answer",
    "systemd-ask-password-wall.path": "likewise",
    "hibernate.target": "memory stays out of the host's disk",
    "hybrid-sleep.target": "likewise",
    "sleep.target": "a suspended guest is a guest being looked at",
    "suspend.target": "likewise",
    "suspend-then-hibernate.target": "likewise",
    "swap.target": "memory stays out of the host's disk",
    "kexec.target": "no kernel that was not measured",
    "systemd-kexec.service": "likewise",
    "ctrl-alt-del.target": "the host's keyboard is no authority",
    "systemd-networkd.service": "the guest's own part sets its one address",
    "systemd-resolved.service": "no name service from outside",
    "systemd-timesyncd.service": "no time from unauthenticated servers",
    "systemd-creds.socket": "no credentials from outside",
    "systemd-hostnamed.socket": "no one asks",
    "systemd-sysext.socket": "nothing is laid over a measured root",
    "systemd-sysext.service": "likewise",
    "systemd-confext.service": "likewise",
    "systemd-firstboot.service": "every boot is the first, and nothing is asked",
    "systemd-machine-id-commit.service": "the root cannot be written",
    "systemd-random-seed.service": "a seed kept on the host's disk is the host's seed",
    "systemd-remount-fs.service": "the root cannot be written",
    "systemd-vconsole-setup.service": "there is no virtual console",
    "systemd-logind.service": "no login",
    "systemd-user-sessions.service": "no login",
}

# A mount that fails, or the emergency target for any other reason, turns the machine off.
LINKS: Final = {
    f"{UNIT_FOLDER}/default.target": "/usr/lib/systemd/system/multi-user.target",
    f"{UNIT_FOLDER}/emergency.target": "/usr/lib/systemd/system/reboot.target",
    f"{UNIT_FOLDER}/rescue.target": "/usr/lib/systemd/system/reboot.target",
    f"{UNIT_FOLDER}/local-fs.target.wants/var.mount": f"/{UNIT_FOLDER}/var.mount",
}

VAR_MOUNT: Final = """\
[Unit]
Description=/var in memory
DefaultDependencies=no
Conflicts=umount.target
Before=local-fs.target umount.target systemd-tmpfiles-setup.service

[Mount]
What=tmpfs
Where=/var
Type=tmpfs
Options=mode=0755,nosuid,nodev,noexec,size=25%
"""

SERVICE: Final = """\
[Unit]
Description={name}, as declared
{ordering}
[Service]
Type=exec
User={user}
Group={user}
{volumes}ExecStart={command}
Restart=always
RestartSec=1
UMask=0007
CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
PrivateDevices=yes
PrivateTmp=disconnected
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""


def unit_name(service: Service) -> str:
    """The unit that runs a declared service."""
    return f"warily-service-{service.name}.service"


def user_name(service: Service) -> str:
    """The user that a declared service runs as."""
    return f"w-{service.name}"


def group_name(volume: str) -> str:
    """The group whose members may write to a volume."""
    return f"v-{volume}"


def service_unit(service: Service, mounts: dict[str, str]) -> str:
    """The unit's text. `mounts` maps volume names to where they are mounted."""
    ordering = f"Requires={VOLUMES_UNIT}\nAfter={VOLUMES_UNIT}\n" if service.volumes else ""
    places = [mounts[name] for name in service.volumes]
    lines = []
    for name in service.volumes:
        # `+` runs as root outside the sandbox: only then is a fresh file system's top folder handed over.
        lines.append(f"ExecStartPre=+/usr/bin/chgrp {group_name(name)} {mounts[name]}")
        lines.append(f"ExecStartPre=+/usr/bin/chmod 2770 {mounts[name]}")
    if places:
        lines.append(f"SupplementaryGroups={' '.join(map(group_name, service.volumes))}")
        lines.append(f"ReadWritePaths={' '.join(places)}")
    return SERVICE.format(
        name=service.name,
        ordering=ordering,
        user=user_name(service),
        volumes="".join(f"{line}\n" for line in lines),
        command=" ".join(map(quoted, service.command)),
    )


def quoted(argument: str) -> str:
    """An argument as systemd.service(5), section "Command Lines", reads it back unchanged."""
    plain = argument.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{plain}"'


def accounts(declaration: Declaration) -> str:
    """The sysusers.d(5) lines of the image: a user a service, a group a volume, numbered in order."""
    lines = [
        f"g {group_name(volume.name)} {FIRST_GID + number} - - -" for number, volume in enumerate(declaration.volumes)
    ]
    for number, service in enumerate(declaration.services):
        lines.append(f'u {user_name(service)} {FIRST_UID + number} "{service.name}" / /usr/sbin/nologin')
    return "".join(f"{line}\n" for line in lines)


def wanted_by(unit: str) -> list[str]:
    """The targets that the unit's [Install] section names with WantedBy."""
    names: list[str] = []
    section = ""
    for line in unit.splitlines():
        if line.startswith("["):
            section = line.strip()
        elif section == "[Install]" and line.startswith("WantedBy="):
            names += line.removeprefix("WantedBy=").split()
    return names
