"""Are the quotes genuine: first who vouches for the attestation key, then what the key signed.

Ordered tables of checks; the first that does not pass ends it. Which table opens depends on the kind of voucher.
Formats come first: malformed quotes, keys or certificates are a `FormatError`, not a finding.
"""

import hashlib
from collections.abc import Callable
from typing import Final

from warily.core.appraisal import CLEAN
from warily.core.finding import Finding, Outcome, Waived, failed, passed, undecided, waived
from warily.core.registers import HASHES
from warily.formats.tpm import Attribute
from warily.formats.x509 import RevocationList, common_name
from warily.verify import x509
from warily.verify.vtpm import chain, credential, keys
from warily.verify.vtpm.case import Binding, Case, Quote, fingerprint

Check = Callable[[Case], Finding]

NO_CRL: Final = Waived("no revocation list was given, so revocation was not judged")
_RUNTIME_HASHES: Final = {1: "sha256", 2: "sha384", 3: "sha512"}
_AK_MUST: Final = Attribute.FIXED_TPM | Attribute.FIXED_PARENT | Attribute.SENSITIVE_DATA_ORIGIN
_AK_MUST_SIGN: Final = _AK_MUST | Attribute.RESTRICTED | Attribute.SIGN


def hardware_is_genuine(case: Case) -> Finding:
    """The processor below the virtual TPM is genuine: its own evidence, inside the paravisor's report, passes."""
    check = "vtpm.hardware"
    if case.hardware is None:
        return undecided(check, missing="the evidence of the processor", hint="the TD quote belongs beside the report")
    appraisal = case.hardware.appraisal
    if appraisal.claims:
        return passed(check, found=appraisal.anchor)
    first = appraisal.first_failure
    why = first.check if first else "no check"
    if appraisal.undecided:
        return undecided(check, missing=first.expected if first else "its collateral", hint=first.hint if first else "")
    return failed(check, expected=f"genuine {appraisal.platform} evidence", found=f"rejected by {why}")


def runtime_data_is_the_hardwares(case: Case) -> Finding:
    """REPORT_DATA of the processor's evidence is the hash of the paravisor's runtime data, then zeros."""
    check = "vtpm.runtime-data"
    if case.hcl is None or case.hardware is None:
        return undecided(check, missing="the paravisor's report")
    name = _RUNTIME_HASHES.get(case.hcl.runtime.hash_type)
    if name is None:
        return failed(check, expected="a hash of type 1, 2 or 3", found=str(case.hcl.runtime.hash_type))
    wanted = hashlib.new(name, case.hcl.runtime_data).digest().ljust(64, b"\x00")
    if case.hardware.report_data != wanted:
        hint = "the attestation key and the settings in the runtime data are not what the processor vouched for"
        found = f"{case.hardware.report_data.hex()[:16]}…"
        return failed(check, expected=f"{wanted.hex()[:16]}…, their {name}", found=found, hint=hint)
    return passed(check, found=name)


def key_is_in_runtime_data(case: Case) -> Finding:
    """The runtime data name the attestation key (HCLAkPub)."""
    check = "vtpm.ak.runtime-data"
    if case.key is None or keys.load(case.key) is None:
        return failed(check, expected="an RSA key of 2048 bits or more", found="a weaker one")
    return passed(check, found=_short(case.key))


def key_is_named(case: Case) -> Finding:
    """The expectation names the attestation key by the SHA-256 of its SubjectPublicKeyInfo."""
    check = "vtpm.ak.named"
    if case.key is None:
        return undecided(check, missing="the attestation key", hint="pass it in PEM with --collateral")
    if fingerprint(case.key) not in case.want.attestation_keys:
        return failed(check, expected="a key that the expectation names", found=f"sha256 {fingerprint(case.key).hex()}")
    return passed(check, found=f"{_short(case.key)}; that a TPM holds it is assumed of whoever named it")


def certificate_is_of_the_key(case: Case) -> Finding:
    """A certificate of the attestation key is at hand, and allows signing."""
    check = "vtpm.ak.certificate"
    if case.key is None or not case.chain:
        missing = (
            "the attestation key" if case.key is None else f"a certificate of the attestation key {_short(case.key)}"
        )
        hint = "pass it with --collateral, or name the key in `attestation_keys` of an expectation file"
        return undecided(check, missing=missing, hint=hint)
    leaf = case.chain[0]
    unknown = chain.unknown_critical(leaf)
    if leaf.is_authority or unknown or not chain.may(leaf, chain.DIGITAL_SIGNATURE):
        found = f"critical extension {unknown[0]}" if unknown else "a certificate for another use"
        return failed(check, expected="a certificate for a key that signs", found=found)
    return passed(check, found=chain.gce_instance(leaf) or leaf.name)


def endorsement_is_certified(case: Case) -> Finding:
    """A certificate of the TPM's endorsement key is at hand, and is for such a key."""
    check = "vtpm.ek.certificate"
    if not case.chain:
        hint = "the TPM keeps it in its non-volatile memory (tpm2_getekcertificate); pass it with --collateral"
        return undecided(check, missing="the certificate of the endorsement key", hint=hint)
    leaf = case.chain[0]
    unknown = chain.unknown_critical(leaf)
    sealed_to = chain.may(leaf, chain.KEY_ENCIPHERMENT) or chain.may(leaf, chain.KEY_AGREEMENT)
    other_use = chain.EXTENDED_KEY_USAGE in leaf.extensions and not chain.is_endorsement(leaf)
    if leaf.is_authority or unknown or not sealed_to or other_use:
        found = f"critical extension {unknown[0]}" if unknown else "a certificate for another use"
        return failed(check, expected="a certificate of a TPM's endorsement key", found=found)
    return passed(check, found=leaf.name)


def credential_was_activated(case: Case) -> Finding:
    """The TPM with that endorsement key opened a credential made for the attestation key: it holds both."""
    check, made = "vtpm.ek.activation", case.want.credential
    if case.public is None:
        missing = "the attestation key as its TPM describes it (TPMT_PUBLIC): only that has a name"
        return undecided(check, missing=missing, hint="pass what `tpm2_createak --public` wrote with --collateral")
    if isinstance(made, Waived):
        missing = "a sign that this attestation key lives in the TPM with that endorsement key: no quote says so"
        hint = (
            "make a credential for both with `warily credential`; where the key was enrolled elsewhere, name it: an "
            "enrolment is then assumed"
        )
        return undecided(check, missing=missing, hint=hint)
    name = credential.name_of(case.public)
    if name != made.name:
        found = f"a key of name {name.hex()[:16]}…"
        return failed(check, expected=f"the key that the credential was made for, {made.name.hex()[:16]}…", found=found)
    if not case.activated:
        return undecided(check, missing="what the TPM got out of the credential", hint="pass it with --activated")
    if fingerprint(case.activated) != made.secret:
        hint = "another TPM, or the credential of another time"
        return failed(check, expected="the secret of the credential", found="something else", hint=hint)
    return passed(check, found=f"key {name.hex()[:16]}… is held by that TPM")


def root_is_trusted(case: Case) -> Finding:
    """The chain ends at a built-in cloud authority, or at one that the expectation names."""
    check = "vtpm.chain.root"
    top = case.chain[-1]
    if len(case.chain) > 1 and chain.is_anchor(top, case.want.authorities):
        return passed(check, found=top.name)
    if top.issuer != top.subject or len(case.chain) == 1:
        missing = f"the authority above {top.name}, {common_name(top.issuer)}"
        return undecided(check, missing=missing, hint="pass the authorities' certificates with --collateral")
    found = f"{top.name}, sha256 {x509.fingerprint(top).hex()}"
    hint = "if you trust it, name it with --authority, or in `authorities` of an expectation file"
    return failed(check, expected="a built-in authority, or one that the expectation names", found=found, hint=hint)


def chain_is_signed(case: Case) -> Finding:
    """Each certificate is signed by the one above it, which may certify it."""
    check = "vtpm.chain.signed"
    for below, (child, issuer) in enumerate(zip(case.chain, case.chain[1:], strict=False)):
        if not chain.signs(issuer, child):
            return failed(check, expected=f"{child.name} signed by {issuer.name}", found="another signature")
        if not chain.may_certify(issuer, below) or chain.unknown_critical(issuer):
            return failed(check, expected=f"{issuer.name} an authority over {child.name}", found="it may not be that")
    return passed(check, found=f"{len(case.chain)} certificates")


def chain_is_in_date(case: Case) -> Finding:
    """Every certificate of the chain is valid at the given time."""
    check = "vtpm.chain.dates"
    for certificate in case.chain:
        if not x509.is_valid_at(certificate, case.at):
            found = f"valid {certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}"
            expected = f"{certificate.name} valid at {case.at:%Y-%m-%d}"
            return failed(check, expected=expected, found=found, hint="pass --at to judge old evidence at its own time")
    return passed(check, found=f"until {min(entry.not_after for entry in case.chain):%Y-%m-%d}")


def chain_is_not_revoked(case: Case) -> Finding:
    """No revocation list of an authority in the chain names a certificate of it; a list given is signed and in date."""
    check = "vtpm.chain.revoked"
    current = False
    lists = [(crl, issuer) for issuer in case.chain[1:] for crl in case.crls if crl.issuer == issuer.subject]
    for crl, issuer in lists:
        if not chain.signs(issuer, crl) or not chain.may(issuer, chain.CRL_SIGN):
            return failed(check, expected=f"a list signed by {issuer.name}", found="another signature")
        revoked = [entry for entry in case.chain if entry.issuer == crl.issuer and entry.serial in crl.serials]
        if revoked:
            found = f"{revoked[0].name}, serial {revoked[0].serial:#x}, is revoked"
            return failed(check, expected="no certificate of the chain on the list", found=found)
        current |= _covers(crl, case)
    if not lists:
        return waived(check, NO_CRL)
    if not current:
        return undecided(check, missing=f"a revocation list in date at {case.at:%Y-%m-%d}", hint="get the current list")
    return passed(check)


def _covers(crl: RevocationList, case: Case) -> bool:
    return crl.this_update <= case.at and crl.next_update is not None and case.at <= crl.next_update


def key_signs_only_its_own(case: Case) -> Finding:
    """The key belongs to one TPM and signs only what that TPM made (fixedTPM, restricted), where it says so."""
    check = "vtpm.ak.attributes"
    if case.public is None:
        return passed(check, found="whoever vouches for the key answers for that")
    lacking = [bit.name or "" for bit in Attribute if bit & _AK_MUST_SIGN & ~case.public.attributes]
    if lacking or case.public.attributes & Attribute.DECRYPT:
        found = f"without {', '.join(lacking)}" if lacking else "one that decrypts as well"
        return failed(check, expected="a restricted signing key of one TPM", found=found)
    return passed(check, found="restricted, fixed to its TPM")


def signatures_verify(case: Case) -> Finding:
    """The attestation key signed each TPMS_ATTEST, as received: RSASSA, RSAPSS or ECDSA with SHA-256 or longer."""
    check = "vtpm.signature"
    if case.key is None:
        return undecided(check, missing="the attestation key")
    if not case.quotes:
        hint = "pass the TPM's quote as the evidence, and this report with --collateral"
        return undecided(check, missing=f"a quote by the attestation key {_short(case.key)}", hint=hint)
    for number, quote in enumerate(case.quotes, start=1):
        if quote.signature.hash not in keys.HASHES:
            name = HASHES.get(quote.signature.hash, f"{quote.signature.hash:#06x}")
            return failed(check, expected="a signature over SHA-256, SHA-384 or SHA-512", found=name)
        if not keys.signed_quote(case.key, quote.signature, quote.raw.message):
            expected = f"quote {number} signed by the attestation key {_short(case.key)}"
            hint = "the quote was changed, or another key signed it"
            return failed(check, expected=expected, found="a signature that does not verify", hint=hint)
    return passed(check, found=f"{len(case.quotes)} by {_short(case.key)}")


def values_are_what_was_quoted(case: Case) -> Finding:
    """The registers' values hash to the digest that was signed; each quote selects some, and none is missing."""
    check = "vtpm.pcrs.digest"
    for number, quote in enumerate(case.quotes, start=1):
        if not any(entry.pcrs for entry in quote.attest.selections):
            return failed(check, expected=f"quote {number} to cover registers", found="it selects none")
        if quote.missing:
            bank, pcr = quote.missing[0]
            missing = f"the value of PCR{pcr} {HASHES.get(bank, hex(bank))}, which quote {number} covers"
            return undecided(check, missing=missing, hint="pass the registers' values with the quote")
        found = pcr_digest(quote)
        if found != quote.attest.digest:
            hint = "a register's value was changed, or belongs to another quote"
            expected = f"values that hash to {quote.attest.digest.hex()[:16]}…, as signed"
            return failed(check, expected=expected, found=f"{found.hex()[:16]}…", hint=hint)
    covered = {HASHES.get(bank, hex(bank)): len(values) for bank, values in case.values().items()}
    return passed(check, found=", ".join(f"{count} PCRs {bank}" for bank, count in covered.items()))


def quotes_agree(case: Case) -> Finding:
    """All quotes are of one boot and answer one request, and no register has two values."""
    check = "vtpm.quotes.agree"
    first = case.quotes[0].attest
    seen: dict[tuple[int, int], bytes] = {}
    for number, quote in enumerate(case.quotes, start=1):
        attest = quote.attest
        if (attest.reset_count, attest.restart_count) != (first.reset_count, first.restart_count):
            expected = f"reset {first.reset_count}, restart {first.restart_count} as in quote 1"
            found = f"reset {attest.reset_count}, restart {attest.restart_count} in quote {number}"
            return failed(check, expected=expected, found=found)
        if attest.extra_data != first.extra_data:
            return failed(check, expected="one nonce in all quotes", found=f"another in quote {number}")
        for bank, values in quote.values.items():
            for pcr, value in values.items():
                if seen.setdefault((bank, pcr), value) != value:
                    found = f"two of PCR{pcr} {HASHES.get(bank, hex(bank))}"
                    return failed(check, expected="one value a register", found=found)
    return passed(check, found=f"{len(case.quotes)} of one boot: reset {first.reset_count}")


def pcr_digest(quote: Quote) -> bytes:
    """The hash over the selected values, bank by bank in the order of the selections (part 2, section 10.12.1)."""
    hashed = hashlib.new(HASHES[quote.signature.hash])
    for entry in quote.attest.selections:
        for pcr in entry.pcrs:
            hashed.update(quote.values[entry.bank][pcr])
    return hashed.digest()


# The definition of "genuine", in this order. The reference page is generated from the tables.
HARDWARE_CHECKS: Final[dict[str, Check]] = {
    "vtpm.hardware": hardware_is_genuine,
    "vtpm.runtime-data": runtime_data_is_the_hardwares,
    "vtpm.ak.runtime-data": key_is_in_runtime_data,
}
CERTIFICATE_CHECKS: Final[dict[str, Check]] = {
    "vtpm.ak.certificate": certificate_is_of_the_key,
    "vtpm.chain.root": root_is_trusted,
    "vtpm.chain.signed": chain_is_signed,
    "vtpm.chain.dates": chain_is_in_date,
    "vtpm.chain.revoked": chain_is_not_revoked,
}
ENDORSEMENT_CHECKS: Final[dict[str, Check]] = {
    "vtpm.ek.certificate": endorsement_is_certified,
    **{check: decide for check, decide in CERTIFICATE_CHECKS.items() if check.startswith("vtpm.chain.")},
    "vtpm.ek.activation": credential_was_activated,
}
NAMED_CHECKS: Final[dict[str, Check]] = {"vtpm.ak.named": key_is_named}
QUOTE_CHECKS: Final[dict[str, Check]] = {
    "vtpm.ak.attributes": key_signs_only_its_own,
    "vtpm.signature": signatures_verify,
    "vtpm.pcrs.digest": values_are_what_was_quoted,
    "vtpm.quotes.agree": quotes_agree,
}
VOUCHERS: Final[dict[Binding, dict[str, Check]]] = {
    Binding.SNP: HARDWARE_CHECKS,
    Binding.TDX: HARDWARE_CHECKS,
    Binding.CERTIFICATE: CERTIFICATE_CHECKS,
    Binding.ENDORSEMENT: ENDORSEMENT_CHECKS,
    Binding.NAMED: NAMED_CHECKS,
}
CHECKS: Final[dict[str, Check]] = {
    **HARDWARE_CHECKS,
    **CERTIFICATE_CHECKS,
    **ENDORSEMENT_CHECKS,
    **NAMED_CHECKS,
    **QUOTE_CHECKS,
}


def checks_for(binding: Binding) -> dict[str, Check]:
    """The checks that evidence with this kind of voucher must pass, in order."""
    return VOUCHERS[binding] | QUOTE_CHECKS


def authentic(case: Case) -> tuple[Finding, ...]:
    """One finding for every check: up to the first that is neither passed nor waived, then `NOT_REACHED`."""
    findings: list[Finding] = []
    open_ = True
    for check, decide in checks_for(case.binding).items():
        finding = decide(case) if open_ else Finding(check=check, outcome=Outcome.NOT_REACHED)
        findings.append(finding)
        open_ = open_ and finding.outcome in CLEAN
    return tuple(findings)


def _short(key: bytes) -> str:
    return f"sha256 {fingerprint(key).hex()[:16]}…"
