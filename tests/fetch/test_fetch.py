"""`warily fetch` against vendors on this machine, and `warily verify` with what it brought."""

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import forge, forge_tdx
from tests.fetch import vendor as service
from tests.fetch.vendor import Reply, Vendor, kds, pcs, pem_of
from warily.cli.main import run_command_line
from warily.formats.intel_collateral import Bundle
from warily.formats.tsm_report import SEV_GUEST, TsmReport

AT = ("--at", forge.NOW.isoformat())
BUNDLED = "evidence/tdx"
MILAN = "evidence/snp/milan_v3_aci_microsoft"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.bin"
    path.write_bytes(forge.signed(forge.REPORT))
    return path


@pytest.fixture
def quote(tmp_path: Path) -> Path:
    path = tmp_path / "quote.bin"
    path.write_bytes(forge_tdx.Forged().quote.encode())
    return path


def fetch(vendor: Vendor, evidence: Path | tuple[Path, ...], *words: str) -> int:
    mirrors = [
        word for name in ("kds", "pcs", "intel-root", "rim", "ocsp") for word in ("--server", f"{name}={vendor.url}")
    ]
    files = map(str, evidence if isinstance(evidence, tuple) else (evidence,))
    return run_command_line(["fetch", *files, *mirrors, "--patience", "1", *words])


def said(capsys: pytest.CaptureFixture[str]) -> Any:  # noqa: ANN401  # JSON
    return json.loads(capsys.readouterr().out)


def fingerprint(tmp_path: Path, root: bytes) -> tuple[str, str]:
    (tmp_path / "root.der").write_bytes(root)
    return "--rehearsal-root", str(tmp_path / "root.der")


def verify(evidence: Path, *words: str) -> int:
    return run_command_line(["verify", str(evidence), *AT, *words])


def test_a_report_undecided_then_fetched_then_accepted(
    vendor: Vendor, report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = fingerprint(tmp_path, forge.ark())
    assert verify(report, *root) == 4
    assert f"hint: run `warily fetch {report} --into collateral/`" in capsys.readouterr().err
    kds(vendor)
    folder = tmp_path / "collateral"
    assert fetch(vendor, report, "--into", str(folder)) == 0
    seen = capsys.readouterr()
    assert sorted(seen.out.split()) == sorted(str(path) for path in folder.iterdir())
    assert f"the revocation list of ARK-Milan: {vendor.url}/vcek/v1/Milan/crl" in seen.err
    assert verify(report, *root, "--collateral", str(folder)) == 0
    out = capsys.readouterr().out
    assert "waived snp.chain.revoked" not in out
    assert vendor.asked[0].endswith("?blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219")


def test_the_cache_answers_the_second_time(
    vendor: Vendor, report: Path, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kds(vendor)
    assert fetch(vendor, report, "--into", str(tmp_path / "a")) == 0
    assert len(vendor.asked) == 3
    assert fetch(vendor, report, "--into", str(tmp_path / "b")) == 0
    assert fetch(vendor, report, "--into", str(tmp_path / "c"), "--offline") == 0
    assert len(vendor.asked) == 3
    assert "3 of 3 answers were in the cache" in capsys.readouterr().err
    assert fetch(vendor, report, "--into", str(tmp_path / "d"), "--refresh") == 0
    assert len(vendor.asked) == 6
    for path in cache.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    for path in (cache / "objects").iterdir():
        path.write_bytes(b"damaged")
    assert fetch(vendor, report, "--into", str(tmp_path / "e")) == 0
    assert len(vendor.asked) == 9
    for path in (cache / "answers").iterdir():
        path.write_bytes(b'{"url": 1}')
    assert fetch(vendor, report, "--into", str(tmp_path / "f"), "--offline") == 4


def test_a_quote_fetched_as_a_bundle(
    vendor: Vendor, quote: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pcs(vendor, service.forged_bundle(), fmspc=forge_tdx.FMSPC.hex())
    root = fingerprint(tmp_path, forge_tdx.certificate(forge_tdx.ROOT_PLAN))
    bundle = tmp_path / "collateral.json"
    assert verify(quote, *root) == 4
    assert fetch(vendor, quote, "--bundle", str(bundle), "--json") == 0
    capsys.readouterr()
    assert verify(quote, *root, "--collateral", str(bundle)) == 0
    first = bundle.read_bytes()
    assert fetch(vendor, quote, "--bundle", str(bundle)) == 0
    assert bundle.read_bytes() == first, "the same answers, the same bytes"
    capsys.readouterr()
    assert run_command_line(["inspect", str(bundle)]) == 0
    shown = capsys.readouterr().out
    assert "collateral bundle" in shown
    assert f"{vendor.url}/tdx/certification/v4/tcb?fmspc=90c06f000000" in shown
    assert "tcbEvaluationDataNumber" in shown
    parts = json.loads(first)
    parts["items"][0]["sha256"] = "00" * 32
    bundle.write_text(json.dumps(parts))
    assert verify(quote, *root, "--collateral", str(bundle)) == 3


def test_json_says_what_came_from_where(vendor: Vendor, quote: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pcs(vendor, service.forged_bundle(), fmspc=forge_tdx.FMSPC.hex())
    vendor.on("/IntelSGXRootCA.der", Reply(status=403))
    assert fetch(vendor, quote, "--bundle", str(quote.parent / "b.json"), "--json") == 4
    found = said(capsys)
    assert found["complete"] is False
    assert found["written"] == []
    assert not (quote.parent / "b.json").exists()
    assert [one["what"] for one in found["missing"]] == ["the revocation list of Intel SGX Root CA"]
    assert "status 403" in found["missing"][0]["because"]
    assert {item["name"] for item in found["items"]} == {
        "intel-pck-crl-platform-chain.pem", "intel-pck-crl-platform.der", "intel-tdx-qe-identity-chain.pem",
        "intel-tdx-qe-identity.json", "intel-tdx-tcb-info-90c06f000000-chain.pem",
        "intel-tdx-tcb-info-90c06f000000.json",
    }  # fmt: skip
    assert set(found["items"][0]) == {"name", "what", "source", "fetched", "sha256", "bytes", "cached"}
    vendor.on("/IntelSGXRootCA.der", Reply(status=404))
    vendor.on("/sgx/certification/v4/rootcacrl", forge_tdx.ROOT_CRL.hex().encode())
    assert fetch(vendor, quote, "--bundle", str(quote.parent / "b.json"), "--json") == 0, "as a PCCS answers"


def test_plan_asks_nobody(vendor: Vendor, report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["fetch", str(report), "--plan"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "https://kdsintf.amd.com/vcek/v1/Milan/cert_chain",
        "https://kdsintf.amd.com/vcek/v1/Milan/crl",
    ]
    assert fetch(vendor, report, "--plan", "--json") == 0
    assert said(capsys)["requests"][2]["addresses"] == [f"{vendor.url}/vcek/v1/Milan/crl"]
    assert vendor.asked == []


GENOA = forge.authority("ARK-Genoa", issuer="ARK-Genoa", key="ark", signer="ark", serial=1)
WRONG: dict[str, tuple[str, Reply | bytes, str]] = {
    "VCEK of another chip": ("vcek", forge.leaf(forge.LeafPlan(hardware_id=b"\x99" * 64)), "another chip or another"),
    "VCEK of another TCB": ("vcek", forge.leaf(forge.LeafPlan(levels=((1, 9), (2, 0), (3, 24), (8, 219)))), "another"),
    "a VLEK": ("vcek", forge.leaf(forge.VLEK), "something else came"),
    "an authority": ("vcek", forge.ask(), "something else came"),
    "a page": ("vcek", b"<html>it works</html>", "no collateral of a known kind"),
    "nothing": ("vcek", b"", "no collateral of a known kind"),
    "half a certificate": ("vcek", forge.leaf()[:-1], "not taken"),
    "no certificate": ("cert_chain", forge.crl(), "what came holds no certificate"),
    "no root": ("cert_chain", pem_of(forge.ask()), "what came holds SEV-Milan"),
    "a chain of another product": ("cert_chain", pem_of(forge.ask(), GENOA), "ARK-Genoa"),
    "a certificate": ("crl", forge.ark(), "something else came"),
    "a list by somebody else": ("crl", forge.crl(signer="ask"), "nobody of that name signed it"),
    "a list of somebody else": ("crl", forge.crl(issuer="SEV-Milan", signer="ask"), "something else came"),
    "too much": ("crl", bytes(2 << 20), "over 1048576 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_was_not_asked_for_is_not_taken(
    vendor: Vendor, report: Path, tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, reply, because = WRONG[case]
    kds(vendor)
    vendor.on(f"/vcek/v1/Milan/{forge.CHIP.hex() if path == 'vcek' else path}", reply)
    assert fetch(vendor, report, "--into", str(tmp_path / "out"), "--json") == 4
    found = said(capsys)
    assert because in found["missing"][0]["because"]
    assert len(found["missing"]) == 2 if path == "cert_chain" else 1
    kds(vendor)
    assert fetch(vendor, report, "--into", str(tmp_path / "out")) == 0, "nothing bad was kept"


def test_statements_that_were_not_asked_for(vendor: Vendor, quote: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fmspc = forge_tdx.FMSPC.hex()
    tcb, identity = f"/tdx/certification/v4/tcb?fmspc={fmspc}", "/tdx/certification/v4/qe/identity"
    lists = "/sgx/certification/v4/pckcrl?ca=platform&encoding=der"
    cases: list[tuple[str, Any, str]] = [
        (tcb, lambda old: replace(old, headers={}), "without its issuer's chain"),
        (tcb, lambda old: replace(old, headers={"TCB-Info-Issuer-Chain": "nonsense"}), "PEM"),
        (tcb, lambda old: replace(old, body=old.body.replace(b"90C06F", b"90C06E")), "what came is of TDX for 90c06e"),
        (tcb, lambda old: replace(old, body=old.body.replace(b":18,", b":19,")), "no certificate that came with it"),
        (tcb, lambda old: replace(old, body=old.body.replace(b"tcbInfo", b"enclaveIdentity")), "enclaveIdentity came"),
        (identity, lambda old: replace(old, body=old.body.replace(b"TD_QE", b"QE")), "something else came"),
        (identity, lambda _: Reply(body=b"{}"), "neither tcbInfo nor enclaveIdentity"),
        (lists, lambda old: replace(old, body=forge_tdx.ROOT_CRL), "something else came"),
        (lists, lambda old: replace(old, headers={}), "without its issuer's chain"),
    ]
    for path, change, because in cases:
        pcs(vendor, service.forged_bundle(), fmspc=fmspc)
        vendor.on(path, change(vendor.replies[path][0]))
        assert fetch(vendor, quote, "--into", str(quote.parent / "out"), "--refresh", "--json") == 4
        missing = said(capsys)["missing"]
        assert len(missing) == 1
        assert because in missing[0]["because"], because


def test_an_older_answer_is_refused_and_noticed(
    vendor: Vendor, quote: Path, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fmspc = forge_tdx.FMSPC.hex()
    root = fingerprint(tmp_path, forge_tdx.certificate(forge_tdx.ROOT_PLAN))
    pcs(vendor, service.forged_bundle(evaluation=17), fmspc=fmspc)
    old = tmp_path / "old.json"
    assert fetch(vendor, quote, "--bundle", str(old)) == 0
    pcs(vendor, service.forged_bundle(evaluation=18), fmspc=fmspc)
    assert fetch(vendor, quote, "--into", str(tmp_path / "new"), "--refresh") == 0
    pcs(vendor, service.forged_bundle(evaluation=17), fmspc=fmspc)
    capsys.readouterr()
    assert fetch(vendor, quote, "--into", str(tmp_path / "x"), "--refresh", "--json") == 4
    missing = said(capsys)["missing"]
    assert len(missing) == 2
    assert "an older answer than before: TDX TCB info for 90c06f000000, key" in missing[0]["because"]
    assert "number 17" in missing[0]["because"]
    assert "--allow-older" in missing[0]["hint"]
    assert fetch(vendor, quote, "--into", str(tmp_path / "y"), "--refresh", "--allow-older") == 0
    assert "older than before, and taken (--allow-older)" in capsys.readouterr().err
    record = ("--seen", str(cache / "seen.json"))
    assert stat.S_IMODE((cache / "seen.json").stat().st_mode) == 0o600
    assert verify(quote, *root, "--collateral", str(old)) == 0
    assert verify(quote, *root, "--collateral", str(old), *record) == 4
    out = " ".join(capsys.readouterr().out.split())
    assert "UNDECIDED: tdx.collateral.regressed" in out
    assert "this one is of number 17" in out
    assert verify(quote, *root, "--collateral", str(tmp_path / "new"), *record) == 0


def test_an_older_revocation_list(
    vendor: Vendor, report: Path, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = fingerprint(tmp_path, forge.ark())
    kds(vendor, crl=forge.crl(days=(-3, 30)))
    assert fetch(vendor, report, "--into", str(tmp_path / "old")) == 0
    kds(vendor, crl=forge.crl(days=(-2, 30)))
    assert fetch(vendor, report, "--into", str(tmp_path / "new"), "--refresh") == 0
    kds(vendor, crl=forge.crl(days=(-3, 30)))
    assert fetch(vendor, report, "--into", str(tmp_path / "x"), "--refresh") == 4
    assert "an older answer than before: CRL of ARK-Milan" in capsys.readouterr().err
    record = ("--seen", str(cache / "seen.json"))
    assert verify(report, *root, "--collateral", str(tmp_path / "old"), *record) == 4
    assert "UNDECIDED: snp.crl.regressed" in capsys.readouterr().out
    assert verify(report, *root, "--collateral", str(tmp_path / "new"), *record) == 0
    (tmp_path / "new" / "amd-milan-vcek-crl.der").unlink()
    assert verify(report, *root, "--collateral", str(tmp_path / "new"), *record) == 4, "a list seen is not left out"
    (cache / "seen.json").write_bytes(b"{}")
    assert fetch(vendor, report, "--into", str(tmp_path / "x"), "--refresh") == 5
    assert "is no record of collateral seen" in capsys.readouterr().err


def test_who_forges_spoils_nothing(vendor: Vendor, report: Path, tmp_path: Path) -> None:
    """A list of an ARK of the right name and another key, of the far future, leaves the genuine one usable."""
    other = forge.authority("ARK-Milan", issuer="ARK-Milan", key="asvk", signer="asvk", serial=7)
    kds(vendor, crl=forge.crl(signer="asvk", days=(900, 999)))
    vendor.on("/vcek/v1/Milan/cert_chain", pem_of(forge.ask(), other))
    assert fetch(vendor, report, "--into", str(tmp_path / "evil")) == 0
    kds(vendor)
    assert fetch(vendor, report, "--into", str(tmp_path / "good"), "--refresh") == 0


def test_busy_then_there(vendor: Vendor, report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kds(vendor)
    path = f"/vcek/v1/Milan/{forge.CHIP.hex()}"
    vendor.replies[path].insert(0, Reply(status=429, headers={"Retry-After": "0"}))
    assert fetch(vendor, report, "--into", str(tmp_path / "out"), "--patience", "9") == 0
    assert "it answers 429; trying again in" in capsys.readouterr().err
    vendor.on(path, Reply(status=429, headers={"Retry-After": "60"}))
    assert fetch(vendor, report, "--into", str(tmp_path / "out"), "--refresh") == 4
    err = capsys.readouterr().err
    assert "does not answer: it answers 429, and asks to wait 60 s" in err
    assert "hint: try again later" in err


def test_what_no_service_has(vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.bin"
    path.write_bytes(forge.signed(replace(forge.REPORT, key_info=1 << 2, chip_id=bytes(64)), key="vlek"))
    vendor.on("/vlek/v1/Milan/cert_chain", pem_of(forge.asvk(), forge.ark()))
    vendor.on("/vlek/v1/Milan/crl", forge.crl())
    assert fetch(vendor, path, "--into", str(tmp_path / "out")) == 4
    assert "a VLEK certificate is in no public service" in capsys.readouterr().err
    (tmp_path / "vlek.der").write_bytes(forge.leaf(forge.VLEK))
    words = ("--collateral", str(tmp_path / "vlek.der"))
    assert fetch(vendor, path, "--into", str(tmp_path / "out"), *words) == 0
    root = fingerprint(tmp_path, forge.ark())
    assert verify(path, *root, *words, "--collateral", str(tmp_path / "out")) == 0


def test_a_report_that_does_not_name_its_processor(vendor: Vendor, tmp_path: Path) -> None:
    path = tmp_path / "report.bin"
    old = replace(forge.REPORT, version=2, cpuid_family=0, cpuid_model=0, cpuid_stepping=0)
    path.write_bytes(forge.signed(old))
    kds(vendor)
    assert fetch(vendor, path, "--into", str(tmp_path / "out")) == 0
    assert [asked.split("/")[3] for asked in vendor.asked] == ["Milan"] * 3
    assert (tmp_path / "out" / "amd-milan-vcek-crl.der").exists()


def test_a_quote_that_only_names_its_platform(vendor: Vendor, tmp_path: Path) -> None:
    """The PCK certificate first; which TCB info to ask for, it says."""
    named = bytes(range(256)) + bytes(128) + b"\x05" * 16 + b"\x0d\x00" + bytes(2)
    path = tmp_path / "quote.bin"
    path.write_bytes(forge_tdx.Forged(certification_type=3, certification=named).quote.encode())
    pcs(vendor, service.forged_bundle(), fmspc=forge_tdx.FMSPC.hex())
    leaf, *above = (forge_tdx.certificate(plan) for plan in forge_tdx.CHAIN)
    chain = service.chain_header("SGX-PCK-Certificate-Issuer-Chain", *above)
    vendor.on("/sgx/certification/v4/pckcert", Reply(body=pem_of(leaf), headers=chain))
    assert fetch(vendor, path, "--into", str(tmp_path / "out")) == 0
    assert vendor.asked[0].endswith(f"&cpusvn={'05' * 16}&pcesvn=0d00&pceid=0000")
    assert len(vendor.asked) == 5
    root = fingerprint(tmp_path, forge_tdx.certificate(forge_tdx.ROOT_PLAN))
    assert verify(path, *root) == 4
    assert verify(path, *root, "--collateral", str(tmp_path / "out")) == 0
    vendor.on("/sgx/certification/v4/pckcert", Reply(body=pem_of(above[0]), headers=chain))
    assert fetch(vendor, path, "--into", str(tmp_path / "out"), "--refresh") == 4
    path.write_bytes(forge_tdx.Forged(certification_type=2, certification=bytes(276)).quote.encode())
    assert fetch(vendor, path, "--into", str(tmp_path / "out")) == 4, "no service takes that"


def test_several_pieces_of_evidence_at_once(vendor: Vendor, report: Path, quote: Path, tmp_path: Path) -> None:
    kds(vendor)
    pcs(vendor, service.forged_bundle(), fmspc=forge_tdx.FMSPC.hex())
    bundle = tmp_path / "both.json"
    assert fetch(vendor, (report, quote, report), "--bundle", str(bundle)) == 0
    assert len(vendor.asked) == 7
    ark = fingerprint(tmp_path, forge.ark())
    assert verify(report, *ark, "--collateral", str(bundle)) == 0
    root = fingerprint(tmp_path, forge_tdx.certificate(forge_tdx.ROOT_PLAN))
    assert verify(quote, *root, "--collateral", str(bundle)) == 0


def test_certificates_that_came_along_are_not_asked_for(vendor: Vendor, tmp_path: Path) -> None:
    from warily.formats import snp_certs

    table = snp_certs.encode_table([(snp_certs.VCEK, forge.leaf())])
    path = tmp_path / "report.json"
    path.write_bytes(TsmReport(provider=SEV_GUEST, outblob=forge.signed(forge.REPORT), auxblob=table).encode())
    kds(vendor)
    assert fetch(vendor, path, "--into", str(tmp_path / "out")) == 0
    assert vendor.asked == ["/vcek/v1/Milan/cert_chain", "/vcek/v1/Milan/crl"]


def test_misuse_and_a_place_that_cannot_be_written(vendor: Vendor, report: Path, tmp_path: Path) -> None:
    kds(vendor)
    both, busy = ("--into", "a", "--bundle", "b"), ("--into", "a", "--patience", "0")
    plans = [("--plan", "--offline", "--refresh"), ("--plan", "--server", "kds"), ("--plan", "--server", "x=y")]
    for words in ((), both, busy, *plans):
        assert fetch(vendor, report, *words) == 2, words
    (tmp_path / "file").write_bytes(b"")
    assert fetch(vendor, report, "--into", str(tmp_path / "file" / "out")) == 5
    (tmp_path / "bad").write_bytes(b"x" * 1184)
    assert fetch(vendor, tmp_path / "bad", "--plan") == 3


def test_genuine_collateral_from_year_to_year(
    vendor: Vendor, vectors: Path, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Intel's own answers of 2025 and 2026, then those of 2025 again."""
    folder = vectors / BUNDLED
    old = Bundle.decode((folder / "v4_dcap-qvl" / "tdx_quote_collateral.json").read_bytes())
    new = Bundle.decode((folder / "v5_dcap-qvl" / "tdx_quote_outdated_collateral.json").read_bytes())
    quote_2025 = folder / "v4_dcap-qvl" / "tdx_quote"
    quote_2026 = folder / "v5_go-tdx-guest" / "quote_v5_sample.dat"
    pcs(vendor, old, fmspc="b0c06f000000")
    assert fetch(vendor, quote_2025, "--into", str(tmp_path / "2025")) == 0
    words = ["verify", str(quote_2025), "--collateral", str(tmp_path / "2025"), "--at", "2025-07-01T00:00:00Z"]
    record = ["--seen", str(cache / "seen.json")]
    assert run_command_line([*words, *record]) == 0
    pcs(vendor, new, fmspc="90c06f000000")
    assert fetch(vendor, quote_2026, "--bundle", str(tmp_path / "2026.json"), "--refresh") == 0
    assert run_command_line([*words, *record]) == 4
    assert "UNDECIDED: tdx.collateral.regressed" in capsys.readouterr().out
    words = ["verify", str(quote_2026), "--collateral", str(tmp_path / "2026.json"), "--at", "2026-03-01T00:00:00Z"]
    assert run_command_line([*words, *record]) == 0
    pcs(vendor, old, fmspc="b0c06f000000")
    capsys.readouterr()
    assert fetch(vendor, quote_2025, "--into", str(tmp_path / "again"), "--refresh", "--json") == 4
    found = said(capsys)
    assert "tcbInfo was to be replaced by 2025-07-19 10:16 UTC" in found["stale"]
    because = " ".join(one["because"] for one in found["missing"])
    assert "TD_QE identity, key" in because
    assert "CRL of Intel SGX PCK Platform CA, key" in because
    assert len(list((tmp_path / "again").iterdir())) == 3, "TCB info of another platform, its chain and the root's list"


def test_genuine_reports_and_quotes_have_a_plan(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evidence = vectors / "evidence"
    expected = {
        "snp/turin_v5_aci_microsoft/report.bin": "/Turin/59790fb1c39f35c1?fmcSPL=01&blSPL=01&teeSPL=01&snpSPL=04",
        "snp/genoa_v3_aci_microsoft/report.bin": "/vcek/v1/Genoa/",
        "snp/milan_v3_vlek_aws_trustee/report.bin": "/vlek/v1/Milan/cert_chain",
        "azure_snp_vtpm/trustee/evidence-v2.json": "/vcek/v1/Milan/crl",
        "azure_tdx_vtpm/trustee/evidence-v1.json": "/tdx/certification/v4/tcb?fmspc=00806f050000",
        "tdx/sgx_v3_dcap-qvl/sgx_quote": "/sgx/certification/v4/pckcrl?ca=processor&encoding=der",
        "tdx/v4_dcap-qvl/tdx-quote.hex": "/tdx/certification/v4/qe/identity",
    }
    for name, part in expected.items():
        assert run_command_line(["fetch", str(evidence / name), "--plan"]) == 0
        assert part in capsys.readouterr().out, name
    nitro = evidence / "nitro/nsm-qvl/nitro_attestation.bin"
    assert run_command_line(["fetch", str(nitro), "--plan"]) == 0
    seen = capsys.readouterr()
    assert seen.out == ""
    assert "nothing is fetched for it" in seen.err
