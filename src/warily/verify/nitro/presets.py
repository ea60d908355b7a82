"""Two expectations that need no file: `GENUINE` and `BASELINE`.

BASELINE refuses an enclave in debug mode. It takes documents of enclaves and of NitroTPMs, and sets no age beyond
the three hours that the certificate of a document lives.
"""

from typing import Final

from warily.core.expect import NitroExpect
from warily.core.finding import Waived

_AUTHENTICITY: Final = Waived("genuine: authenticity alone was asked for")


def _not_named(what: str) -> Waived:
    return Waived(f"baseline: no {what} was named")


GENUINE: Final = NitroExpect(
    rehearsal_roots=frozenset(),
    debug=_AUTHENTICITY,
    tpm=_AUTHENTICITY,
    pcrs=_AUTHENTICITY,
    nonce=_AUTHENTICITY,
    user_data=_AUTHENTICITY,
    public_key=_AUTHENTICITY,
    modules=_AUTHENTICITY,
    max_age=_AUTHENTICITY,
)

BASELINE: Final = NitroExpect(
    rehearsal_roots=frozenset(),
    debug=False,
    tpm=_not_named("kind of document"),
    pcrs=_not_named("register"),
    nonce=_not_named("nonce"),
    user_data=_not_named("user data"),
    public_key=_not_named("public key"),
    modules=_not_named("module"),
    max_age=_not_named("age"),
)

PRESETS: Final = {"genuine": GENUINE, "baseline": BASELINE}
