"""The lab's Debian packages and their signed repository: small traps, each a story that patching meets in real life.

Same input, same bytes: every package is built with fixed times and owners.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab import podman

EPOCH = 1767225600  # 2026-01-01
_SUITES = {"bullseye": "oldoldstable", "bookworm": "oldstable", "trixie": "stable"}
_ARCHIVES = {"base": ("debian", ""), "updates": ("debian", "-updates"), "security": ("debian-security", "-security")}

_DAEMON = """#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
# A program of its own without a compiler. Renamed into place as dpkg does it, so that a running one is "(deleted)".
cp /bin/sleep /usr/sbin/kw-svcd.new
mv /usr/sbin/kw-svcd.new /usr/sbin/kw-svcd
systemctl enable --quiet kw-svc
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
[ -n "$2" ] || systemctl start kw-svc
"""
_UNIT = "[Unit]\nDescription=Keepwell lab daemon\n[Service]\nExecStart=/usr/sbin/kw-svcd infinity\n[Install]\nWantedBy=multi-user.target\n"
# As Debian's /usr/share/update-notifier/notify-reboot-required does it.
_REBOOT = """#!/bin/sh
[ "$1" = configure ] && [ -n "$2" ] || exit 0
echo "*** System restart required ***" >/run/reboot-required
echo "$DPKG_MAINTSCRIPT_PACKAGE" >>/run/reboot-required.pkgs
"""
_FAILS = """#!/bin/sh
[ -e /etc/kw-broken.fixed ] && exit 0
echo "kw-broken: migration failed" >&2
exit 1
"""


@dataclass(frozen=True)
class Package:
    """One version of a package and the archive that offers it."""

    archive: str
    name: str
    version: str
    files: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    section: str = "utils"
    conffiles: tuple[str, ...] = ()


def _plain(archive: str, name: str, version: str, scripts: Mapping[str, str] | None = None) -> Package:
    return Package(archive, name, version, {f"usr/share/{name}/version": version + "\n"}, scripts or {})


def _kernel(archive: str, version: str) -> Package:
    files = {f"boot/vmlinuz-{version}-kw": "kernel\n"}
    return Package(archive, "kw-linux-image", version, files, {"postinst": _REBOOT}, section="kernel")


def _service(archive: str, version: str) -> Package:
    files = {"usr/lib/systemd/system/kw-svc.service": _UNIT, "usr/share/kw-svc/version": version + "\n"}
    return Package(archive, "kw-svc", version, files, {"postinst": _DAEMON})


def _configured(archive: str, version: str) -> Package:
    return Package(
        archive, "kw-conf", version, {"etc/kw-conf.conf": f"setting={version}\n"}, conffiles=("/etc/kw-conf.conf",)
    )


PACKAGES = (
    # The trap: the version offered is a bug fix, and the security fix hides below it.
    _plain("base", "kw-tool", "1.0-1"),
    _plain("security", "kw-tool", "1.0-1+deb12u1"),
    _plain("updates", "kw-tool", "1.1-1"),
    # A bug fix and nothing else.
    _plain("base", "kw-plain", "2.0-1"),
    _plain("updates", "kw-plain", "2.0-2"),
    # Its upgrade fails until /etc/kw-broken.fixed exists.
    _plain("base", "kw-broken", "1.0-1"),
    _plain("security", "kw-broken", "1.0-1+deb12u1", {"postinst": _FAILS}),
    # On hold in the image.
    _plain("base", "kw-held", "3.0-1"),
    _plain("security", "kw-held", "3.0-1+deb12u1"),
    # A configuration file that changes.
    _configured("base", "1.0-1"),
    _configured("security", "1.0-1+deb12u1"),
    # Its upgrade asks for a reboot.
    _kernel("base", "6.1.10-1"),
    _kernel("security", "6.1.11-1"),
    # A service that runs on its old program after the upgrade.
    _service("base", "1.0-1"),
    _service("security", "1.0-1+deb12u1"),
)


def build_packages(pool: Path) -> None:
    """Build all packages into ``pool``/<archive>/."""
    for package in PACKAGES:
        (pool / package.archive).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            _build(package, Path(folder), pool / package.archive / f"{package.name}_{package.version}_all.deb")


def _build(package: Package, tree: Path, target: Path) -> None:
    control = (
        f"Package: {package.name}\nVersion: {package.version}\nArchitecture: all\n"
        f"Maintainer: Keepwell Lab <lab@keepwell.invalid>\nSection: {package.section}\nPriority: optional\n"
        f"Description: Keepwell lab package {package.name}\n test fixture\n"
    )
    texts = {**package.files, "DEBIAN/control": control}
    texts.update({f"DEBIAN/{name}": text for name, text in package.scripts.items()})
    if package.conffiles:
        texts["DEBIAN/conffiles"] = "".join(f"{name}\n" for name in package.conffiles)
    for name, text in texts.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if name.removeprefix("DEBIAN/") in package.scripts else 0o644)
    for path in (tree, *tree.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (EPOCH, EPOCH))
    os.utime(tree / "DEBIAN", (EPOCH, EPOCH))
    podman.run(
        *("env", f"SOURCE_DATE_EPOCH={EPOCH}", "dpkg-deb", "--root-owner-group", "-Zgzip", "-z1"),
        *("--build", str(tree), str(target)),
    )


def make_key(home: Path) -> None:
    """Make the key that signs the repository; it never leaves the lab's folder."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    _gpg(home, "--passphrase", "", "--quick-gen-key", "Keepwell Lab <lab@keepwell.invalid>", "ed25519", "sign", "never")
    _stop_agent(home)


def build(folder: Path, home: Path) -> None:
    """Build pool, indices and signatures of all releases into ``folder``; the key is in ``home``."""
    build_packages(folder / "pool")
    for archive, (root, _suffix) in _ARCHIVES.items():
        shutil.copytree(folder / "pool" / archive, folder / root / "pool" / archive)
    for codename, suite in _SUITES.items():
        for archive, (root, suffix) in _ARCHIVES.items():
            label = "Debian-Security" if archive == "security" else "Debian"
            _index(folder / root, archive, codename + suffix, suite + suffix, label)
    for release in folder.glob("*/dists/*/Release"):
        signed = release.with_name("InRelease")
        _gpg(home, "--clearsign", "--output", str(signed), str(release))
    (folder / "keepwell-lab.gpg").unlink(missing_ok=True)
    _gpg(home, "--output", str(folder / "keepwell-lab.gpg"), "--export")
    _stop_agent(home)


def _index(root: Path, archive: str, codename: str, suite: str, label: str) -> None:
    dist = root / "dists" / codename
    names = podman.run("sh", "-c", 'cd "$0" && apt-ftparchive packages "pool/$1"', str(root), archive).stdout
    for architecture in ("amd64", "arm64", "all"):
        folder = dist / "main" / f"binary-{architecture}"
        folder.mkdir(parents=True)
        (folder / "Packages").write_text(names, encoding="utf-8")
        (folder / "Packages.gz").write_bytes(gzip.compress(names.encode(), mtime=0))
    fields = {
        "Origin": "Debian",
        "Label": label,
        "Suite": suite,
        "Codename": codename,
        "Date": "Thu, 01 Jan 2026 00:00:00 UTC",
        "Architectures": "all amd64 arm64",
        "Components": "main",
    }
    options = [word for key, value in fields.items() for word in ("-o", f"APT::FTPArchive::Release::{key}={value}")]
    text = podman.run("apt-ftparchive", *options, "release", str(dist)).stdout
    (dist / "Release").write_text(text, encoding="utf-8")


def _gpg(home: Path, *arguments: str) -> None:
    podman.run("gpg", "--homedir", str(home), "--batch", "--quiet", "--yes", *arguments)


def _stop_agent(home: Path) -> None:
    podman.run("gpgconf", "--homedir", str(home), "--kill", "gpg-agent", check=False)
