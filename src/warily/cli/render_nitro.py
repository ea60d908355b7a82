"""An AWS Nitro attestation document for people."""

from collections.abc import Iterator, Mapping


def nitro_rows(claims: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Who made it and when, and the registers that are not zero."""
    yield "module", f"{claims['kind']} {claims['module_id']}"
    yield "made at", f"{str(claims['made_at'])[:19].replace('T', ' ')} UTC"
    registers = claims["pcrs"]
    for index, value in registers.items() if isinstance(registers, dict) else ():
        if value.strip("0"):
            yield f"PCR{index}", f"{value[:48]} {value[48:]}"
    for name in ("nonce", "user_data", "public_key"):
        if claims[name] is not None:
            yield name.replace("_", " "), str(claims[name])[:96] or "empty"
