"""The certificate reader against openssl, and a served certificate over a real TLS connection."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
import replay
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _certificate_places, _der, certificates
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

KINDS = {
    "rsa": ["-newkey", "rsa:2048"],
    "ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "ed25519": ["-newkey", "ed25519"],
}
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def make(
    folder: Path, kind: str = "ec", days: int = 90, names: str = "DNS:*.example.test,IP:10.0.0.1,IP:fd00::1"
) -> Path:
    command = ["openssl", "req", "-x509", "-nodes", *KINDS[kind], "-keyout", str(folder / "key.pem")]
    command += [
        "-out",
        str(folder / "cert.pem"),
        "-days",
        str(days),
        "-subj",
        "/C=DE/O=Prüfung GmbH/CN=www.example.test",
    ]
    command += ["-addext", f"subjectAltName={names}", "-utf8"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "cert.pem"


def asked(path: Path, *options: str) -> str:
    command = ["openssl", "x509", "-noout", "-in", str(path), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@needs_openssl
@pytest.mark.parametrize(("kind", "days"), [("rsa", 90), ("ec", 47), ("ed25519", 365), ("ec", 20000)])
def test_facts_agree_with_openssl(tmp_path: Path, kind: str, days: int) -> None:
    path = make(tmp_path, kind, days)
    (facts,) = certificates.read_certificates(path.read_bytes())
    assert int(facts["serial"], 16) == int(asked(path, "-serial").partition("=")[2], 16)
    fingerprint = asked(path, "-fingerprint", "-sha256").partition("=")[2]
    assert facts["fingerprint"] == fingerprint.replace(":", "").lower()
    assert facts["not_after"] == ssl.cert_time_to_seconds(asked(path, "-enddate").partition("=")[2])
    assert facts["not_before"] == ssl.cert_time_to_seconds(asked(path, "-startdate").partition("=")[2])
    assert facts["names"] == ["*.example.test", "10.0.0.1", "fd00::1"]
    assert (facts["subject"], facts["common_name"]) == ("C=DE, O=Prüfung GmbH, CN=www.example.test", "www.example.test")
    assert (facts["self_signed"], facts["ca"]) == (True, True)
    assert (facts["key_type"], facts["key_bits"]) == {
        "rsa": ("RSA", 2048),
        "ec": ("EC", 384),
        "ed25519": ("ED25519", 256),
    }[kind]


@needs_openssl
def test_years_beyond_2049_are_read(tmp_path: Path) -> None:
    (facts,) = certificates.read_certificates(make(tmp_path, days=20000).read_bytes())
    assert facts["not_after"] - facts["not_before"] == 20000 * 86400
    assert facts["not_after"] > 2524608000


@needs_openssl
def test_a_key_in_the_same_file_leaves_no_trace(tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(make(tmp_path).read_bytes() + (tmp_path / "key.pem").read_bytes())
    facts = certificates.read_certificates(both.read_bytes())
    secret = "".join((tmp_path / "key.pem").read_text().splitlines()[1:-1])[8:40]
    assert len(facts) == 1
    assert secret not in repr(facts)


@needs_openssl
def test_damage_anywhere_raises_a_value_error_or_reads_something(tmp_path_factory: pytest.TempPathFactory) -> None:
    der = ssl.PEM_cert_to_DER_cert(make(tmp_path_factory.mktemp("damage")).read_text())

    @settings(max_examples=400, deadline=500)
    @given(st.integers(0, len(der) - 1), st.integers(0, 255), st.integers(0, len(der)))
    def damage(position: int, value: int, length: int) -> None:
        for broken in (der[:position] + bytes([value]) + der[position + 1 :], der[:length]):
            try:
                facts = _der.parse_certificate(broken)
            except ValueError:
                continue
            assert facts["fingerprint"]

    damage()
    with pytest.raises(ValueError, match=r"too early|unreadable|lacks"):
        _der.parse_certificate(der[:-1])


@given(st.binary(max_size=400))
def test_any_bytes_are_a_certificate_or_a_value_error(data: bytes) -> None:
    for content in (data, b"0\x82" + data):
        with pytest.raises(ValueError):
            _der.parse_certificate(content)


def test_a_block_without_end_is_named() -> None:
    with pytest.raises(ValueError, match="no end"):
        _der.pem_certificates("-----BEGIN CERTIFICATE-----\nMIIB\n")


@needs_openssl
def test_the_served_certificate_is_read_over_tls(tmp_path: Path) -> None:
    path = make(tmp_path, days=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, tmp_path / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            channel, _address = listener.accept()
            try:
                context.wrap_socket(channel, server_side=True).close()
            except OSError:
                channel.close()

        server = threading.Thread(target=serve)
        server.start()
        machine = Machine()
        known: dict[str, object] = {}
        answer = machine.tls_peer("127.0.0.1", port, server_name="www.example.test")
        server.join()
    entry = certificates._answer("127.0.0.1", port, None, None, answer, known)
    (facts,) = certificates.read_certificates(path.read_bytes())
    assert (entry["status"], entry["fingerprint"]) == ("ok", facts["fingerprint"])
    assert known[facts["fingerprint"]] == facts


@pytest.mark.parametrize(
    ("user", "line", "paths"),
    [
        ("nginx", "  ssl_certificate ssl/a.pem;", ["/base/ssl/a.pem"]),
        ("nginx", "  # ssl_certificate /a.pem;", []),
        ("nginx", "ssl_certificate $ssl_server_name.crt;", []),
        ("nginx", "ssl_certificate_key /a.key;", []),
        ("apache", "SSLCertificateFile      /etc/ssl/certs/a.pem", ["/etc/ssl/certs/a.pem"]),
        ("apache", "#SSLCertificateFile /a.pem", []),
        ("postfix", "smtpd_tls_cert_file=/etc/ssl/a.pem", ["/etc/ssl/a.pem"]),
        ("dovecot", "ssl_cert = </etc/dovecot/a.pem", ["/etc/dovecot/a.pem"]),
        ("haproxy", "    bind :443 ssl crt /etc/haproxy/certs/ alpn h2", ["/etc/haproxy/certs/"]),
        ("mysql", "ssl-cert=server-cert.pem", ["/base/server-cert.pem"]),
        ("postgresql", "ssl_cert_file = '/etc/ssl/a.pem' # why", ["/etc/ssl/a.pem"]),
    ],
)
def test_paths_named_in_configurations(user: str, line: str, paths: list[str]) -> None:
    assert _certificate_places.parse_configuration(line + "\n", user, "/base") == paths


@pytest.mark.parametrize(
    "path", ["/etc/letsencrypt/live/a/privkey.pem", "/etc/nginx/ssl/a.key", "/x/server-key.pem", "/x/dhparam.pem"]
)
def test_keys_are_known_by_their_names(path: str) -> None:
    assert _certificate_places.is_key_name(path)


def test_addresses_of_another_form_are_named() -> None:
    with pytest.raises(ValueError, match="ip addr: cannot read 'nonsense'"):
        certificates.parse_addresses("nonsense\n")


def test_files_named_as_private_keys_are_no_candidates() -> None:
    keys = ("/etc/haproxy/certs/privkey.pem", "/etc/ssl/own/server.key", "/etc/nginx/ssl/key.pem")
    certificates = ("/etc/haproxy/certs/site.pem", "/etc/ssl/own/server.crt", "/etc/nginx/ssl/cert.pem")
    machine = replay.ReplayMachine({"files": dict.fromkeys(keys + certificates, "")})
    found, _configured = _certificate_places.candidates(machine, ["/etc/ssl/own/*", "/etc/haproxy/certs"])
    assert sorted(found) == sorted(certificates)
