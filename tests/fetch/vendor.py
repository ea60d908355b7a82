"""A vendor's service on this machine: real HTTP over a real socket, well-behaved or not, as a test says."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from tests import forge, forge_tdx
from warily.formats import pem
from warily.formats.intel_collateral import Bundle, Statement


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer. `behave` takes the socket over where the answer is none that http.server would give."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    behave: Callable[[socket.socket], None] | None = None


@dataclass
class Vendor:
    """What each path answers, in turn, the last one for ever; and every request that came."""

    replies: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    posted: list[tuple[str, bytes]] = field(default_factory=list)
    url: str = ""

    def on(self, path: str, *replies: Reply | bytes) -> None:
        """A path (with or without its query) answers these."""
        self.replies[path] = [reply if isinstance(reply, Reply) else Reply(body=reply) for reply in replies]

    def next(self, path: str) -> Reply:
        self.asked.append(path)
        listed = self.replies.get(path) or self.replies.get(path.partition("?")[0]) or [Reply(status=404)]
        return listed.pop(0) if len(listed) > 1 else listed[0]


@contextlib.contextmanager
def serving(vendor: Vendor, *, tls: Path | None = None) -> Iterator[Vendor]:
    """The vendor, at an address of this machine; by TLS where `tls` has certificate and key in PEM."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            vendor.posted.append((self.headers["Content-Type"], body))
            self.do_GET()

        def do_GET(self) -> None:
            reply = vendor.next(self.path)
            if reply.behave is not None:
                with contextlib.suppress(OSError):
                    reply.behave(self.connection)
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in ({"Content-Length": str(len(reply.body))} | reply.headers).items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that gives up is no error
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    vendor.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    try:
        yield vendor
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def slowly(connection: socket.socket) -> None:
    """Announce a body, and send a byte now and then."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(50):
        connection.sendall(b"x")
        time.sleep(0.05)


def drip_headers(connection: socket.socket) -> None:
    """Headers without end, a little at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for at in range(50):
        connection.sendall(b"X-%d: y\r\n" % at)
        time.sleep(0.05)


def cut_short(connection: socket.socket) -> None:
    """Less than announced."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")


def without_end(connection: socket.socket) -> None:
    """Far more than anybody wants, and no length."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    for _ in range(1 << 10):
        connection.sendall(bytes(1 << 16))


def no_http(connection: socket.socket) -> None:
    """Another protocol."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def pem_of(*ders: bytes) -> bytes:
    return "".join(pem.encode_block(pem.Block(label=pem.CERTIFICATE, der=der)) for der in ders).encode()


def chain_header(name: str, *ders: bytes) -> dict[str, str]:
    return {name: quote(pem_of(*ders))}


def statement_reply(key: str, statement: Statement, header: str) -> Reply:
    """As PCS answers: the signed text, the signature, and the chain in a header."""
    body = b'{"%s":%s,"signature":"%s"}' % (key.encode(), statement.text, statement.signature.hex().encode())
    return Reply(body=body, headers=chain_header(header, *statement.chain))


def kds(vendor: Vendor, *, crl: bytes | None = None, leaf: bytes | None = None, chip: str = forge.CHIP.hex()) -> None:
    """AMD's service for the forged report."""
    vendor.on(f"/vcek/v1/Milan/{chip}", forge.leaf() if leaf is None else leaf)
    vendor.on("/vcek/v1/Milan/cert_chain", pem_of(forge.ask(), forge.ark()))
    vendor.on("/vcek/v1/Milan/crl", forge.crl() if crl is None else crl)


def pcs(vendor: Vendor, bundle: Bundle, *, fmspc: str, tee: str = "tdx", authority: str = "platform") -> None:
    """Intel's service with what a bundle holds."""
    assert bundle.tcb_info is not None
    assert bundle.qe_identity is not None
    assert bundle.pck_crl is not None
    assert bundle.root_crl is not None
    base = "/certification/v4"
    info = statement_reply("tcbInfo", bundle.tcb_info, "TCB-Info-Issuer-Chain")
    identity = statement_reply("enclaveIdentity", bundle.qe_identity, "SGX-Enclave-Identity-Issuer-Chain")
    vendor.on(f"/{tee}{base}/tcb?fmspc={fmspc}", info)
    vendor.on(f"/{tee}{base}/qe/identity", identity)
    chain = chain_header("SGX-PCK-CRL-Issuer-Chain", *bundle.certificates)
    vendor.on(f"/sgx{base}/pckcrl?ca={authority}&encoding=der", Reply(body=bundle.pck_crl, headers=chain))
    vendor.on("/IntelSGXRootCA.der", bundle.root_crl)


def forged_bundle(*, evaluation: int = 18) -> Bundle:
    """What Intel would say of the forged platform."""
    certificates = (forge_tdx.certificate(forge_tdx.PLATFORM_PLAN), forge_tdx.certificate(forge_tdx.ROOT_PLAN))
    return Bundle(
        tcb_info=forge_tdx.statement(forge_tdx.tcb_info(tcbEvaluationDataNumber=evaluation)),
        qe_identity=forge_tdx.statement(forge_tdx.qe_identity(tcbEvaluationDataNumber=evaluation)),
        root_crl=forge_tdx.ROOT_CRL,
        pck_crl=forge_tdx.PCK_CRL,
        certificates=certificates,
    )
