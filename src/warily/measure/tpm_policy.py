"""Policies of a TPM over registers: what a key or a secret is bound to when only these values may use it.

A policy digest starts as zeros; each assertion replaces it by a hash over the old one and what is asserted. The digests
here are those a TPM computes in a session whose hash is the same.
Source: TCG TPM 2.0 Library Specification, part 3, revision 1.59, TPM2_PolicyPCR and TPM2_PolicyAuthorize; part 1,
section 16 (names); systemd-measure(1), which signs such digests into a UKI's `.pcrsig`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from warily.core.registers import BANKS, Candidate, Prediction
from warily.errors import FormatError, UsageError
from warily.formats.tpm import CURVES, DEFAULT_EXPONENT, Algorithm, Attribute, Public, Selection, encode_selections

POLICY_PCR: Final = 0x0000017F
POLICY_AUTHORIZE: Final = 0x0000016A
SELECT_WIDTH: Final = 3  # bytes of a selection's bit map: 24 PCRs, as every PC client TPM has
MAX_PCR: Final = 8 * SELECT_WIDTH - 1
MAX_KEY: Final = 1 << 16

# Name → number of TPM_ECC_CURVE, under the names that `cryptography` uses.
_CURVES: Final = {f"secp{name[2:]}r1": number for number, name in CURVES.items()}


def policy_pcr(values: Mapping[str, Mapping[int, bytes]], *, algorithm: str = "sha256", before: bytes = b"") -> bytes:
    """The policy digest after TPM2_PolicyPCR for these registers: bank → PCR index → value.

    Banks count in the order of `values`, PCRs in the order of their numbers. `algorithm` is the session's hash;
    `before` the digest that came before, none at the start. Raises `UsageError`.
    """
    selections, chosen = [], []
    for bank, registers in values.items():
        if bank not in BANKS or not registers or not all(0 <= index <= MAX_PCR for index in registers):
            msg = (
                f"policy: bank {bank!r} with PCRs {sorted(registers)}: known banks, and PCRs 0 to {MAX_PCR}, are needed"
            )
            raise UsageError(msg)
        selections.append(Selection(bank=BANKS[bank], width=SELECT_WIDTH, pcrs=tuple(sorted(registers))))
        chosen += [registers[index] for index in sorted(registers)]
    if not selections:
        raise UsageError("policy: no register is selected")
    digest = hashlib.new(algorithm, b"".join(chosen)).digest()
    return _extended(algorithm, before, POLICY_PCR.to_bytes(4, "big") + encode_selections(selections) + digest)


def policies(prediction: Prediction, *, pcrs: Sequence[int], key: bytes | None = None) -> Prediction:
    """The prediction, and the policies over it as registers: `policy:sha256:7+11` for each bank.

    A candidate of a register becomes one of the policy as well. `policy:authorized` is that of `key` (PEM). Policies
    are those of sessions with SHA-256. Raises `UsageError` where a register of `pcrs` is not predicted.
    """
    found: dict[str, bytes] = {}
    more: list[Candidate] = []
    for bank in dict.fromkeys(name.partition(":")[0] for name in prediction.registers) if pcrs else ():
        name = f"policy:{bank}:{'+'.join(map(str, pcrs))}"
        values = {index: _value(prediction, f"{bank}:{index}") for index in pcrs}
        found[name] = policy_pcr({bank: values})
        for one in prediction.candidates:
            index = int(one.register.partition(":")[2]) if one.register.startswith(f"{bank}:") else -1
            if index in pcrs:
                digest = policy_pcr({bank: values | {index: one.value}})
                more.append(Candidate(name=one.name, register=name, value=digest, because=one.because))
    if key is not None:
        found["policy:authorized"] = policy_authorize(key)
    return replace(
        prediction,
        registers=prediction.registers | found,
        candidates=(*prediction.candidates, *more),
    )


def _value(prediction: Prediction, name: str) -> bytes:
    if name not in prediction.registers:
        msg = f"policy: {name} is not predicted"
        raise UsageError(msg, hint=dict(prediction.absent).get(name, "nothing that is given extends it: see --pcrs"))
    return prediction.registers[name]


def policy_authorize(key: bytes, *, algorithm: str = "sha256", reference: bytes = b"") -> bytes:
    """The policy digest after TPM2_PolicyAuthorize: what holds for every policy that `key` (PEM) has signed.

    `reference` is the policyRef; systemd uses none. Whatever was asserted before does not count any more.
    """
    first = _extended(algorithm, b"", POLICY_AUTHORIZE.to_bytes(4, "big") + key_name(key))
    return hashlib.new(algorithm, first + reference).digest()


def key_name(key: bytes) -> bytes:
    """The name under which a TPM knows a public key (PEM) that systemd loads into it: hash algorithm and digest."""
    return Algorithm.SHA256.to_bytes(2, "big") + hashlib.sha256(public_area(key).encode()).digest()


def public_area(key: bytes) -> Public:
    """The TPMT_PUBLIC that systemd makes of a public key (PEM). Raises `FormatError` for keys that it cannot use."""
    if len(key) > MAX_KEY:
        msg = f"public key: {len(key)} bytes are over the limit of {MAX_KEY}"
        raise FormatError(msg)
    try:
        found = load_pem_public_key(key)
    except (ValueError, TypeError) as error:
        msg = f"public key: not PEM: {error}"
        raise FormatError(msg) from None
    null = Algorithm.NULL.to_bytes(2, "big")
    if isinstance(found, RSAPublicKey):
        numbers = found.public_numbers()
        exponent = 0 if numbers.e == DEFAULT_EXPONENT else numbers.e
        size = found.key_size.to_bytes(2, "big")
        unique: tuple[bytes, ...] = (numbers.n.to_bytes(found.key_size // 8, "big"),)
        return _public(Algorithm.RSA, null + null + size + exponent.to_bytes(4, "big"), numbers.e, 0, unique)
    if isinstance(found, EllipticCurvePublicKey) and found.curve.name in _CURVES:
        curve, width = _CURVES[found.curve.name], (found.key_size + 7) // 8
        point = found.public_numbers()
        unique = (point.x.to_bytes(width, "big"), point.y.to_bytes(width, "big"))
        return _public(Algorithm.ECC, null + null + curve.to_bytes(2, "big") + null, 0, curve, unique)
    raise FormatError("public key: neither RSA nor ECC over P-256, P-384 or P-521")


def _public(kind: Algorithm, parameters: bytes, exponent: int, curve: int, unique: tuple[bytes, ...]) -> Public:
    return Public(
        type=kind,
        name_hash=Algorithm.SHA256,
        attributes=Attribute.DECRYPT | Attribute.SIGN | Attribute.USER_WITH_AUTH,
        policy=b"",
        parameters=parameters,
        exponent=exponent,
        curve=curve,
        unique=unique,
    )


def _extended(algorithm: str, before: bytes, assertion: bytes) -> bytes:
    start = before or bytes(hashlib.new(algorithm).digest_size)
    return hashlib.new(algorithm, start + assertion).digest()
