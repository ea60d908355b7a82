"""A hardware report as Linux's configfs-tsm hands it out: provider, outblob and auxblob, as one JSON record.

Media type `application/vnd.veraison.configfs-tsm+json`; the kernel's side is documented in
Documentation/ABI/testing/configfs-tsm-report. Which provider it was is the guest's word, so nothing but
the choice of the parser may hang on it.
"""

from dataclasses import dataclass
from typing import Final, Self

from warily.errors import FormatError
from warily.formats._json import JsonObject, b64url, canonical

MEDIA_TYPE: Final = "application/vnd.veraison.configfs-tsm+json"
OUTBLOB_LIMIT: Final = 1 << 16
AUXBLOB_LIMIT: Final = 1 << 17
LIMIT: Final = 1 << 19

SEV_GUEST: Final = "sev_guest"
TDX_GUEST: Final = "tdx_guest"
REHEARSAL: Final = "warily_rehearsal"
PROVIDERS: Final = (SEV_GUEST, TDX_GUEST, REHEARSAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class TsmReport:
    """`outblob` is the report or quote; `auxblob` the SNP certificate table, empty where there is none."""

    provider: str
    outblob: bytes
    auxblob: bytes = b""

    def encode(self) -> bytes:
        """The record as canonical JSON."""
        blobs = {"outblob": b64url(self.outblob), "auxblob": b64url(self.auxblob)}
        return canonical({"provider": self.provider} | blobs)

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The record that `text` holds. Raises `FormatError`, also for a provider that is not in `PROVIDERS`."""
        top = JsonObject.parse(text, what="TSM report", limit=LIMIT)
        provider = top.text("provider", limit=64)
        if provider not in PROVIDERS:
            msg = f"TSM report: unknown provider {provider!r}"
            raise FormatError(msg)
        outblob = top.octets("outblob", limit=OUTBLOB_LIMIT)
        if not outblob:
            msg = "TSM report: outblob is empty"
            raise FormatError(msg)
        made = cls(provider=provider, outblob=outblob, auxblob=top.octets("auxblob", limit=AUXBLOB_LIMIT))
        top.finish()
        return made
