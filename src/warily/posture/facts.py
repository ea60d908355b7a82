"""What grading takes: one appraisal, and what else is known of the machine. Missing means unknown.

Nothing here is believed for being passed in. A manifest counts where its own prediction equals the launch
digest of accepted evidence; a guest's account of itself where REPORT_DATA binds it and the software that
wrote it is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from warily.core.appraisal import Appraisal
from warily.core.declaration import Platform
from warily.core.finding import Outcome
from warily.core.manifest import Manifest
from warily.formats.attack_run import AttackRun
from warily.formats.guest_state import GuestState
from warily.posture.cell import Grade

FRESH_FOR: Final = timedelta(minutes=10)  # after that an answer is stale: it speaks of the past
STALE_FOR: Final = timedelta(hours=1)  # after that it says nothing of the present
REGISTER: Final = "launch_digest"


class Freshness(StrEnum):
    """Verdicts decay with the time of the question, not by a timer: fresh, then stale, then none."""

    FRESH = "fresh"
    STALE = "stale"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What the broker that released keys says of this evidence.

    `accepted`: its own appraisal passed. `nonce_was_ours`: the evidence answered a nonce it had made, used
    once. `answered`: when. `granted`: the volumes whose keys it released for it. `verifier_apart`: whether it
    runs where the administrators of the machine's host have no say.
    """

    accepted: bool
    nonce_was_ours: bool
    answered: datetime
    granted: frozenset[str] = frozenset()
    verifier_apart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a posture is graded from. `at` is the time of the question.

    `manifest` is one whose owner's signature was verified; `state` was sent with the evidence; `attacks`
    is what a laboratory found out about some image.
    """

    appraisal: Appraisal
    at: datetime
    manifest: Manifest | None = None
    state: GuestState | None = None
    release: Release | None = None
    attacks: AttackRun | None = None

    @property
    def accepted(self) -> bool:
        """The evidence is authentic and acceptable, and says something."""
        return self.appraisal.accepted and bool(self.appraisal.claims)

    @property
    def rehearsal(self) -> bool:
        """The anchor is a software key."""
        return self.appraisal.rehearsal

    @property
    def refusal(self) -> str:
        """Why the evidence is not accepted, in a few words."""
        first = self.appraisal.first_failure
        return first.check if first else "no check was made"

    @property
    def launched(self) -> Grade:
        """How well the launch measurement is known: by hardware, or by a chain of software."""
        return Grade.E2 if self.rehearsal else Grade.E4

    @property
    def image(self) -> Manifest | None:
        """The signed manifest, where it predicts the launch digest of accepted evidence."""
        if self.manifest is None or not self.accepted:
            return None
        platform = Platform.REHEARSAL if self.rehearsal else Platform.SNP
        predicted = {value.hex() for value in self.manifest.values(platform, REGISTER)}
        return self.manifest if self.text("measurement") in predicted else None

    @property
    def attacked(self) -> AttackRun | None:
        """What a laboratory found out about this very image: one whose rehearsal has the digest that was attacked.

        Where nothing says which image this is, what succeeded on one may succeed here.
        """
        image, run = self.image, self.attacks
        if run is None or image is None:
            return None if run is None else run.lost
        return run if run.launch_digest in image.values(Platform.REHEARSAL, REGISTER) else None

    @property
    def freshness(self) -> Freshness:
        """How old the answer to a nonce of ours is. An answer from the future is none."""
        if self.release is None or not (self.release.nonce_was_ours and self.release.accepted):
            return Freshness.NONE
        age = self.at - self.release.answered
        if not timedelta(0) <= age <= STALE_FOR:
            return Freshness.NONE
        return Freshness.FRESH if age <= FRESH_FOR else Freshness.STALE

    @property
    def sample(self) -> GuestState | None:
        """The guest's account of itself, where it is bound to a nonce of ours and its author is known."""
        ours = self.release is not None and self.release.accepted and self.release.nonce_was_ours
        bound = self.appraisal.outcome_of("snp.report-data") is Outcome.PASS
        return self.state if ours and bound and self.image is not None else None

    def passed(self, *checks: str) -> tuple[str, ...]:
        """Those of `checks` that ran and passed: the ones a cell may cite."""
        return tuple(check for check in checks if self.appraisal.outcome_of(check) is Outcome.PASS)

    def text(self, claim: str) -> str:
        """A claim that is text, or nothing."""
        value = self.appraisal.claims.get(claim)
        return value if isinstance(value, str) else ""

    def bit(self, group: str, name: str) -> bool | None:
        """Whether a named bit of `policy` or `platform` is set; None where the evidence does not say."""
        claimed = self.appraisal.claims.get(group)
        names = claimed.get("bits") if isinstance(claimed, Mapping) else None
        return name in names if isinstance(names, list) else None
