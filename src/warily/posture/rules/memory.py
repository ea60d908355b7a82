"""Memory: who can read or change what the guest keeps private."""

from dataclasses import dataclass
from typing import Final

from warily.core.finding import Outcome
from warily.posture.cell import Adversary, Cell, Component, Grade, Question, State
from warily.posture.facts import Facts, Freshness

ASPECT: Final = "private memory is neither read nor changed"
EVIDENCE: Final = ("snp.chain.root", "snp.signature", "snp.policy", "snp.migration-agent", "snp.report-data")

_ALL: Final = tuple(Adversary)
_HOST: Final = (Adversary.HOST_ADMIN, Adversary.CLOUD_OPERATOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bit:
    """A bit of the report that closes something when it has the value `closes`."""

    group: str
    name: str
    closes: bool
    adversaries: tuple[Adversary, ...]
    otherwise: str


# AMD 56860 (SNP ABI), ATTESTATION_REPORT: PLATFORM_INFO.
BITS: Final = (
    Bit(
        group="platform",
        name="CIPHERTEXT_HIDING_DRAM_EN",
        closes=True,
        adversaries=_ALL,
        otherwise="ciphertext in memory can be watched: CIPHERTEXT_HIDING is not on",
    ),
    Bit(
        group="platform",
        name="SMT_EN",
        closes=False,
        adversaries=_ALL,
        otherwise="a sibling thread may share the core: SMT is not known to be off",
    ),
    Bit(
        group="platform",
        name="ALIAS_CHECK_COMPLETE",
        closes=True,
        adversaries=_HOST,
        otherwise="aliased DIMMs (BadRAM) are not ruled out: ALIAS_CHECK_COMPLETE is not set",
    ),
    Bit(
        group="platform",
        name="RAPL_DIS",
        closes=True,
        adversaries=_HOST,
        otherwise="power counters may be read: RAPL is not known to be off",
    ),
)


def memory(facts: Facts, adversary: Adversary) -> Cell:
    """Excluded only for accepted hardware evidence that says debugging is off."""
    ask = Question(adversary=adversary, component=Component.MEMORY, aspect=ASPECT)
    if facts.rehearsal:
        return ask.answer(State.EXPOSED, Grade.E2, "a rehearsal: no hardware encrypts this memory")
    if facts.bit("policy", "DEBUG") is True:
        return ask.answer(
            State.EXPOSED, facts.launched, "the policy allows debugging: the host may read and write it all"
        )
    if not facts.accepted:
        return ask.unknown(f"the evidence is not accepted: {facts.refusal}")
    if facts.bit("policy", "DEBUG") is None or facts.bit("policy", "MIGRATE_MA") is None:
        return ask.unknown("the evidence does not say whether debugging and migration are off")
    if facts.bit("policy", "MIGRATE_MA") is True:
        return ask.answer(State.EXPOSED, facts.launched, "the policy lets a migration agent take this memory elsewhere")
    return ask.answer(
        State.EXCLUDED,
        Grade.E5 if facts.freshness is Freshness.FRESH else Grade.E4,
        f"encrypted and guarded by SNP hardware; debugging off; by {facts.appraisal.anchor}",
        evidence=facts.passed(*EVIDENCE),
        mediators=("the processor, its firmware and their maker",),
        still_open=_open(facts, adversary),
    )


def _open(facts: Facts, adversary: Adversary) -> tuple[str, ...]:
    found = [
        bit.otherwise
        for bit in BITS
        if adversary in bit.adversaries and facts.bit(bit.group, bit.name) is not bit.closes
    ]
    if facts.appraisal.outcome_of("snp.tcb.floor") is not Outcome.PASS:
        found.append("no floor for firmware versions was asked for: known bugs may be open")
    if facts.appraisal.outcome_of("snp.chain.revoked") is not Outcome.PASS:
        found.append("no revocation list was given: a withdrawn chip key would not be seen")
    if facts.text("signing_key") != "VCEK":
        found.append("the key that signed may be a fleet's (VLEK): the chip is not named")
    if facts.freshness is not Freshness.FRESH:
        found.append("nothing shows that this report is recent")
    if adversary is Adversary.CLOUD_OPERATOR:
        found.append("an interposer on the memory bus: no field of a report shows one")
    return (*found, "page faults and timing show which pages are used, and when")
