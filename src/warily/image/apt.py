"""A private apt: resolves and downloads packages of another suite without touching the machine's own apt.

Its state lies in a folder of the caller, so it works as an ordinary user. The mirrors are those the
machine's apt is configured for; nothing else names a host. Signatures are checked by apt with Debian's
keyring.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from warily.errors import HostError
from warily.formats.debian import Stanza, stanzas
from warily.host.run import find, run

KEYRINGS: Final = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
ARCHITECTURE: Final = "amd64"
LATE: Final = "sid"
"""The suite that firmware for the TEEs comes from; only packages that are nowhere else are taken from it."""

CODENAMES: Final = frozenset(
    ("bookworm", "trixie", "forky", "duke", "sid", "stable", "oldstable", "testing", "unstable")
)
# How the machine reaches its mirrors; all else of its configuration would only get in the way.
INHERITED: Final = re.compile(r"Acquire::(http|https|Retries|ForceIPv[46]|Proxy)\b.*")
TIMEOUT: Final = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One exact package: what identifies the bytes of its .deb. `size` in bytes."""

    name: str
    version: str
    architecture: str
    sha256: bytes
    size: int


@dataclass(frozen=True, slots=True)
class PrivateApt:
    """An apt whose configuration, lists and cache lie in `folder`."""

    folder: Path

    @classmethod
    def prepare(cls, folder: Path, suite: str) -> Self:
        """The private apt for `suite`, its security and update suites, and at low priority `LATE`."""
        for name in ("lists/partial", "archives/partial", "preferences.d", "empty"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").write_text("")
        (folder / "sources.list").write_text(_sources(suite, with_updates=True))
        (folder / "preferences").write_text(f"Package: *\nPin: release n={LATE}\nPin-Priority: 1\n")
        (folder / "apt.conf").write_text(_configuration(folder))
        return cls(folder)

    def update(self) -> None:
        """The lists are those of the mirror now. Raises `HostError` with what apt says."""
        self._run("apt-get", "update", "--error-on=any")

    def resolve(self, wanted: Sequence[str]) -> list[Package]:
        """The exact packages, dependencies included, that installing `wanted` on nothing would install."""
        plan = self._run("apt-get", "install", "--simulate", "--yes", *wanted).decode("utf-8", "replace")
        found = re.findall(r"^Inst (\S+) \((\S+) .*\[(\w+)\]\)", plan, flags=re.MULTILINE)
        return self._describe([(name.split(":")[0], version) for name, version, _ in found])

    def _describe(self, chosen: Sequence[tuple[str, str]]) -> list[Package]:
        """Digest and size of each, from the signed lists."""
        if not chosen:
            return []
        text = self._run("apt-cache", "show", *(f"{name}={version}" for name, version in chosen)).decode()
        found: dict[tuple[str, str], Package] = {}
        for stanza in stanzas(text):
            found[stanza.value("Package"), stanza.value("Version")] = _package(stanza)
        missing = [name for name, version in chosen if (name, version) not in found]
        if missing:
            msg = f"apt does not describe {', '.join(missing)}"
            raise HostError(msg)
        return [found[key] for key in sorted(set(chosen))]

    def download(self, packages: Iterable[Package], into: Path) -> None:
        """The .debs of `packages` are in `into`, checked by apt against its signed lists."""
        names = [f"{package.name}:{package.architecture}={package.version}" for package in packages]
        self._run("apt-get", "download", *(name.replace(":all=", "=") for name in names), cwd=into)

    def missing(self, packages: Sequence[Package]) -> list[Package]:
        """Those of `packages` that the mirror does not offer in exactly that version."""
        table = self._run("apt-cache", "madison", *sorted({package.name for package in packages})).decode()
        rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
        offered = {(row[0], row[1]) for row in rows if len(row) == len(("name", "version", "source"))}
        return [package for package in packages if (package.name, package.version) not in offered]

    def _run(self, program: str, *words: str, cwd: Path | None = None) -> bytes:
        path = find(program, package="apt")
        env = {
            "APT_CONFIG": str(self.folder / "apt.conf"),
            "LC_ALL": "C.UTF-8",
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        }
        return run([path, "-q", *words], env=env, cwd=cwd, timeout=TIMEOUT)


def _package(stanza: Stanza) -> Package:
    return Package(
        name=stanza.value("Package"),
        version=stanza.value("Version"),
        architecture=stanza.value("Architecture"),
        sha256=bytes.fromhex(stanza.value("SHA256")),
        size=int(stanza.value("Size")),
    )


def _configuration(folder: Path) -> str:
    """An apt.conf that reads nothing of the machine's but how to reach the network."""
    own = run([find("apt-config", package="apt"), "dump"]).decode("utf-8", "replace")
    inherited = [line for line in own.splitlines() if INHERITED.fullmatch(line)]
    return "\n".join(
        (
            *inherited,
            f'Dir "{folder}";',
            f'Dir::State "{folder}";',
            f'Dir::State::status "{folder}/status";',
            f'Dir::State::extended_states "{folder}/extended_states";',
            f'Dir::Cache "{folder}";',
            'Dir::Cache::srcpkgcache "";',  # 70 MB that save nothing here; the other cache saves seconds
            f'Dir::Etc "{folder}";',
            f'Dir::Etc::parts "{folder}/empty";',
            f'Dir::Etc::trustedparts "{folder}/empty";',
            f'Dir::Etc::trusted "{folder}/empty/trusted.gpg";',
            f'APT::Architecture "{ARCHITECTURE}";',
            f'APT::Architectures {{ "{ARCHITECTURE}"; }};',
            'APT::Install-Recommends "false";',
            'APT::Install-Suggests "false";',
            'APT::Sandbox::User "root";',
            'Acquire::Languages "none";',
            "",
        )
    )


def _sources(suite: str, *, with_updates: bool) -> str:
    """The sources.list: Debian's mirrors as the machine's apt knows them."""
    keyring = next((path for path in KEYRINGS if path.exists()), None)
    if keyring is None:
        msg = "Debian's archive keyring is not installed"
        raise HostError(msg, hint="run `apt-get install debian-archive-keyring`")
    main, security = mirrors()
    signed = f"signed-by={keyring}"
    lines = [f"deb [{signed}] {main} {suite} main"]
    if with_updates:
        lines.append(f"deb [{signed}] {main} {suite}-updates main")
        lines += [f"deb [{signed}] {security} {suite}-security main"] if security else []
    # A mirror that is frozen at a date serves this fast-moving suite past its "valid until".
    lines.append(f"deb [{signed} check-valid-until=no] {main} {LATE} main")
    return "\n".join((*lines, ""))


def mirrors() -> tuple[str, str | None]:
    """The machine's mirror of Debian, and of its security updates where one is configured.

    Raises `HostError` where apt is configured for none.
    """
    words = [find("apt-get", package="apt"), "indextargets", "--format"]
    table = run([*words, "$(ORIGIN)|$(RELEASE)|$(COMPONENT)|$(SITE)", "Created-By: Packages"]).decode(
        "utf-8", "replace"
    )
    rows = [tuple(line.split("|", 3)) for line in table.splitlines() if line.count("|") >= 3]  # noqa: PLR2004  # columns
    # Debian's own first: before the first `apt-get update` nobody has an origin, and the keyring decides.
    rows = sorted((row for row in rows if row[2] == "main"), key=lambda row: row[0] != "Debian")
    main = next((row[3] for row in rows if row[1] in CODENAMES), None)
    security = next((row[3] for row in rows if row[1].removesuffix("-security") in CODENAMES - {row[1]}), None)
    if main is None:
        msg = "apt is not configured for a Debian mirror"
        raise HostError(msg, hint="name one in /etc/apt/sources.list.d")
    return main, security
