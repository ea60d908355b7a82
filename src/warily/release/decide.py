"""Whether keys go out: an appraisal and the volumes as remembered, in; what to grant or why not, out.

All or nothing: where one volume is refused, no key of another goes out either.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from warily.core.appraisal import Appraisal, Rejected
from warily.core.finding import Finding
from warily.errors import CollateralError
from warily.release import registry
from warily.release.messages import VolumeGrant, VolumeState
from warily.release.registry import No, NotYet, ToInitialise, ToOpen, Volume


class Reason(Enum):
    """Which kind of no it is. The value is the HTTP status of the problem document."""

    REJECTED = 403
    REGISTRY = 409
    UNDECIDED = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The keys that go out, and the volumes as they must be remembered before they do."""

    keys: tuple[VolumeGrant, ...]
    remember: tuple[Volume, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No key goes out. `seconds` says when asking again can help, where it can."""

    reason: Reason
    code: str
    because: str
    findings: tuple[Finding, ...] = ()
    hint: str | None = None
    seconds: int | None = None


def decide(
    appraisal: Appraisal,
    volumes: Sequence[Volume],
    *,
    identity: bytes,
    session: str,
    now: int,
    unwrap: Callable[[Volume], bytes],
) -> Granted | Refused:
    """What the VM `identity`, in a new `session`, gets for this appraisal at `now` (seconds since 1970).

    `unwrap` is called only for volumes whose key is granted.
    """
    no = refusal_of(appraisal)
    if no is not None:
        return no
    answers = [registry.ask(volume, identity=identity, session=session, now=now) for volume in volumes]
    kept: list[Volume] = []
    for answer in answers:
        match answer:
            case No(code, because):
                return Refused(reason=Reason.REGISTRY, code=code, because=because)
            case NotYet(code, because, seconds):
                return Refused(reason=Reason.UNDECIDED, code=code, because=because, seconds=seconds)
            case ToInitialise(volume) | ToOpen(volume):
                kept.append(volume)
    return Granted(keys=tuple(_key(volume, unwrap(volume)) for volume in kept), remember=tuple(kept))


def refusal_of(appraisal: Appraisal) -> Refused | None:
    """The refusal that follows from the appraisal alone, with all its findings; None where it was accepted."""
    try:
        appraisal.require()
    except (Rejected, CollateralError) as error:
        reason = Reason.REJECTED if isinstance(error, Rejected) else Reason.UNDECIDED
        return Refused(reason=reason, code=error.code, because=str(error), findings=appraisal.findings, hint=error.hint)
    return None


def _key(volume: Volume, secret: bytes) -> VolumeGrant:
    made = volume.state is VolumeState.INITIALISED
    return VolumeGrant(
        name=volume.name,
        secret=secret,
        state=volume.state,
        descriptor=volume.descriptor if made else None,
        epoch=volume.epoch,
        seal=volume.seal,
    )
