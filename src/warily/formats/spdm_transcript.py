"""A recorded SPDM conversation: every message with its direction, and what a verifier needs of them.

The container is repeated {u8 direction, 0 for a request and 1 for a response; u32 length, little-endian; message}.
"""

from dataclasses import dataclass
from typing import Final, Self

from warily.errors import FormatError
from warily.formats import spdm
from warily.formats._cursor import Cursor
from warily.formats.spdm import Algorithms, CertificatePortion, Code, MeasurementRequest, Measurements

LIMIT: Final = 4 << 20
MAX_MESSAGES: Final = 1024
REQUEST: Final = 0
RESPONSE: Final = 1
# What is agreed on before anything else, in this order: version, capabilities, algorithms (VCA).
AGREED: Final = (
    Code.GET_VERSION, Code.VERSION, Code.GET_CAPABILITIES, Code.CAPABILITIES, Code.NEGOTIATE_ALGORITHMS,
    Code.ALGORITHMS,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message and who sent it."""

    direction: int
    data: bytes

    @property
    def code(self) -> int:
        """Its request or response code."""
        return self.data[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMeasurements:
    """Measurement exchanges that end with a signature.

    `signed` is what the signature covers besides the agreed part: all requests and responses of the run, without
    the signature. `blocks` are those of all responses of the run.
    """

    signed: bytes
    request: MeasurementRequest
    last: Measurements
    blocks: tuple[spdm.MeasurementBlock, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """The messages in order, and what they say."""

    messages: tuple[Message, ...]
    versions: tuple[int, ...]
    algorithms: Algorithms
    digests: dict[int, bytes]
    chains: dict[int, bytes]
    measured: SignedMeasurements

    @property
    def agreed(self) -> bytes:
        """The messages of version, capabilities and algorithms, joined."""
        return b"".join(message.data for message in self.messages[: len(AGREED)])

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The conversation that `data` is.

        Raises `FormatError` where it does not begin with the agreement, uses an algorithm of no known size, has a
        response without its request, or ends without signed measurements.
        """
        messages = decode_messages(data)
        codes = tuple(message.code for message in messages[: len(AGREED)])
        if codes != AGREED:
            msg = "SPDM transcript: it does not begin with version, capabilities and algorithms"
            raise FormatError(msg)
        algorithms = Algorithms.decode(messages[5].data)
        if algorithms.asym not in spdm.SIGNATURE_SIZES or algorithms.hash not in spdm.HASH_SIZES:
            msg = f"SPDM transcript: algorithms {algorithms.asym:#x} and {algorithms.hash:#x} are not supported"
            raise FormatError(msg)
        spdm.capability_flags(messages[3].data)
        pairs = tuple(zip(messages[::2], messages[1::2], strict=True))
        for _, answer in pairs[1:]:
            if answer.data[0] != algorithms.version:
                msg = f"SPDM transcript: a message of version {answer.data[0]:#x} after {algorithms.version:#x}"
                raise FormatError(msg)
        return cls(
            messages=messages,
            versions=spdm.decode_versions(messages[1].data),
            algorithms=algorithms,
            digests=_digests(pairs, spdm.HASH_SIZES[algorithms.hash]),
            chains=_chains(pairs),
            measured=_measured(pairs, spdm.SIGNATURE_SIZES[algorithms.asym]),
        )


def decode_messages(data: bytes) -> tuple[Message, ...]:
    """The messages of the container: requests and responses in turn, of matching codes. Raises `FormatError`."""
    if len(data) > LIMIT:
        msg = f"SPDM transcript: {len(data)} bytes are over the limit of {LIMIT}"
        raise FormatError(msg)
    reader = Cursor(data, what="SPDM transcript")
    found: list[Message] = []
    while reader.remaining:
        direction = reader.number(1, "direction")
        message = reader.counted(4, "message", limit=spdm.MAX_MESSAGE)
        if direction != len(found) % 2 or len(message) < 4 or len(found) == MAX_MESSAGES:
            msg = f"SPDM transcript: message {len(found)} is out of turn, too short, or one too many"
            raise FormatError(msg)
        found.append(Message(direction=direction, data=message))
    if len(found) % 2:
        msg = "SPDM transcript: the last request has no response"
        raise FormatError(msg)
    for asked, answered in zip(found[::2], found[1::2], strict=True):
        if asked.code & 0x7F != answered.code or asked.code < 0x80:
            msg = f"SPDM transcript: {asked.code:#x} was answered with {answered.code:#x}"
            raise FormatError(msg)
    return tuple(found)


def encode_messages(messages: tuple[Message, ...]) -> bytes:
    """The container of these messages."""
    return b"".join(
        bytes([message.direction]) + len(message.data).to_bytes(4, "little") + message.data for message in messages
    )


_Pairs = tuple[tuple[Message, Message], ...]


def _digests(pairs: _Pairs, hash_size: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for _, answer in pairs:
        if answer.code == Code.DIGESTS:
            found |= spdm.Digests.decode(answer.data, hash_size=hash_size).slots
    return found


def _chains(pairs: _Pairs) -> dict[int, bytes]:
    """The chain of every slot that was read whole, portion by portion."""
    found: dict[int, bytearray] = {}
    left: dict[int, int] = {}
    for asked, answer in pairs:
        if answer.code != Code.CERTIFICATE:
            continue
        part = CertificatePortion.decode(answer.data)
        offset = int.from_bytes(asked.data[4:6], "little")
        held = found.setdefault(part.slot, bytearray())
        if asked.data[2] & 0x0F != part.slot or offset != len(held) or len(held) + len(part.portion) > spdm.MAX_CHAIN:
            msg = f"SPDM transcript: a portion of slot {part.slot} that does not continue its chain"
            raise FormatError(msg)
        held += part.portion
        left[part.slot] = part.remainder
    return {slot: bytes(held) for slot, held in found.items() if left[slot] == 0}


def _measured(pairs: _Pairs, signature_size: int) -> SignedMeasurements:
    """The one run of measurement exchanges. A second signature, or anything after the first, is an error."""
    run = [pair for pair in pairs if pair[0].code == Code.GET_MEASUREMENTS]
    at = [index for index, pair in enumerate(pairs) if pair[0].code == Code.GET_MEASUREMENTS]
    requests = [MeasurementRequest.decode(asked.data) for asked, _ in run]
    signatures = [request.signed for request in requests]
    if not run or signatures != [False] * (len(run) - 1) + [True] or at[-1] - at[0] != len(at) - 1:
        msg = "SPDM transcript: it needs measurement exchanges in one run, of which the last one alone is signed"
        raise FormatError(msg)
    answers = [
        Measurements.decode(answer.data, signature_size=signature_size if signed else 0)
        for (_, answer), signed in zip(run, signatures, strict=True)
    ]
    blocks = {block.index: block for answer in answers for block in answer.blocks}
    joined = b"".join(asked.data + answer.data for asked, answer in run)
    return SignedMeasurements(
        signed=joined[: len(joined) - signature_size],
        request=requests[-1],
        last=answers[-1],
        blocks=tuple(blocks[index] for index in sorted(blocks)),
    )
