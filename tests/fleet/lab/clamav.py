"""ClamAV on hosts of the lab: a signature of our own, databases of any age and version, a mirror on the host itself.

The vendor's databases are signed and cannot be made; a .cud needs no signature, and freshclam, clamd and clamdscan
treat it as they treat the others.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import shlex
import tarfile
import time

from lab.hosts import Host

# Never whole in a file: this machine may have a scanner, too.
_HALVES = (rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$", b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")
NAME = "Keepwell.Test.Eicar.UNOFFICIAL"
FOLDER = "/var/lib/clamav"
MIRROR = "/srv/mirror"
PORT = 8000
DAY = 86400
# How long clamd may take to start: not long, but on a busy machine.
_LOADED_S = 200
# Debian's unit wants one of the vendor's databases and is passed by in silence without.
_CONDITION = "/etc/systemd/system/clamav-daemon.service.d/lab.conf"
_FRESHCLAM = f"""
DatabaseOwner clamav
UpdateLogFile /var/log/clamav/freshclam.log
LogTime yes
DatabaseDirectory {FOLDER}
NotifyClamd /etc/clamav/clamd.conf
DatabaseMirror 127.0.0.1
DatabaseCustomURL http://127.0.0.1:{PORT}/daily.cud
ExcludeDatabase main
ExcludeDatabase daily
ExcludeDatabase bytecode
ConnectTimeout 5
ReceiveTimeout 5
Checks 1
"""


def eicar() -> bytes:
    """The test file that every scanner knows."""
    return b"".join(_HALVES)


def database(version: int, built_at: float) -> bytes:
    """A database that finds the test file."""
    signature = f"Keepwell.Test.Eicar:0:*:{eicar()[2:40].hex()}\n".encode()
    when = time.strftime("%d %b %Y %H-%M +0000", time.gmtime(built_at))
    head = f"ClamAV-VDB:{when}:{version}:1:90:"
    members = [("COPYING", b"made for tests\n"), ("daily.ndb", signature)]
    info = head + f"X:X:keepwell:{int(built_at)}\n"
    info += "".join(f"{name}:{len(data)}:{hashlib.sha256(data).hexdigest()}\n" for name, data in members)
    members.insert(1, ("daily.info", info.encode()))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    body = gzip.compress(packed.getvalue(), mtime=0)
    whole = head + f"{hashlib.md5(body).hexdigest()}:X:keepwell:{int(built_at)}"
    return whole.encode().ljust(512) + body


def put(host: Host, path: str, content: bytes, more: str = "") -> None:
    """Write a file on a host, and do ``more`` to it (chown, chmod, touch) afterwards."""
    target = shlex.quote(path)
    text = base64.b64encode(content).decode()
    host.run(f"mkdir -p $(dirname {target}) && echo {text} | base64 -d >{target} && {more or 'true'}")


def install(host: Host, version: int = 27500, age_days: float = 0.5) -> None:
    """Give a host definitions of this version and age, and start clamd with them."""
    put(host, f"{FOLDER}/daily.cud", database(version, time.time() - age_days * DAY), f"chown -R clamav: {FOLDER}")
    put(host, _CONDITION, b"[Unit]\nConditionPathExistsGlob=\n", "systemctl daemon-reload")
    host.run("systemctl enable --quiet clamav-daemon.service && systemctl restart clamav-daemon.service")
    wait_for(host, version)


def wait_for(host: Host, version: int) -> None:
    """Wait until clamd works with a version."""
    said = f"timeout 10 clamdscan --version | grep -q /{version}/"
    host.run(
        f"end=$(($(date +%s) + {_LOADED_S})); until {said}; do [ $(date +%s) -lt $end ] || exit 1; sleep 0.1; done",
        timeout=_LOADED_S + 30,
    )


def offer(host: Host, version: int) -> None:
    """Put a database on the mirror of a host, and configure freshclam for it."""
    put(
        host,
        f"{MIRROR}/daily.cud",
        database(version, time.time()),
        f"touch -d '+2 sec' {MIRROR}/daily.cud",
    )
    put(host, "/etc/clamav/freshclam.conf", _FRESHCLAM.encode(), "chown clamav: /etc/clamav/freshclam.conf")
    answers = f"python3 -c 'import urllib.request as r; r.urlopen(\"http://127.0.0.1:{PORT}/\")' 2>/dev/null"
    if host.run(answers, check=False).returncode:
        host.start_in_background(f"exec python3 -m http.server --bind 127.0.0.1 --directory {MIRROR} {PORT}")
        host.run(f"for n in $(seq 50); do {answers} && exit 0; sleep 0.1; done; exit 1")


def loaded(host: Host) -> str:
    """Version that clamd works with, by its own account."""
    return host.run("clamdscan --version").stdout.split("/")[1]
