"""Holding the lease: the running guest calls the broker, which alone can say that it is time to end."""

import time
from typing import Final

from warily.errors import FormatError
from warily.guest import broker
from warily.guest.broker import Unreachable
from warily.guest.refusal import Refused
from warily.release.messages import Grant, LeaseAnswer, LeaseCall, LeaseState

PATH: Final = "/v1/lease"
LONGEST_PAUSE: Final = 60.0


def hold(grant: Grant) -> None:
    """Returns when the broker, proving itself by the lease key, ends the lease.

    A broker that is gone, refuses or answers nonsense changes nothing but the pause until the next call.
    """
    count = 0
    missed = 0
    while True:
        time.sleep(pause(grant.lease_seconds, missed))
        count += 1
        try:
            text = broker.post(PATH, _call(grant, count))
            ended = is_end(LeaseAnswer.decode(text), grant, count)
        except (Unreachable, Refused, FormatError):
            missed += 1
            continue
        missed = 0
        if ended:
            return


def pause(seconds: int, missed: int) -> float:
    """How long to wait before the next call, after `missed` calls in a row without an answer."""
    return max(float(seconds), min(float(seconds << min(missed, 16)), LONGEST_PAUSE))


def is_end(answer: LeaseAnswer, grant: Grant, count: int) -> bool:
    """Whether this genuine answer to call `count` ends the lease. Raises `FormatError` for any other answer."""
    if answer.count != count or not answer.is_tagged_by(grant.lease_key, session=grant.session):
        msg = "lease answer: not the broker's answer to this call"
        raise FormatError(msg)
    return answer.state is LeaseState.END


def _call(grant: Grant, count: int) -> bytes:
    return LeaseCall.make(session=grant.session, count=count, lease_key=grant.lease_key).encode()
