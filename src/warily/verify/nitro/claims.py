"""What an authentic document says, as plain values: hex text, numbers, times."""

from warily.verify.nitro.chain import Case


def claims(case: Case) -> dict[str, object]:
    """Every field of the document; registers by number, times in UTC."""
    document = case.document
    return {
        "kind": "NitroTPM" if document.tpm else "Nitro Enclave",
        "module_id": document.module_id,
        "made_at": case.made_at.isoformat(),
        "pcrs": {str(index): value.hex() for index, value in document.pcrs.items()},
        "nonce": _hex(document.nonce),
        "user_data": _hex(document.user_data),
        "public_key": _hex(document.public_key),
        "leaf": case.chain[-1].name,
        "leaf_until": case.chain[-1].not_after.isoformat(),
    }


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
