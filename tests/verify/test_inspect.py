"""Every supported file becomes a tree: offsets are right, output is bounded, malformed bytes are shown or refused."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forge import REPORT, ark, ask, crl, leaf, signed
from tests.verify.test_ear import GOOD, KEYS
from tests.verify.test_nitro import FORMS
from tests.verify.test_recognise import BUNDLE, RAW, RECORD, TABLE, TSM
from warily.errors import FormatError
from warily.formats import cbor, cpio, snp_certs
from warily.formats._json import canonical
from warily.formats._layout import Layout
from warily.formats.cpio import Entry
from warily.formats.dsse import Envelope, Signature
from warily.formats.go_tpm_attestation import GoAttestation
from warily.formats.sev_hashes import KernelHashes
from warily.formats.snp_guest_message import ReportAnswer
from warily.formats.snp_report import SnpReport
from warily.verify.ear import Submodule, ear_claims
from warily.verify.ear_token import sign_cwt, sign_jwt
from warily.verify.inspect import FORMATS, format_of, inspect
from warily.verify.inspect.node import MAX_NODES, SHOWN_BYTES, Node, few, layout_node, shown

CLAIMS = ear_claims({"snp": Submodule(appraisal=GOOD, policy_id="p")})
ENVELOPE = Envelope(payload_type="text/x", payload=b'{"a": [1, null]}', signatures=(Signature(keyid="me", sig=b"s"),))
FILES = {
    "SEV-SNP certificate table": TABLE,
    "SEV-SNP report": RAW,
    "MSG_REPORT_RSP": ReportAnswer(status=0, report=RAW, certificates=TABLE).encode(),
    "kernel hashes": KernelHashes(command_line=bytes(32), initrd=b"\x01" * 32, kernel=b"\x02" * 32).page(0),
    "cpio archive": cpio.encode([Entry(name="init", mode=0o100755, data=b"#!"), Entry(name="dev", mode=0o040755)]),
    "JSON": TSM,
    "PEM bundle": BUNDLE,
    "JWT": sign_jwt(CLAIMS, KEYS["ES256"]).encode(),
    "certificate": leaf(),
    "revocation list": crl(1, 2),
    "COSE_Sign1": sign_cwt(CLAIMS, KEYS["EdDSA"]),
    "text or gzip around any of these": RAW.hex().encode(),
    "HTTP answer": b"HTTP/1.1 200 OK\r\n\r\n" + RAW,
}


def walk(node: Node) -> Iterator[Node]:
    yield node
    for part in node.parts:
        yield from walk(part)


def find(node: Node, name: str) -> Node:
    return next(part for part in walk(node) if part.name == name)


@pytest.mark.parametrize("name", FILES)
def test_the_kind_is_told_by_content(name: str) -> None:
    found = format_of(FILES[name])
    assert found is not None
    assert found.name == name
    tree = inspect(FILES[name])
    json.dumps(tree.as_json())
    assert tree.count() > 3 or name == "cpio archive"


def test_all_formats_are_tried() -> None:
    below = {"OVMF firmware", "ELF file", "Intel quote"}  # with real files
    assert {entry.name for entry in FORMATS} >= set(FILES) | below


@pytest.mark.parametrize("name", ["SEV-SNP report", "MSG_REPORT_RSP", "kernel hashes"])
def test_values_stand_where_the_tree_says(name: str) -> None:
    data = FILES[name]
    checked = 0
    for node in walk(inspect(data)):
        if node.offset is None or node.size is None or node.parts or node.size > SHOWN_BYTES:
            continue
        part = data[node.offset : node.offset + node.size]
        number = int.from_bytes(part, "little")
        assert node.value in (shown(part), shown(number)), node
        checked += 1
    assert checked > 5


def test_every_byte_of_a_report_is_somewhere() -> None:
    at = 0
    for node in inspect(RAW).parts:
        assert node.offset == at
        at += node.size or 0
    assert at == len(RAW)


def test_certificates_of_a_table_stand_where_the_tree_says() -> None:
    for data in (TABLE, FILES["MSG_REPORT_RSP"]):
        tree = inspect(data)
        for name, der in (("VCEK", leaf()), ("ASK", ask()), ("ARK", ark())):
            node = find(tree, name)
            assert node.offset is not None
            assert data[node.offset :].startswith(der)


def test_what_numbers_mean_is_said() -> None:
    tree = inspect(signed(replace(REPORT, policy=0xB001F, vmpl=0xFFFFFFFF)))
    assert "DEBUG" in find(tree, "policy").note
    assert find(tree, "vmpl").note == "asked for by the host"
    assert find(tree, "reported_tcb").note == "bootloader 4 tee 0 snp 24 microcode 219"
    assert find(tree, "current_version").note == "1.55.29"


def test_a_malformed_report_is_shown_with_what_is_wrong() -> None:
    broken = bytearray(RAW)
    broken[0x210] = 1
    tree = inspect(bytes(broken))
    assert tree.note.startswith("malformed: ")
    odd = [node for node in walk(tree) if node.note == "not zero"]
    assert [(node.name, node.offset) for node in odd] == [("reserved", 0x208)]


def test_what_base64_holds_is_opened() -> None:
    tree = inspect(TSM)
    assert find(tree, "measurement").value == REPORT.measurement.hex()
    assert find(tree, "ASK").value == "SEV-Milan"
    assert find(inspect(canonical(RECORD)), "hw").value == "2 entries"


def test_tokens_and_envelopes() -> None:
    assert find(inspect(FILES["JWT"]), "ear_status").value == "affirming"
    assert find(inspect(FILES["COSE_Sign1"]), "alg").note == "EdDSA"
    tree = inspect(ENVELOPE.encode())
    assert tree.note == "signatures were not looked at"
    assert find(tree, "a").value == "2 entries"


def test_private_keys_are_not_shown() -> None:
    from tests.verify.test_ear import private_pem

    (node,) = inspect(private_pem(KEYS["ES256"])).parts
    assert (node.value, node.note, node.parts) == ("", "not shown", ())


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"{", b"\x30\x00", b"070701", b"\x7fELF"[:3], b"00", RAW[:-1], b"eyJ.x.y", b"\x84\x00"]
)
def test_the_rest_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        inspect(data)


def test_output_is_bounded() -> None:
    long = canonical({"a": list(range(100_000)), "b": "x" * 100_000})
    tree = inspect(long)
    assert tree.count() < 300
    assert len(find(tree, "b").value) < 300
    wide = canonical({str(at): {str(inner): [0] * 50 for inner in range(200)} for at in range(200)})
    assert inspect(wide).count() < MAX_NODES
    deep = b'{"a":' * 100 + b"1" + b"}" * 100
    assert max(map(len, str(inspect(deep).as_json()).split())) < 100
    assert [node.name for node in few([Node(name="x")] * 5, limit=2)] == ["x", "x", "…"]
    assert MAX_NODES == 10_000


@pytest.mark.parametrize("form", FORMS)
def test_nitro_documents_in_every_form(form: str) -> None:
    tree = inspect(FORMS[form])
    assert find(tree, "module_id").value == "i-0-enc0"
    assert find(find(tree, "cabundle"), "subject").value == "nitro.test"
    assert find(find(tree, "certificate"), "subject").value == "leaf"


def test_terminals_get_no_commands() -> None:
    for node in walk(inspect(canonical({"a\x1b[2J": "b\x1b[2J\n"}))):
        assert all(text.isprintable() for text in (node.name, node.value, node.note))


def test_firmware(vectors: Path) -> None:
    data = (vectors / "measure" / "firmware" / "OVMF.amdsev.fd").read_bytes()
    tree = inspect(data)
    assert tree.name == "OVMF firmware"
    assert tree.note == ""
    head = find(tree, "SEV metadata")
    assert head.offset is not None
    assert data[head.offset :].startswith(b"ASEV")
    assert find(head, "section 0").parts
    assert find(tree, "SEV hash table block").parts
    changed = bytearray(data)
    changed[head.offset] = 0
    assert inspect(bytes(changed)).note.startswith("malformed: ")


@pytest.mark.parametrize(
    "name",
    ["tdx/v4_dcap-qvl/tdx_quote", "tdx/v5_go-tdx-guest/quote_v5_sample.dat", "tdx/sgx_v3_dcap-qvl/sgx_quote"],
)
def test_quotes(vectors: Path, name: str) -> None:
    data = (vectors / "evidence" / name).read_bytes()
    tree = inspect(data)
    assert (tree.name, tree.note) == ("Intel quote", "")
    assert find(tree, "qe_vendor_id").note == "Intel"
    assert find(tree, "PEM bundle").parts[0].value == "Intel SGX PCK Certificate"
    for node in walk(tree):
        if node.offset is not None and node.size and not node.parts and node.value and node.size <= SHOWN_BYTES:
            part = data[node.offset : node.offset + node.size]
            assert node.value in (shown(part), shown(int.from_bytes(part, "little"))) or node.size == 6
    for cut in range(0, len(data), 97):
        with suppress(FormatError):
            inspect(data[:cut])


def test_elf() -> None:
    import sys

    head = Path(sys.executable).resolve().read_bytes()[: 1 << 16]
    tree = inspect(head)
    assert tree.name == "ELF file"
    assert find(tree, "segment 0").parts


def layouts(kind: type[Layout] = Layout) -> Iterator[type[Layout]]:
    for child in kind.__subclasses__():
        if "SIZE" in vars(child) or hasattr(child, "PLACES"):
            yield child
        yield from layouts(child)


@given(st.data())
def test_any_layout_shows_any_bytes(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([kind for kind in layouts() if kind.SIZE <= 2048]))
    node = layout_node(kind, data.draw(st.binary(max_size=kind.SIZE)), at=16)
    assert node.offset == 16
    json.dumps(node.as_json())


@given(st.one_of(st.binary(max_size=512), st.binary(max_size=64).map(lambda blob: RAW[:200] + blob + RAW[264:])))
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    with suppress(FormatError):
        assert inspect(data).count() <= MAX_NODES


@given(st.integers(0, len(TABLE) - 1), st.integers(0, 255))
def test_a_damaged_table_is_shown_or_refused(at: int, byte: int) -> None:
    damaged = bytearray(TABLE)
    damaged[at] = byte
    with suppress(FormatError):
        inspect(bytes(damaged))


def test_a_table_with_a_stranger_inside() -> None:
    table = snp_certs.encode_table([(snp_certs.VCEK, b"no certificate"), (snp_certs.ASK, BUNDLE)])
    tree = inspect(table)
    assert find(tree, "VCEK").note.startswith("no certificate: ")
    assert find(tree, "PEM bundle").parts


def test_reports_of_all_kinds_of_cbor() -> None:
    message = cbor.encode([cbor.encode({1: -7}), {4: b"kid", 33: [b"x"]}, b"text", b"s"])
    tree = inspect(message)
    assert find(tree, "payload").value == b"text".hex()
    assert SnpReport.SIZE == 0x4A0


def names_of(node: Node) -> list[str]:
    return [part.name for part in node.parts]


def test_structures_of_a_tpm(vectors: Path) -> None:
    folder = vectors / "ima" / "swtpm"
    quote = inspect((folder / "s1-t0.quote").read_bytes())
    assert (quote.name, quote.parts[-1].name, quote.parts[-1].offset) == ("TPMS_ATTEST", "PCR digest", 0x6F)
    assert find(quote, "sha256").value.startswith("PCR0, PCR1")
    signature = inspect((folder / "s1-t0.sig").read_bytes())
    assert names_of(signature) == ["scheme", "hash", "signature"]
    assert signature.parts[0].note == "RSASSA"
    hcl = inspect((vectors / "evidence/azure_snp_vtpm/trustee/hcl-report.bin").read_bytes())
    assert find(hcl, "report_data").offset == 0x20 + 0x50
    assert find(hcl, "runtime data").note == "its hash is REPORT_DATA"
    assert "HCLAkPub" in {part.value for part in walk(hcl)}
    tdx = inspect((vectors / "evidence/azure_tdx_vtpm/trustee/hcl-report.bin").read_bytes())
    assert "TDREPORT" in find(tdx, "hardware report").note
    cut = inspect((vectors / "evidence/azure_snp_vtpm/trustee/hcl-report.bin").read_bytes()[:1300])
    assert "malformed" in cut.note
    public = GoAttestation.decode((vectors / "evidence/tpm_quote/gce-cos-85-nonce9009.pb").read_bytes()).attestation_key
    assert "RESTRICTED" in find(inspect(public), "attributes").note
    sized = inspect(len(public).to_bytes(2, "big") + public)
    assert (sized.name, sized.offset) == ("TPMT_PUBLIC", 2)


def test_event_logs(vectors: Path) -> None:
    folder = vectors / "evidence"
    log = inspect((folder / "tdx_ccel/trustee/CCEL_data").read_bytes())
    assert (log.name, log.value) == ("CCEL event log", "5 entries, sha384")
    assert log.parts[1].name == "RTMR0 EV_PLATFORM_CONFIG_FLAGS"
    legacy = inspect((folder / "tpm_eventlog/go-tpm-tools/debian-10.bin").read_bytes())
    assert legacy.name == "TCG event log"
    secure = next(part for part in legacy.parts if "SecureBoot" in part.value)
    assert secure.name == "PCR7 EV_EFI_VARIABLE_DRIVER_CONFIG"
    assert [part.name for part in secure.parts] == ["digest sha1", "data"]
    raw = (folder / "tpm_eventlog/go-tpm-tools/arch-linux-workstation.bin").read_bytes()
    assert raw[inspect(raw).parts[1].offset or 0 :][:4] == (0).to_bytes(4, "little")
    assert "malformed" in inspect(raw[:-1]).note
