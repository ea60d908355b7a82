"""The rehearsal's security processor: measures what QEMU is given and answers report requests for it.

It stands where the AMD-SP stands on hardware and speaks its formats, but it is a process of the host:
its reports prove that the software path works, and nothing about the host.
"""

import hashlib
import secrets
import select
import socket
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from warily.errors import FormatError, HostError, UsageError
from warily.formats import snp_certs
from warily.formats.snp_guest_message import INVALID_PARAMETERS, SUCCESS, ReportAnswer, ReportRequest, frame
from warily.formats.snp_report import (
    ECDSA_P384_SHA384,
    NO_MIGRATION_AGENT,
    SIGNED_SIZE,
    PlatformBit,
    SigningKey,
    SnpReport,
)
from warily.launch.plan import Plan
from warily.launch.rehearsal_keys import CPUID, LEVELS, Hierarchy
from warily.measure import rehearsal

REPORT_VERSION: Final = 5
FIRMWARE_VERSION: Final = bytes([40, 55, 1])  # build, minor, major: 1.55.40, as a Genoa of those patch levels has
HIGHEST_VMPL: Final = 3
PARTIAL_SECONDS: Final = 5.0  # a request that stops half-way is dropped after this long
SEND_SECONDS: Final = 30.0
MEASURED_LIMIT: Final = 1 << 30
COMPONENT: Final = 72


def measure(plan: Plan) -> bytes:
    """The launch digest of the files and words that `plan.argv` hands to QEMU, 48 bytes.

    They are taken from the argument vector itself, so that nothing is launched that was not measured.
    """
    initrd = _argument(plan, "-initrd")
    command_line = _argument(plan, "-append")
    kernel, firmware, count = (_argument(plan, name) or "" for name in ("-kernel", "-bios", "-smp"))
    if not count.isdecimal():
        message = f"the launch has {count or 'no'} vCPUs"
        raise UsageError(message)
    prediction = rehearsal.predict(
        firmware=_read(firmware),
        kernel=_read(kernel),
        initrd=None if initrd is None else _read(initrd),
        command_line=None if command_line is None else command_line.encode(),
        vcpus=int(count),
        cpu=plan.cpu,
    )
    return prediction.registers["launch_digest"]


class Processor:
    """The processor of one launch, serving its socket inside a `with` block that starts before QEMU does.

    What a real one takes from the launch, it takes from `plan`. The keyword arguments exist for tests and
    attacks alone: each makes the processor report something that the launch does not have.
    """

    def __init__(
        self,
        plan: Plan,
        keys: Hierarchy,
        *,
        policy: int | None = None,
        vmpl: int | None = None,
        host_data: bytes | None = None,
        signing_key: ec.EllipticCurvePrivateKey | None = None,
    ) -> None:
        if plan.sp_socket is None:
            raise UsageError("only a rehearsal has a rehearsal processor")
        self.measurement = measure(plan)
        self._path = plan.sp_socket
        self._keys = keys
        self._policy = plan.policy if policy is None else policy
        self._vmpl = vmpl
        self._host_data = plan.host_data if host_data is None else host_data
        self._signing_key = signing_key or keys.signing_key
        self._report_id = secrets.token_bytes(32)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            listener = opened.enter_context(socket.socket(socket.AF_UNIX))
            try:
                Path(self._path).unlink(missing_ok=True)
                listener.bind(self._path)
                opened.callback(Path(self._path).unlink, missing_ok=True)
                Path(self._path).chmod(0o600)
                listener.listen(1)
            except OSError as error:
                message = f"the rehearsal processor cannot listen at {self._path}: {error.strerror}"
                raise HostError(message) from None
            stop, stopped = socket.socketpair()
            opened.enter_context(stopped)
            thread = threading.Thread(target=self._serve, args=(listener, stopped), name="rehearsal-sp", daemon=True)
            thread.start()
            opened.callback(thread.join)
            opened.callback(stop.close)  # the first to be undone: the thread sees it and returns
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def answer(self, request: bytes) -> bytes:
        """MSG_REPORT_RSP, the report and the certificate table; for a request that is not one, a status alone."""
        try:
            asked = ReportRequest.unpack(request)
        except FormatError:
            return ReportAnswer(status=INVALID_PARAMETERS).encode()
        if asked.vmpl > HIGHEST_VMPL:
            return ReportAnswer(status=INVALID_PARAMETERS).encode()
        chain = [
            (snp_certs.VCEK, self._keys.vcek),
            (snp_certs.ASK, self._keys.ask),
            (snp_certs.ARK, self._keys.ark),
        ]
        report = self.report(asked.report_data, vmpl=asked.vmpl)
        return ReportAnswer(status=SUCCESS, report=report, certificates=snp_certs.encode_table(chain)).encode()

    def report(self, report_data: bytes, *, vmpl: int) -> bytes:
        """A signed ATTESTATION_REPORT, version 5, over 64 bytes of the guest's choice."""
        level = LEVELS.encode()
        family, model, stepping = CPUID
        unsigned = SnpReport(
            version=REPORT_VERSION,
            guest_svn=0,
            policy=self._policy,
            family_id=bytes(16),
            image_id=bytes(16),
            vmpl=vmpl if self._vmpl is None else self._vmpl,
            signature_algorithm=ECDSA_P384_SHA384,
            current_tcb=level,
            platform_info=PlatformBit.SMT_EN | PlatformBit.ECC_EN | PlatformBit.ALIAS_CHECK_COMPLETE,
            key_info=SigningKey.VCEK << 2,
            report_data=report_data,
            measurement=self.measurement,
            host_data=self._host_data,
            id_key_digest=bytes(48),
            author_key_digest=bytes(48),
            report_id=self._report_id,
            report_id_ma=NO_MIGRATION_AGENT,
            reported_tcb=level,
            cpuid_family=family,
            cpuid_model=model,
            cpuid_stepping=stepping,
            chip_id=self._keys.chip_id,
            committed_tcb=level,
            current_version=FIRMWARE_VERSION,
            committed_version=FIRMWARE_VERSION,
            launch_tcb=level,
            launch_mitigations=0,
            current_mitigations=0,
            signature_r=bytes(COMPONENT),
            signature_s=bytes(COMPONENT),
        ).pack()
        signature = self._signing_key.sign(unsigned[:SIGNED_SIZE], ec.ECDSA(SHA384()))
        halves = b"".join(half.to_bytes(COMPONENT, "little") for half in decode_dss_signature(signature))
        return unsigned[:SIGNED_SIZE] + halves + unsigned[SIGNED_SIZE + len(halves) :]

    def _serve(self, listener: socket.socket, stopped: socket.socket) -> None:
        """One connection after another, until the block ends."""
        while True:
            ready, _, _ = select.select([listener, stopped], [], [])
            if stopped in ready:
                return
            connection, _ = listener.accept()
            with connection, suppress(OSError):  # a connection that breaks is QEMU's end
                connection.settimeout(SEND_SECONDS)
                self._converse(connection, stopped)

    def _converse(self, connection: socket.socket, stopped: socket.socket) -> None:
        """Requests are answered one at a time, until the connection or the block ends."""
        pending = b""
        while True:
            ready, _, _ = select.select([connection, stopped], [], [], PARTIAL_SECONDS if pending else None)
            if stopped in ready:
                return
            if ready:
                received = connection.recv(ReportRequest.SIZE - len(pending))
                if not received:
                    return
                pending += received
                if len(pending) < ReportRequest.SIZE:
                    continue
            # Whole, or stuck half-way: a short request is malformed, and is answered as such.
            connection.sendall(frame(self.answer(pending)))
            pending = b""


def fingerprint(root: bytes) -> bytes:
    """SHA-256 of a root's DER: what an expectation names."""
    return hashlib.sha256(root).digest()


def _argument(plan: Plan, name: str) -> str | None:
    """The word after `name`, None where it does not stand on the command line. Twice is an error."""
    places = [at for at, word in enumerate(plan.argv[:-1]) if word == name]
    if len(places) > 1:
        message = f"{name} stands twice on the command line"
        raise UsageError(message)
    return plan.argv[places[0] + 1] if places else None


def _read(path: str) -> bytes:
    try:
        if Path(path).stat().st_size > MEASURED_LIMIT:
            message = f"{path} is over {MEASURED_LIMIT >> 20} MiB"
            raise UsageError(message)
        return Path(path).read_bytes()
    except OSError as error:
        message = f"the rehearsal processor cannot measure {path or 'a missing file'}: {error.strerror}"
        raise HostError(message) from None
