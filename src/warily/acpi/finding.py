"""What an inspection of ACPI tables found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AcpiFinding:
    """One thing that a table does or holds and that nobody has to accept from a host.

    `id` is stable and upper case, such as `STATIC_GAS_RAM_WRITE`. `where` names the table and the place in it
    (`FACP+0x74 RESET_REG`). `reach` says when it takes effect (`auto:_INI`, `event:_Lxx`, `call`, `kernel`, `parse`),
    and `evidence` what was read there.
    """

    id: str
    where: str
    reach: str
    evidence: str

    def as_json(self) -> dict[str, str]:
        """The four members that `--json` promises."""
        return {"id": self.id, "where": self.where, "reach": self.reach, "evidence": self.evidence}

    @property
    def is_malformed(self) -> bool:
        """Whether the bytes break their own format, so that what they do was not judged whole."""
        return self.id.startswith("MALFORMED_") or self.id == "LOADER_MALFORMED"
