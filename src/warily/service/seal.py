"""Sealing a grant: signed by the grantor, then encrypted to the guest's session key.

A compact JWS (EdDSA, RFC 8037) inside a compact JWE (ECDH-ES over P-256, A256GCM, RFC 7518).
`release/grant.py` opens it without this module's library.
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwe, jws
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, OKPKey

from warily.release.grant import JWE_ALG, JWE_ENC, JWS_ALG
from warily.release.messages import Grant

ALGORITHMS: Final = [JWE_ALG, JWE_ENC]


class _OneAlgorithm(jws.JWSRegistry):
    """Knows EdDSA only, whichever algorithm the library would recommend today."""

    def get_alg(self, name: str) -> JWSAlgModel:
        if name != JWS_ALG:
            msg = f"a grant is signed with {JWS_ALG}, not with {name}"
            raise ValueError(msg)
        return self.algorithms[JWS_ALG]


def seal(grant: Grant, *, session_key: bytes, grantor: Ed25519PrivateKey) -> str:
    """The compact JWE that only the holder of `session_key` (an uncompressed P-256 point) can open."""
    to = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), session_key)
    signed = jws.serialize_compact(
        {"alg": JWS_ALG}, grant.encode(), OKPKey.import_key(grantor), registry=_OneAlgorithm()
    )
    return jwe.encrypt_compact({"alg": JWE_ALG, "enc": JWE_ENC}, signed, ECKey.import_key(to), algorithms=ALGORITHMS)
