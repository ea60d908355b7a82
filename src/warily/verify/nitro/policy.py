"""The expectation that a Nitro document suggests, what its keys mean, and what is dangerous in one."""

from collections.abc import Iterator
from typing import Final

from warily.core.expect import NitroExpect
from warily.core.finding import Waived
from warily.formats.nitro import NitroDocument
from warily.verify.policy_note import Note, danger, remark

# What stands above each key of the file.
COMMENTS: Final[dict[str, str]] = {
    "rehearsal_roots": "SHA-256 of rehearsal roots that are trusted besides Amazon's. Empty wherever Nitro is wanted.",
    "debug": "Whether an enclave in debug mode is acceptable: whoever runs it reads its console.",
    "tpm": "Whether the document is of a NitroTPM (true) or of an enclave (false): their registers differ in meaning.",
    "pcrs": "SHA-384 registers by number. Of an enclave: 0 is the image, 1 its kernel and boot, 2 its application, 3 "
    "the role of the parent instance, 4 the instance itself, 8 the key that signed the image. 3 and 4 are left out "
    "here: they name one role and one instance. Zero registers are left out too.",
    "nonce": "The challenge. It is new in each request, so a file cannot hold it.",
    "user_data": "What the software inside chose to say, up to 1 KiB.",
    "public_key": "The key of the software inside; it is new at each start, as a rule.",
    "modules": "Module ids: instance, and enclave or TPM.",
    "max_age": "The greatest age of a document in seconds. Without it, its certificate ends it after three hours.",
}

_INSTANCE: Final = (3, 4)
_BY_CALLER: Final = Waived("it is made for each request, and compared where the request is made")


def choose(document: NitroDocument, *, rehearsal_roots: frozenset[bytes]) -> NitroExpect:
    """The expectation that accepts such a document and no other image. An enclave in debug mode stays refused."""
    named = {index: value for index, value in document.pcrs.items() if any(value)}
    if not document.tpm:
        named = {index: value for index, value in named.items() if index not in _INSTANCE}
    return NitroExpect(
        rehearsal_roots=rehearsal_roots,
        debug=False,
        tpm=document.tpm,
        pcrs={index: frozenset({value}) for index, value in named.items()} or Waived("no register says anything"),
        nonce=_BY_CALLER,
        user_data=Waived("the software inside chose it"),
        public_key=_BY_CALLER,
        modules=Waived("any instance may run the image"),
        max_age=300,
    )


def notes(want: NitroExpect) -> Iterator[Note]:
    """What is dangerous or remarkable in an expectation, key by key."""
    if want.rehearsal_roots:
        yield danger("rehearsal_roots", "documents that software signed are trusted")
    if isinstance(want.debug, Waived) or want.debug:
        yield danger("debug", "whoever runs the enclave reads its console, and its registers say nothing")
    if isinstance(want.pcrs, Waived):
        yield danger("pcrs", "any software passes")
    elif not all(want.pcrs.values()):
        yield danger("pcrs", "the list of a register is empty: nothing can pass")
    elif any(bytes(48) in values for index, values in want.pcrs.items() if index in (0, 1, 2)):
        yield danger("pcrs", "all zeros in PCR0, PCR1 or PCR2 is an enclave in debug mode")
    if isinstance(want.nonce, Waived):
        yield remark("nonce", "freshness is not judged beyond the age of the document, unless the caller compares it")
    if isinstance(want.tpm, Waived):
        yield remark("tpm", "registers of enclaves and of NitroTPMs are taken for each other")
    if isinstance(want.max_age, Waived):
        yield remark("max_age", "a document passes for the three hours that its certificate lives")
