"""Every parser of outside bytes, with the seeds that mutation starts from. A test fails when one is missing here.

A target takes any bytes. It may return anything, and may raise `FormatError`; whatever else it raises is a finding.
"""

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fuzz import made, seeds
from fuzz.readers import (
    acpi_readers,
    all_layouts,
    aml_set,
    any_json,
    collection,
    dice_names,
    event_data,
    file_sections,
    file_system,
    http,
    loader_script,
    lz4,
    nitro_payload,
    nvidia_entry,
    portion,
    registers,
    rim_from_service,
    sniffers,
    tcb,
    text,
    unhexed,
)
from fuzz.seeds import (
    Seeds,
    beginnings,
    certificates,
    extensions,
    files,
    literal,
    mapped,
    members,
    slices,
    spoken,
    written,
)
from tests.smbios_tables import END, SYSTEM
from warily.errors import FormatError
from warily.formats import (
    _xml,
    acpi_pin,
    acpi_table,
    acpidump,
    attack_run,
    cbor,
    collateral_bundle,
    comid,
    contrast_manifest,
    corim,
    cose_sign1,
    cpio,
    debian,
    dm_ioctl,
    dsse,
    dstack_measurements,
    e820,
    elf,
    go_tpm_attestation,
    gpt,
    guest_config,
    guest_state,
    hcl_report,
    igvm,
    initramfs,
    intel_collateral,
    intel_tcb,
    kernel_config,
    keylime_policy,
    linux_kernel,
    load_option,
    lz4_block,
    nitro,
    nvidia_evidence,
    nvidia_report,
    ocsp,
    ovmf,
    pck,
    pcrlock,
    pe,
    pem,
    sev_hashes,
    signature_list,
    signed_note,
    signed_program,
    sigstore_bundle,
    smbios,
    snp_certs,
    snp_guest_message,
    spdm,
    spdm_transcript,
    swid_rim,
    tcg_log,
    td_hob,
    tdisp_report,
    tdvf,
    tdx_quote,
    tlog_checkpoint,
    tlog_proof,
    tlog_tiles,
    tpm,
    tpm_credential,
    tsm_report,
    uefi_events,
    uefi_varstore,
    uki,
    volume_descriptor,
    vtpm_evidence,
    x509,
)
from warily.formats.acpi import roots

ALL: Final = 1 << 30
HASH: Final = 48


@dataclass(frozen=True, slots=True)
class Target:
    """A parser, and where the mutation of its input starts."""

    read: Callable[[bytes], object]
    seeds: tuple[Seeds, ...] = ()

    def check(self, data: bytes) -> object | None:
        """Parse. Any exception that leaves this is a finding; a well-behaved refusal gives None."""
        try:
            return self.read(data)
        except FormatError:
            return None

    def start(self, vectors: Path) -> list[bytes]:
        """The seeds; without the vectors, those that need none."""
        return seeds.chosen(self.seeds, vectors)


_TABLES: Final = files("acpi/qemu-10.0.13/x86/q35/*.aml", "acpi/hostile-static/*.aml")
_BYTECODE: Final = files("acpi/badaml/*.aml", "acpi/uacpi/*.aml", "acpi/hostile-static/mal-*.aml")
_PLATFORM_CERTIFICATES: Final = ("evidence/snp/*/vcek.pem", "evidence/snp/roots/*.pem", "evidence/tpm_quote/*/*.pem")
_QUOTES: Final = files("evidence/tdx/*/*quote*", "evidence/tdx/*/quote.dat")
_COLLATERAL: Final = ("evidence/tdx/*/*collateral*.json",)
_RIMS: Final = files("evidence/nvidia/rims_nvtrust/*.swidtag", "evidence/nvidia/attestation-sdk/*.xml")
_REPORTS: Final = ("spdm/nvidia/*report.bin",)
_LOGS: Final = ("ima/swtpm/*.bios.bin", "measure/pcr/boot/*/binary_bios_measurements", "ima/*eventlog.bin")
_HARDWARE: Final = "evidence/azure_*_vtpm/trustee/hcl-report.bin"
_VOLUME: Final = slices(0, None, "measure/firmware/*.fd")
_DM: Final = (4).to_bytes(4, "little") + bytes(8) + (16384).to_bytes(4, "little") + (312).to_bytes(4, "little")

TARGETS: Final[dict[str, Target]] = {
    # warily.formats, by module
    "_json.JsonObject.parse": Target(any_json, (files(*_COLLATERAL), literal('{"a":[1,{"b":null}],"c":"\\u00e9"}'))),
    "_xml.parse": Target(lambda data: _xml.canonical(_xml.parse(data, what="XML")), (_RIMS, literal("<a b='c'>d</a>"))),
    "acpi.readers": Target(acpi_readers, (_TABLES, files("acpi/dumps/Server*/*.aml"))),
    "acpi.roots.Rsdp.parse": Target(roots.Rsdp.parse, (files("acpi/fwcfg-*/*/etc_acpi_rsdp.bin"),)),
    "acpi_pin.AcpiPin.parse": Target(acpi_pin.AcpiPin.parse, (written(made.acpi_pin),)),
    "acpi_table.AcpiTable.parse": Target(acpi_table.AcpiTable.parse, (_TABLES,)),
    "acpi_table.split": Target(acpi_table.split, (files("acpi/fwcfg-*/microvm*/etc_acpi_tables.bin"), _TABLES)),
    "acpidump.tables": Target(
        lambda data: list(acpidump.tables(data)), (literal("DSDT @ 0x0\n  0000: 44 53 44 54\n"),)
    ),
    "aml.decode.decode": Target(aml_set, (_BYTECODE,)),
    "attack_run.AttackRun.decode": Target(attack_run.AttackRun.decode, (written(made.attack_run),)),
    "cbor.decode": Target(
        lambda data: cbor.decode(data, what="CBOR", limit=ALL), (files("measure/refvalues/*/*.cbor"),)
    ),
    "cmw.decode": Target(collection, (written(made.collection),)),
    "collateral_bundle.CollateralBundle.decode": Target(
        collateral_bundle.CollateralBundle.decode, (written(made.bundle),)
    ),
    "comid.Comid.decode": Target(
        comid.Comid.decode, (files("measure/refvalues/*/comid__*.cbor", "measure/refvalues/*/profiles*.cbor"),)
    ),
    "comid.decode_digests": Target(
        lambda data: comid.decode_digests(cbor.decode(data, what="CBOR", limit=ALL)), (written(made.digests),)
    ),
    "contrast_manifest.decode": Target(contrast_manifest.decode, (written(made.contrast),)),
    "corim.Corim.decode": Target(corim.Corim.decode, (files("measure/refvalues/*/corim__*.cbor"),)),
    "corim.decode_entity": Target(
        lambda data: corim.decode_entity(cbor.decode(data, what="CBOR", limit=ALL)), (written(made.entity),)
    ),
    "corim.signature_of": Target(corim.signature_of, (files("measure/refvalues/*/*signed*.cbor"),)),
    "cose_sign1.CoseSign1.decode": Target(
        lambda data: cose_sign1.CoseSign1.decode(data, what="COSE"),
        (mapped(nitro.message_in, "evidence/nitro/*/*.bin"),),
    ),
    "cpio.decode": Target(cpio.decode, (written(made.archive),)),
    "debian.Stanza.decode": Target(text(debian.Stanza.decode), (literal("Package: a\nVersion: 1\n b\n"),)),
    "debian.stanzas": Target(text(lambda words: list(debian.stanzas(words))), (literal("Package: a\n\nPackage: b\n"),)),
    "dice.firmware_of": Target(dice_names, (certificates("evidence/nvidia/*/*CertChain.txt", "spdm/nvidia/**/*.pem"),)),
    "dm_ioctl.answered": Target(dm_ioctl.answered, (literal(_DM.ljust(16384, b"\0")),)),
    "sigstore_bundle.SigstoreBundle.decode": Target(
        sigstore_bundle.SigstoreBundle.decode,
        (
            literal(
                '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":'
                '"h"},"tlogEntries":[]},"dsseEnvelope":{"payloadType":"t","payload":"","signatures":[{"sig":""}]}}'
            ),
        ),
    ),
    "dsse.Envelope.decode": Target(
        dsse.Envelope.decode, (literal('{"payloadType":"t","payload":"","signatures":[{"keyid":"","sig":""}]}'),)
    ),
    "dstack_measurements.decode": Target(dstack_measurements.decode, (written(made.dstack),)),
    "e820.entries": Target(e820.entries, (files("acpi/fwcfg-*/*/etc_e820.bin"),)),
    "elf.linkage": Target(elf.linkage, (written(made.module),)),
    "elf.module_info": Target(elf.module_info, (written(made.module),)),
    "erofs.Erofs.open": Target(file_system, (written(made.file_system),)),
    "firmware_volume.parse_volumes": Target(file_sections, (_VOLUME, written(made.variables))),
    "go_tpm_attestation.GoAttestation.decode": Target(
        go_tpm_attestation.GoAttestation.decode, (files("evidence/tpm_quote/*.pb"),)
    ),
    "guest_config.GuestConfig.decode": Target(guest_config.GuestConfig.decode, (written(made.guest_config),)),
    "guest_state.Device.parse": Target(
        text(guest_state.Device.parse), (literal("pci/0000:00:03.0 1af4:1005:00ff00 a"),)
    ),
    "guest_state.GuestState.decode": Target(guest_state.GuestState.decode, (written(made.guest_state),)),
    "hcl_report.HclReport.decode": Target(hcl_report.HclReport.decode, (files(_HARDWARE),)),
    "hcl_report.RuntimeData.decode": Target(hcl_report.RuntimeData.decode, (slices(1236, None, _HARDWARE),)),
    "gpt.PartitionTable.parse": Target(gpt.PartitionTable.parse, (written(made.disk),)),
    "igvm.Igvm.parse": Target(igvm.Igvm.parse, (files("measure/igvm/*.igvm"),)),
    "initramfs.members": Target(initramfs.members, (written(made.archive),)),
    "http_response.HttpResponse.decode": Target(http, (files("evidence/tdx/*/*collateral*.json"),)),
    "intel_collateral.Bundle.decode": Target(intel_collateral.Bundle.decode, (files(*_COLLATERAL),)),
    "intel_tcb.QeIdentity.decode": Target(intel_tcb.QeIdentity.decode, (members("qe_identity", *_COLLATERAL),)),
    "intel_tcb.TcbInfo.decode": Target(intel_tcb.TcbInfo.decode, (members("tcb_info", *_COLLATERAL),)),
    "intel_collateral.decode_response": Target(intel_collateral.decode_response, (files("evidence/tdx/*/sample_*"),)),
    "kernel_config.decode": Target(
        kernel_config.decode, (literal("# Linux/x86 6.1.0\n" + "".join(f"CONFIG_A{n}=y\n" for n in range(24))),)
    ),
    "keylime_policy.KeylimePolicy.decode": Target(
        keylime_policy.KeylimePolicy.decode,
        (literal('{"meta":{"version":1},"digests":{"/a":["00"]},"excludes":[],"keyrings":{}}'),),
    ),
    "layouts": Target(all_layouts, (files("evidence/snp/*/report.bin"),)),
    "linux_kernel.SetupHeader.parse": Target(
        linux_kernel.SetupHeader.parse, (beginnings(0x800, "measure/payload/kernel_*"),)
    ),
    "load_option.LoadOption.decode": Target(
        load_option.LoadOption.decode, (literal(b"\1\0\0\0\4\0U\0K\0I\0\0\0\x7f\xff\4\0"),)
    ),
    "lz4_block.decompress": Target(lz4, (literal(b"\x10\0\x5fabcde\1\0\x40"),)),
    "lz4_block.decompress_whole": Target(
        lambda data: lz4_block.decompress_whole(data, 1 << 16), (literal(b"\x5fabcde\1\0\x40\x10f"),)
    ),
    "nitro.NitroDocument.decode": Target(
        nitro.NitroDocument.decode, (mapped(nitro_payload, "evidence/nitro/*/*.bin"),)
    ),
    "nitro.decode_message": Target(nitro.decode_message, (mapped(nitro.message_in, "evidence/nitro/*/*.bin"),)),
    "nvidia_evidence.NvidiaFileEntry.read": Target(nvidia_entry, (written(made.nvidia_device),)),
    "nvidia_evidence.decode": Target(
        nvidia_evidence.decode,
        (files("spdm/nvidia/evidence/*.json"), literal('[{"evidence":"AAAA","certificate":"AAAA"}]')),
    ),
    "nvidia_report.NvidiaReport.decode": Target(nvidia_report.NvidiaReport.decode, (files(*_REPORTS),)),
    "nvidia_report.decode_fields": Target(nvidia_report.decode_fields, (written(made.opaque_fields),)),
    "ocsp.OcspResponse.decode": Target(ocsp.OcspResponse.decode, (written(made.ocsp_answer),)),
    "ovmf.Ovmf.parse": Target(ovmf.Ovmf.parse, (written(made.snp_firmware, made.tdx_firmware),)),
    "pck.PckExtensions.decode": Target(
        pck.PckExtensions.decode, (extensions("1.2.840.113741.1.13.1", "evidence/tdx/*/pckCert.pem"),)
    ),
    "pcrlock.decode": Target(
        pcrlock.decode, (literal('{"records":[{"pcr":4,"digests":[{"hashAlg":"sha256","digest":"00"}]}]}'),)
    ),
    "pe.PeImage.parse": Target(pe.PeImage.parse, (written(made.executable, made.unified),)),
    "pem.decode_blocks": Target(pem.decode_blocks, (files(*_PLATFORM_CERTIFICATES),)),
    "sev_hashes.KernelHashes.decode": Target(sev_hashes.KernelHashes.decode, (written(made.kernel_hashes),)),
    "signed_note.SignedNote.decode": Target(signed_note.SignedNote.decode, (literal(made.NOTE),)),
    "signed_note.VerifierKey.decode": Target(
        text(signed_note.VerifierKey.decode),
        (literal("example.org/log+01020304+" + base64.b64encode(b"\1" + bytes(32)).decode()),),
    ),
    "sniffers": Target(sniffers, (files("evidence/*/*/*"),)),
    "smbios.SmbiosTables.decode": Target(smbios.SmbiosTables.decode, (literal(SYSTEM + END),)),
    "signature_list.read_signatures": Target(signature_list.read_signatures, (written(made.database),)),
    "signed_program.SignedProgram.decode": Target(
        signed_program.SignedProgram.decode, (written(made.program_signature),)
    ),
    "signed_program.read_signed": Target(signed_program.read_signed, (written(made.signed_program),)),
    "snp_certs.decode_table": Target(snp_certs.decode_table, (written(made.certificate_table),)),
    "snp_guest_message.ReportAnswer.decode": Target(
        snp_guest_message.ReportAnswer.decode, (written(made.report_answer),)
    ),
    "snp_report.Tcb.decode": Target(tcb, (literal(bytes(9), bytes(8) + b"\1"),)),
    "spdm.Algorithms.decode": Target(spdm.Algorithms.decode, (spoken(0x63),)),
    "spdm.CertificateChain.decode": Target(
        lambda data: spdm.CertificateChain.decode(data, hash_size=HASH),
        (made.spdm_chains,),
    ),
    "spdm.CertificatePortion.decode": Target(portion, (spoken(0x02),)),
    "spdm.Digests.decode": Target(
        lambda data: spdm.Digests.decode(data, hash_size=HASH), (files("spdm/libspdm/seeds/*digest*/*"),)
    ),
    "spdm.MeasurementRequest.decode": Target(spdm.MeasurementRequest.decode, (slices(0, 37, *_REPORTS),)),
    "spdm.Measurements.decode": Target(
        lambda data: spdm.Measurements.decode(data, signature_size=96), (slices(37, None, *_REPORTS),)
    ),
    "spdm.capability_flags": Target(spdm.capability_flags, (spoken(0x61),)),
    "spdm.decode_record": Target(
        lambda data: spdm.decode_record(data[1:], data[0] if data else 0), (literal(b"\1\1\1\7\0\0\4\0abcd"),)
    ),
    "spdm.decode_versions": Target(spdm.decode_versions, (spoken(0x04),)),
    "spdm.split_certificates": Target(spdm.split_certificates, (files("spdm/libspdm/sample_key/ecp256/*.der"),)),
    "spdm_transcript.Transcript.decode": Target(spdm_transcript.Transcript.decode, (files("spdm/own-transcripts/*"),)),
    "spdm_transcript.decode_messages": Target(spdm_transcript.decode_messages, (files("spdm/own-transcripts/*"),)),
    "swid_rim.SwidRim.decode": Target(swid_rim.SwidRim.decode, (_RIMS,)),
    "swid_rim.from_service": Target(rim_from_service, (literal('{"id":"a","rim":"PGE+PC9hPg=="}'),)),
    "table_loader.commands": Target(
        loader_script, (files("acpi/fwcfg-*/*/etc_table-loader.bin", "acpi/hostile-loader/*.bin"),)
    ),
    "tcg_log.EventLog.decode": Target(tcg_log.EventLog.decode, (files(*_LOGS),)),
    "td_hob.TdHob.decode": Target(td_hob.TdHob.decode, (written(made.hand_off),)),
    "tdisp_report.InterfaceReport.decode": Target(
        tdisp_report.InterfaceReport.decode, (files("spdm/tdisp-reports/*"),)
    ),
    "tdvf.Tdvf.parse": Target(tdvf.Tdvf.parse, (written(made.tdx_firmware),)),
    "tdx_quote.Quote.decode": Target(
        tdx_quote.Quote.decode, (_QUOTES, mapped(unhexed, "evidence/tdx/*/quote-from-tappd.hex"))
    ),
    "tlog_checkpoint.Checkpoint.decode": Target(
        text(tlog_checkpoint.Checkpoint.decode), (literal(made.NOTE.partition("\n\n")[0] + "\n"),)
    ),
    "tlog_checkpoint.decode_hash": Target(
        text(lambda word: tlog_checkpoint.decode_hash(word, what="hash")), (literal("A" * 43 + "="),)
    ),
    "tlog_checkpoint.decode_number": Target(
        text(lambda word: tlog_checkpoint.decode_number(word, what="number")), (literal("42"),)
    ),
    "tlog_proof.LogProof.decode": Target(
        tlog_proof.LogProof.decode, (literal("c2sp.org/tlog-proof@v1\nindex 3\n" + "A" * 43 + "=\n\n" + made.NOTE),)
    ),
    "tlog_tiles.decode_bundle": Target(
        lambda data: tlog_tiles.decode_bundle(data[1:], width=1 + (data[0] if data else 0)),
        (literal(b"\1\0\1a\0\2bc"),),
    ),
    "tlog_tiles.decode_tile": Target(
        lambda data: tlog_tiles.decode_tile(data, width=max(1, len(data) // 32)), (literal(bytes(64)),)
    ),
    "tpm.Attest.decode": Target(
        tpm.Attest.decode, (files("ima/swtpm/*.quote", "evidence/azure_*/trustee/tpm-quote.msg"),)
    ),
    "tpm.Public.decode": Target(tpm.Public.decode, (written(made.tpm_public),)),
    "tpm.Signature.decode": Target(tpm.Signature.decode, (files("ima/swtpm/*.sig"),)),
    "tpm_registers.decode_registers": Target(registers, (files("ima/swtpm/*.pcrs"), literal('{"sha256":{"0":"00"}}'))),
    "tsm_report.TsmReport.decode": Target(
        tsm_report.TsmReport.decode, (literal('{"provider":"tdx_guest","outblob":"AAAA","auxblob":""}'),)
    ),
    "uefi_events.TaggedEvent.decode": Target(
        uefi_events.TaggedEvent.decode, (literal(b"\xab\xb7\xe7\x3b\4\0\0\0abcd"),)
    ),
    "uefi_events.UefiVariable.decode": Target(uefi_events.UefiVariable.decode, (written(made.uefi_variable),)),
    "uefi_events.explain": Target(event_data, (slices(0, 512, *_LOGS),)),
    "uefi_varstore.VariableStore.parse": Target(uefi_varstore.VariableStore.parse, (written(made.variables),)),
    "uki.Uki.parse": Target(uki.Uki.parse, (written(made.unified),)),
    "volume_descriptor.VolumeDescriptor.decode": Target(
        volume_descriptor.VolumeDescriptor.decode, (written(made.descriptor),)
    ),
    "tpm_credential.Credential.decode": Target(tpm_credential.Credential.decode, (written(made.credential),)),
    "tpm_credential.CredentialRecord.decode": Target(
        tpm_credential.CredentialRecord.decode, (written(made.credential_record),)
    ),
    "vtpm_evidence.VtpmEvidence.decode": Target(
        vtpm_evidence.VtpmEvidence.decode, (files("evidence/azure_*/trustee/evidence*.json"),)
    ),
    "x509.Certificate.decode": Target(x509.Certificate.decode, (certificates(*_PLATFORM_CERTIFICATES),)),
    "x509.RevocationList.decode": Target(
        x509.RevocationList.decode, (files("evidence/tdx/*/*crl*.der", "evidence/tdx/*/*Crl.der"),)
    ),
}


def named(wanted: Iterable[str]) -> dict[str, Target]:
    """The targets whose names contain one of the words; all of them for no word."""
    words = tuple(wanted)
    return {name: target for name, target in TARGETS.items() if not words or any(word in name for word in words)}
