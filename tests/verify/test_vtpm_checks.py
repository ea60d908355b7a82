"""Each check of a TPM's quotes has a case that breaks it and nothing before it."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.forge import NOW
from tests.forge_tpm import (
    EK,
    LEAF,
    MIDDLE,
    NONCE,
    ROOT,
    SHA256_BANK,
    CertificatePlan,
    Forged,
    ForgedAzure,
    QuotePlan,
    boot,
    crl,
    event,
    fingerprint,
    log,
    pcrs_after,
    public,
    spki,
    variable,
)
from warily.core.appraisal import Appraisal
from warily.core.expect import NO_CREDENTIAL, ActivatedCredential, SnpExpect, TpmExpect
from warily.core.finding import Outcome, Waived
from warily.core.registers import BANKS
from warily.errors import FormatError, UsageError
from warily.formats.tcg_log import EventType
from warily.formats.tpm import Algorithm, Attribute, Public
from warily.verify import appraise, vtpm
from warily.verify.snp.presets import BASELINE as SNP_BASELINE
from warily.verify.tdx.presets import BASELINE as TDX_BASELINE
from warily.verify.vtpm.credential import name_of
from warily.verify.vtpm.presets import baseline

Case = Forged | ForgedAzure
OFF = Waived("this test looks elsewhere")


def judged(case: Case) -> Appraisal:
    return appraise(case.evidence, case.collateral, case.expectation, at=NOW)


def wanting(**changes: object) -> TpmExpect:
    return replace(baseline(None), nonce=NONCE, **changes)  # type: ignore[arg-type]  # each case knows its field


def with_log(made: object = None, *, quoted: object = None, **changes: object) -> Forged:
    """A quote over what one log leads to, and another log beside it."""
    quote = QuotePlan(values=pcrs_after(quoted or boot()))  # type: ignore[arg-type]  # a log
    return Forged(quotes=(quote,), logs=(made or boot(),), expect=wanting(**changes))  # type: ignore[arg-type]  # a log


def forged_name(plan: CertificatePlan) -> CertificatePlan:
    """The same certificate by another key: genuine in its name alone."""
    return replace(plan, public="other", signer="other")


ONE_VALUE = {"sha256": {4: frozenset({bytes(32)})}}
TAMPERED = boot(event(5, EventType.EFI_ACTION, b"Exit Boot Services", measured=b"something else"))
TWICE = boot(event(3, EventType.SEPARATOR, bytes(4)))
SHA384_LOG = log(event(0, EventType.S_CRTM_VERSION, b"x", banks=(BANKS["sha384"],)), banks=(BANKS["sha384"],))

SECRET = b"a secret of ours"
CREDENTIAL = ActivatedCredential(
    endorsement_key=fingerprint("ek"),
    name=name_of(Public.decode(public("ak"))),
    secret=hashlib.sha256(SECRET).digest(),
)


def endorsed(*certificates: CertificatePlan, activated: bytes = SECRET, **changes: object) -> Forged:
    """A quote whose key lives in the TPM with a certified endorsement key. As it is, accepted."""
    want = wanting(**{"credential": CREDENTIAL} | changes)
    return Forged(certificates=certificates or (EK, MIDDLE, ROOT), activated=activated, expect=want)


FAILURES: dict[str, tuple[str, Callable[[], Case]]] = {
    "hardware": ("snp.signature", lambda: ForgedAzure(snp_key="other")),
    "runtime data": ("vtpm.runtime-data", lambda: ForgedAzure(bound=bytes(32))),
    "runtime data, tail": (
        "vtpm.runtime-data",
        lambda: ForgedAzure(bound=hashlib.sha256(ForgedAzure().evidence.hcl_report).digest() + b"\x01"),
    ),
    "runtime data, hash": ("vtpm.runtime-data", lambda: ForgedAzure(hash_type=9)),
    "runtime data, weak key": ("vtpm.ak.runtime-data", lambda: ForgedAzure(ak="weak", quote=QuotePlan(ak="weak"))),
    "quote by another key": ("vtpm.signature", lambda: ForgedAzure(quote=QuotePlan(ak="other"))),
    "certificate for another use": (
        "vtpm.ak.certificate",
        lambda: Forged(certificates=(replace(LEAF, signs=False), MIDDLE, ROOT)),
    ),
    "certificate, critical": (
        "vtpm.ak.certificate",
        lambda: Forged(certificates=(replace(LEAF, critical="1.2.3.4"), MIDDLE, ROOT)),
    ),
    "root of nobody's": ("vtpm.chain.root", lambda: Forged(trusts=())),
    "leaf by another key": (
        "vtpm.chain.signed",
        lambda: Forged(certificates=(replace(LEAF, signer="other"), MIDDLE, ROOT)),
    ),
    "middle by another key": (
        "vtpm.chain.signed",
        lambda: Forged(certificates=(LEAF, replace(MIDDLE, signer="other"), ROOT)),
    ),
    "middle is no authority": (
        "vtpm.chain.signed",
        lambda: Forged(certificates=(LEAF, replace(MIDDLE, ca=False, path_length=None), ROOT)),
    ),
    "path too long": (
        "vtpm.chain.signed",
        lambda: Forged(
            certificates=(LEAF, MIDDLE, replace(ROOT, path_length=0)), trusts=(replace(ROOT, path_length=0),)
        ),
    ),
    "out of date": ("vtpm.chain.dates", lambda: Forged(certificates=(replace(LEAF, days=-1), MIDDLE, ROOT))),
    "revoked": ("vtpm.chain.revoked", lambda: Forged(crls=(crl(LEAF.serial),))),
    "list by another key": ("vtpm.chain.revoked", lambda: Forged(crls=(crl(signer="other"),))),
    "key not named": (
        "vtpm.ak.named",
        lambda: Forged(certificates=(), expect=wanting(attestation_keys=frozenset({bytes(32)}))),
    ),
    "key that signs anything": (
        "vtpm.ak.attributes",
        lambda: Forged(attestation_key=public("ak", Attribute.FIXED_TPM | Attribute.SIGN)),
    ),
    "endorsement, certificate for another use": (
        "vtpm.ek.certificate",
        lambda: endorsed(replace(EK, endorsement=False), MIDDLE, ROOT),
    ),
    "endorsement, critical": (
        "vtpm.ek.certificate",
        lambda: endorsed(replace(EK, critical="1.2.3.4"), MIDDLE, ROOT),
    ),
    "endorsement, by another key": ("vtpm.chain.signed", lambda: endorsed(replace(EK, signer="other"), MIDDLE, ROOT)),
    "endorsement, revoked": ("vtpm.chain.revoked", lambda: replace(endorsed(), crls=(crl(EK.serial),))),
    "endorsement, another secret": ("vtpm.ek.activation", lambda: endorsed(activated=b"guessed")),
    "endorsement, another key": (
        "vtpm.ek.activation",
        lambda: replace(endorsed(), attestation_key=public("other"), quotes=(QuotePlan(ak="other"),)),
    ),
    "endorsement, and the key has a certificate": (
        "vtpm.ek.activation",
        lambda: endorsed(EK, LEAF, MIDDLE, ROOT, activated=b"guessed"),
    ),
    "endorsement, and the key is named": (
        "vtpm.ek.activation",
        lambda: endorsed(activated=b"guessed", attestation_keys=frozenset({fingerprint("ak")})),
    ),
    "endorsement, not wanted": ("vtpm.binding", lambda: endorsed(bindings=frozenset({"certificate"}))),
    "signature": ("vtpm.signature", lambda: Forged(quotes=(QuotePlan(spoil=True),))),
    "registers": (
        "vtpm.pcrs.digest",
        lambda: Forged(quotes=(QuotePlan(sent=pcrs_after(boot()) | {4: bytes(32)}),)),
    ),
    "no register": ("vtpm.pcrs.digest", lambda: Forged(quotes=(QuotePlan(values={}),))),
    "quotes of two boots": ("vtpm.quotes.agree", lambda: Forged(quotes=(QuotePlan(), QuotePlan(reset=2)))),
    "two nonces": ("vtpm.quotes.agree", lambda: Forged(quotes=(QuotePlan(), QuotePlan(nonce=b"other")))),
    "two values": (
        "vtpm.quotes.agree",
        lambda: Forged(quotes=(QuotePlan(), QuotePlan(values={3: bytes(32)}))),
    ),
    "binding": ("vtpm.binding", lambda: Forged(expect=wanting(bindings=frozenset({"snp"})))),
    "nonce": ("vtpm.nonce", lambda: Forged(quotes=(QuotePlan(nonce=b"replayed"),))),
    "bank": ("vtpm.bank", lambda: Forged(expect=wanting(banks=frozenset({"sha384"})))),
    "sha1 bank": (
        "vtpm.bank",
        lambda: Forged(quotes=(QuotePlan(bank=Algorithm.SHA1, values={0: bytes(20)}),)),
    ),
    "selection": ("vtpm.selection", lambda: Forged(expect=wanting(selection=frozenset({4, 11})))),
    "value": ("vtpm.pcrs", lambda: Forged(expect=wanting(pcrs=ONE_VALUE))),
    "value not quoted": ("vtpm.pcrs", lambda: Forged(expect=wanting(pcrs={"sha384": {4: frozenset({bytes(48)})}}))),
    "no value": ("vtpm.pcrs", lambda: Forged(expect=wanting(pcrs={}))),
    "secure boot": (
        "vtpm.secure-boot",
        lambda: with_log(boot(secure=b"\x00"), quoted=boot(secure=b"\x00"), secure_boot=True),
    ),
    "instance": ("vtpm.instance", lambda: Forged(expect=wanting(instances=frozenset({"mine"})))),
    "user data": ("vtpm.user-data", lambda: Forged(expect=wanting(user_data=b"mine"))),
    "log of another boot": ("log.replay", lambda: with_log(boot(secure=b"\x00"))),
    "log of another bank": ("log.replay", lambda: with_log(SHA384_LOG)),
    "log of a register that is not quoted": ("log.replay", lambda: with_log(log_registers=frozenset({23}))),
    "data": ("log.event", lambda: with_log(TAMPERED, quoted=TAMPERED)),
    "separator": ("log.separator", lambda: with_log(TWICE, quoted=TWICE)),
}
OPEN: dict[str, tuple[str, Callable[[], Case]]] = {
    "no processor": ("snp.signing-key", lambda: ForgedAzure(certificates=())),
    "no certificate": ("vtpm.ak.certificate", lambda: Forged(certificates=())),
    "no key": ("vtpm.ak.certificate", lambda: Forged(attestation_key=b"", certificates=())),
    "no endorsement certificate": ("vtpm.ek.certificate", lambda: endorsed(MIDDLE, ROOT)),
    "no credential": ("vtpm.ek.activation", lambda: endorsed(credential=NO_CREDENTIAL)),
    "nothing came back": ("vtpm.ek.activation", lambda: endorsed(activated=b"")),
    "a key without a name": ("vtpm.ek.activation", lambda: replace(endorsed(), attestation_key=spki("ak"))),
    "no authority": ("vtpm.chain.root", lambda: Forged(certificates=(LEAF,))),
    "no root": ("vtpm.chain.root", lambda: Forged(certificates=(LEAF, MIDDLE))),
    "old list": ("vtpm.chain.revoked", lambda: Forged(crls=(crl(days=(-30, -1)),))),
    "registers missing": ("vtpm.pcrs.digest", lambda: Forged(quotes=(QuotePlan(sent={}),))),
    "no log": ("log.replay", lambda: Forged(expect=wanting(log_registers=frozenset({7})))),
    "secure boot unsaid": ("vtpm.secure-boot", lambda: Forged(expect=wanting(secure_boot=True))),
}


@pytest.mark.parametrize("name", FAILURES)
def test_the_first_failure_is_the_one_that_was_made(name: str) -> None:
    check, make = FAILURES[name]
    appraisal = judged(make())
    assert appraisal.first_failure is not None
    assert (appraisal.first_failure.check, appraisal.first_failure.outcome) == (check, Outcome.FAIL)
    assert not appraisal.accepted
    assert not appraisal.undecided


@pytest.mark.parametrize("name", OPEN)
def test_what_is_missing_leaves_it_open(name: str) -> None:
    check, make = OPEN[name]
    appraisal = judged(make())
    assert appraisal.undecided
    assert appraisal.first_failure is not None
    assert (appraisal.first_failure.check, appraisal.first_failure.outcome) == (check, Outcome.UNDECIDED)
    assert appraisal.first_failure.hint


def test_a_credential_is_not_for_a_key_that_a_paravisor_vouches_for() -> None:
    case = ForgedAzure()
    with pytest.raises(UsageError, match="paravisor"):
        judged(replace(case, expect=replace(case.expect, credential=CREDENTIAL)))


def test_every_check_has_a_case() -> None:
    broken = {check for check, _ in FAILURES.values()}
    # A processor that is not genuine fails by its own check before `vtpm.hardware` repeats it.
    assert {check for check, _ in vtpm.checks()} - broken == {"vtpm.hardware"}
    refused = {finding.check: finding.outcome for finding in judged(FAILURES["hardware"][1]()).findings}
    assert refused["vtpm.hardware"] is Outcome.FAIL
    assert all(sentence.endswith(".") for _, sentence in vtpm.checks())


@pytest.mark.parametrize(
    "case",
    [
        Forged(),
        endorsed(),
        Forged(crls=(crl(),)),
        Forged(attestation_key=b""),
        Forged(attestation_key=spki("ak")),
        Forged(quotes=(QuotePlan(scheme=Algorithm.RSAPSS),)),
        Forged(quotes=(QuotePlan(scheme=Algorithm.RSAPSS, hashed=Algorithm.SHA384),)),
        Forged(
            quotes=(QuotePlan(ak="ec"),),
            attestation_key=public("ec"),
            certificates=(
                replace(LEAF, public="ec", signer="ec384 middle"),
                replace(MIDDLE, public="ec384 middle"),
                ROOT,
            ),
        ),
        Forged(quotes=(QuotePlan(), QuotePlan(bank=BANKS["sha384"], values={0: bytes(48)}))),
        Forged(trusts=(MIDDLE,)),
        Forged(
            certificates=(),
            attestation_key=b"",
            keys=(spki("other"), spki("ak")),
            expect=wanting(attestation_keys=frozenset({fingerprint("ak")}), bindings=frozenset({"named"})),
        ),
        Forged(expect=wanting(pcrs={"sha256": {4: frozenset({pcrs_after(boot())[4]})}}, selection=frozenset({0, 9}))),
        with_log(secure_boot=True),
        with_log(log_registers=frozenset({0, 7})),
        with_log(quoted=boot(event(9, EventType.IPL, b"later")), log_registers=frozenset(range(8))),
    ],
)
def test_good_ones_are_accepted(case: Forged) -> None:
    appraisal = judged(case)
    assert appraisal.first_failure is None
    assert appraisal.accepted
    assert appraisal.claims["binding"] in {"certificate", "endorsement", "named"}


def test_the_processor_below_vouches_and_its_findings_come_first() -> None:
    appraisal = judged(ForgedAzure())
    assert appraisal.accepted
    assert appraisal.rehearsal
    assert appraisal.findings[0].check == "snp.signing-key"
    assert appraisal.claims["instance"] == "F0F0"
    assert appraisal.claims["user_data"] == "ab" * 64
    assert {"snp.signature", "vtpm.signature", "log.replay"} <= set(appraisal.required)


def test_the_processor_below_is_judged_as_wanted() -> None:
    processor = ForgedAzure().expect.hardware
    assert isinstance(processor, SnpExpect)
    strict = replace(processor, measurements=frozenset({bytes(48)}))
    first = judged(ForgedAzure(expect=wanting(hardware=strict))).first_failure
    assert first is not None
    assert first.check == "snp.measurement"
    appraisal = judged(ForgedAzure(expect=wanting(hardware=OFF)))
    assert appraisal.first_failure is not None
    assert appraisal.first_failure.check == "snp.chain.root"  # to waive the rules does not make a strange root trusted


def test_an_expectation_for_another_processor_is_refused() -> None:
    with pytest.raises(UsageError, match="another processor"):
        judged(ForgedAzure(expect=wanting(hardware=TDX_BASELINE)))


def test_a_paravisors_key_is_not_taken_from_the_evidence() -> None:
    evidence = replace(ForgedAzure(quote=QuotePlan(ak="other")).evidence, attestation_key=public("other"))
    case = ForgedAzure()
    appraisal = appraise(evidence, case.collateral, case.expectation, at=NOW)
    assert appraisal.first_failure is not None
    assert appraisal.first_failure.check == "vtpm.signature"


def test_secure_boot_is_not_read_from_what_a_guest_can_add() -> None:
    """After the separator everything is the guest's: hiding the genuine entry and adding another proves nothing."""
    genuine = boot(secure=b"\x00")
    added = event(7, EventType.EFI_VARIABLE_DRIVER_CONFIG, variable("SecureBoot", b"\x01"))
    hidden = tuple(
        replace(entry, type=int(EventType.IPL), data=b"nothing to see") if entry.register == 7 else entry
        for entry in genuine.events
    )
    told = replace(genuine, events=(*hidden, added))
    whole = replace(genuine, events=(*genuine.events, added))
    appraisal = judged(with_log(told, quoted=whole, secure_boot=True))
    assert not appraisal.accepted
    assert appraisal.outcome_of("log.replay") is Outcome.PASS
    assert appraisal.outcome_of("vtpm.secure-boot") is Outcome.UNDECIDED


def test_claims_come_only_with_authenticity() -> None:
    assert judged(Forged(quotes=(QuotePlan(spoil=True),))).claims == {}
    said = judged(with_log()).claims
    assert said["registers"]["sha256"]["PCR0"] == pcrs_after(boot())[0].hex()  # type: ignore[index]  # a table
    assert said["boot"][0]["secure_boot"] is True  # type: ignore[index]  # a list of tables
    assert said["boot"][0]["kernel_command_lines"] == ["/vmlinuz root=/dev/dm-0"]  # type: ignore[index]  # likewise


def test_too_much_of_anything_is_malformed() -> None:
    case = Forged()
    for changed in (
        replace(case.evidence, quotes=()),
        replace(case.evidence, quotes=case.evidence.quotes * 9),
        replace(case.evidence, event_logs=(b"x",) * 9),
        replace(case.evidence, event_logs=(b"x" * 64,)),
    ):
        with pytest.raises(FormatError):
            appraise(changed, case.collateral, case.expectation, at=NOW)


def test_no_single_byte_of_a_quote_can_change() -> None:
    case = Forged(logs=(boot(),))
    evidence = case.evidence
    assert judged(case).accepted
    for at in range(len(evidence.quotes[0].message)):
        message = bytearray(evidence.quotes[0].message)
        message[at] ^= 1 << (at % 8)
        changed = replace(evidence, quotes=(replace(evidence.quotes[0], message=bytes(message)),))
        try:
            assert not appraise(changed, case.collateral, case.expectation, at=NOW).accepted
        except FormatError:
            continue


def test_presets_hold_what_they_say() -> None:
    want = baseline(SNP_BASELINE)
    assert want.hardware is SNP_BASELINE
    assert "named" not in want.bindings  # type: ignore[operator]  # not waived
    assert SHA256_BANK == 11
