"""What genuine quotes say, as plain values: registers in hex, who vouches for the key, the boot as the logs tell it."""

from warily.core.registers import HASHES
from warily.verify import eventlog
from warily.verify.vtpm.acceptable import Genuine, instance
from warily.verify.vtpm.case import fingerprint


def claims(it: Genuine) -> dict[str, object]:
    """Every field of the quotes, the registers, and what each log says where it led to registers."""
    case = it.case
    return {
        "binding": case.binding.value,
        "attestation_key": fingerprint(case.key).hex() if case.key else None,
        "instance": instance(case),
        "settings": dict(case.runtime.settings) if case.runtime else {},
        "user_data": case.runtime.user_data.hex() if case.runtime else None,
        "nonce": case.quotes[0].attest.extra_data.hex(),
        "quotes": [
            {
                "clock_ms": quote.attest.clock,
                "clock_safe": quote.attest.safe,
                "reset_count": quote.attest.reset_count,
                "restart_count": quote.attest.restart_count,
                "firmware_version": f"{quote.attest.firmware_version:016x}",
            }
            for quote in case.quotes
        ],
        "registers": {
            HASHES.get(bank, f"{bank:#06x}"): {f"PCR{pcr}": value.hex() for pcr, value in sorted(values.items())}
            for bank, values in it.values.items()
        },
        "hardware": dict(case.hardware.appraisal.claims) if case.hardware else None,
        "boot": [eventlog.claims(entry.replays[-1]) for entry in it.logs if entry.replays],
    }
