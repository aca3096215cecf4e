"""A client whose runs are signed by a real key and stamped by a real authority on loopback (openssl)."""

from __future__ import annotations

import contextlib
import http.server
import shutil
import subprocess
import threading
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fleet_runs import NOW, header, host_evidence, record

from ansible_collections.keepwell.fleet.plugins.plugin_utils import identifiers, processes
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import retention, signing, verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import AuditOptions
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Manifest

IDENTITY = "keepwell@acme"
ACME = Client(id="acme", name="Acme")
DAY = 86400.0


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> str:
    """Make a key pair and return its public half."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path.with_name(f"{path.name}.pub").read_text().strip()


def allow(path: Path, public: str, identity: str = IDENTITY, more: str = "") -> None:
    """Let a key sign: add a line to allowed_signers."""
    with path.open("a") as stream:
        stream.write(f'{identity} namespaces="{verify.NAMESPACE}"{more} {public}\n')


def options(folder: Path, **more: t.Any) -> AuditOptions:
    """What a client's files say: a key and who may sign."""
    given = {"signing_key": str(folder / "key"), "allowed_signers": str(folder / "allowed_signers"), **more}
    return AuditOptions(signing_identity=IDENTITY, **given)


def prepared(folder: Path, **more: t.Any) -> AuditOptions:
    """A key that may sign, and the options for it."""
    folder.mkdir(parents=True, exist_ok=True)
    allow(folder / "allowed_signers", make_key(folder / "key"))
    return options(folder, **more)


def signed_runs(store: Store, told: AuditOptions, number: int = 3, at: float = NOW, step: float = DAY) -> list[str]:
    """Record some runs, a day apart, and return their ids."""
    signer = signing.signer_of(told)
    return [
        record(store, [host_evidence("web1", {"capacity.space": "ok"})], at=at + step * place, signer=signer)
        for place in range(number)
    ]


def carry_out(store: Store, told: AuditOptions, now: float) -> tuple[retention.Retention, Manifest | None]:
    document = header(identifiers.new_run_id(now), [], now, processes.this_process())
    document = document.model_copy(update={"partial": [retention.WHY_PARTIAL]})
    return retention.carry_out(store, told, document, now, signing.signer_of(told))


@dataclass
class Authority:
    """A time stamp authority; ``status`` other than 200 makes it refuse."""

    url: str
    certificate: Path
    status: int = 200
    asked: list[bytes] = field(default_factory=list)


_CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = Test authority
[ca]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[tsa]
basicConstraints = critical,CA:false
extendedKeyUsage = critical,timeStamping
[ts]
serial = {folder}/serial
default_policy = 1.2.3.4.1
digests = sha256
signer_digest = sha256
ordering = no
tsa_name = no
ess_cert_id_chain = no
"""


@contextlib.contextmanager
def authority(folder: Path) -> t.Iterator[Authority]:
    """Run an authority on a free port, as RFC 3161 over HTTP has it."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    folder.mkdir()
    (folder / "openssl.cnf").write_text(_CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")

    def openssl(*arguments: str, data: bytes | None = None) -> bytes:
        done = subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True, cwd=folder)
        return done.stdout

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-config", "openssl.cnf")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-extensions", "ca")
    openssl("req", "-new", *key, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Test stamps")
    openssl(
        *("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
        *("-out", "tsa.pem", "-days", "3650", "-extfile", "openssl.cnf", "-extensions", "tsa"),
    )
    there = Authority("", folder / "ca.pem")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            there.asked.append(query)
            assert self.headers["Content-Type"] == "application/timestamp-query"
            (folder / "query").write_bytes(query)
            reply = openssl(
                *("ts", "-reply", "-config", "openssl.cnf", "-section", "ts", "-queryfile", "query"),
                *("-inkey", "tsa.key", "-signer", "tsa.pem"),
            )
            self.send_response(there.status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    there.url = f"http://127.0.0.1:{server.server_port}/tsa"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
