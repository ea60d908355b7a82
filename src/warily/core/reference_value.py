"""A reference value: what somebody says a register or a file's digest should be, and under which circumstances."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceValue:
    """One value as its publisher states it.

    `environment` says what it is about (a platform, a product, a path), `name` is the register or the field, such as
    `launch_digest` or `PCR 4`; `algorithm` as `hashlib` names it, or empty where it is not said. `when` holds the
    circumstances that the publisher gives, as text.
    """

    environment: str
    name: str
    algorithm: str
    value: bytes
    when: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The object that `warily manifest import --json` prints."""
        return {
            "environment": self.environment,
            "name": self.name,
            "algorithm": self.algorithm,
            "value": self.value.hex(),
            "when": dict(self.when),
        }
