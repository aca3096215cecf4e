"""The lab's RPM packages, their repositories and advisories. Same input, same bytes.

``updates`` has advisories; ``updates-malformed`` the same packages and a broken updateinfo.xml, of which dnf says
nothing at all; ``updates-absent`` has none.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from lab import podman
from lab.apt_repository import EPOCH

RELEASE = ".el9"
VARIANTS = ("updates", "updates-malformed", "updates-absent")


@dataclass(frozen=True)
class Package:
    """One version of a package and the repository that offers it."""

    repository: str
    name: str
    version: str
    release: str
    provides: tuple[str, ...] = ()
    before: str = ""


@dataclass(frozen=True)
class Advisory:
    """What an update is for."""

    id: str
    type: str
    severity: str
    package: str
    version: str
    release: str
    cve: str = ""


_KERNEL = ("installonlypkg(kernel)", "kernel")
_RELEASE = ("system-release = 9.6-1", "system-release(releasever) = 9", "redhat-release", "/bin/sh", "/usr/bin/bash")
_FAILS = '[ -e /etc/kw-broken.fixed ] || { echo "kw-broken: pre check failed" >&2; exit 1; }'
PACKAGES = (
    Package("base", "kw-release", "9.6", "1", _RELEASE),
    # The trap: the version offered is a bug fix, and the security fix hides below it.
    Package("base", "kw-tool", "1.0", "1"),
    Package("updates", "kw-tool", "1.0", "2"),
    Package("updates", "kw-tool", "1.1", "1"),
    # A bug fix and nothing else.
    Package("base", "kw-plain", "2.0", "1"),
    Package("updates", "kw-plain", "2.0", "2"),
    Package("base", "kw-crit", "3.0", "1"),
    Package("updates", "kw-crit", "3.0", "2"),
    # Its upgrade fails until /etc/kw-broken.fixed exists.
    Package("base", "kw-broken", "1.0", "1"),
    Package("updates", "kw-broken", "1.0", "2", before=_FAILS),
    # Its upgrade asks for a reboot.
    Package("base", "kernel-core", "5.14.0", "1", _KERNEL),
    Package("updates", "kernel-core", "5.14.0", "2", _KERNEL),
)
ADVISORIES = (
    Advisory("KWSA-2026:0001", "security", "Important", "kw-tool", "1.0", "2", "CVE-2026-90001"),
    Advisory("KWBA-2026:0002", "bugfix", "None", "kw-tool", "1.1", "1"),
    Advisory("KWBA-2026:0003", "bugfix", "None", "kw-plain", "2.0", "2"),
    Advisory("KWSA-2026:0004", "security", "Critical", "kw-crit", "3.0", "2", "CVE-2026-90004"),
    Advisory("KWSA-2026:0005", "security", "Moderate", "kernel-core", "5.14.0", "2", "CVE-2026-90005"),
)


def build(folder: Path) -> None:
    """Build ``folder``/base and the three variants of ``folder``/updates."""
    for name in ("base", *VARIANTS):
        (folder / name).mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        for package in PACKAGES:
            shutil.copy(_build(package, Path(scratch)), folder / package.repository)
        for variant in VARIANTS[1:]:
            for path in (folder / "updates").glob("*.rpm"):
                shutil.copy(path, folder / variant)
        for name in ("base", *VARIANTS):
            podman.run(
                *("createrepo_c", "--quiet", "--revision", "1", "--set-timestamp-to-revision", str(folder / name))
            )
        text = updateinfo()
        for variant, content in (("updates", text), ("updates-malformed", text.replace('type="security"', "type=", 1))):
            path = Path(scratch) / "updateinfo.xml"
            path.write_text(content, encoding="utf-8")
            podman.run("modifyrepo_c", str(path), str(folder / variant / "repodata"))


def updateinfo() -> str:
    """The advisories as updateinfo.xml."""
    return '<?xml version="1.0" encoding="UTF-8"?>\n<updates>\n' + "".join(map(_advisory, ADVISORIES)) + "</updates>\n"


def _advisory(advisory: Advisory) -> str:
    reference = ""
    if advisory.cve:
        name = quoteattr(advisory.cve)
        link = quoteattr(f"https://example.invalid/{advisory.cve}")
        reference = f'<reference href={link} id={name} type="cve" title={name}/>'
    full = f"{advisory.package}-{advisory.version}-{advisory.release}{RELEASE}"
    return (
        f' <update from="lab@keepwell.invalid" status="final" type="{advisory.type}" version="1"><id>{advisory.id}</id>'
        f'<title>{advisory.package} {advisory.type} update</title><issued date="2026-01-01 00:00:00"/>'
        f'<updated date="2026-01-01 00:00:00"/><severity>{advisory.severity}</severity>'
        f"<description>test fixture</description><references>{reference}</references>\n"
        f'  <pkglist><collection short="kw-el9"><name>kw</name><package name="{advisory.package}"'
        f' version="{advisory.version}" release="{advisory.release}{RELEASE}" epoch="0" arch="noarch"'
        f' src="{full}.src.rpm"><filename>{full}.noarch.rpm</filename></package></collection></pkglist></update>\n'
    )


def _build(package: Package, scratch: Path) -> Path:
    full = f"{package.version}-{package.release}{RELEASE}"
    is_kernel = package.name == "kernel-core"
    path = f"/boot/vmlinuz-{full}" if is_kernel else f"/usr/share/{package.name}/version"
    provides = "".join(f"Provides: {name}\n" for name in package.provides)
    before = f"%pre\n{package.before}\n" if package.before else ""
    spec = scratch / f"{package.name}.spec"
    spec.write_text(
        f"Name: {package.name}\nVersion: {package.version}\nRelease: {package.release}{RELEASE}\n"
        f"Summary: Keepwell lab package {package.name}\nLicense: MIT\nBuildArch: noarch\nAutoReqProv: no\n{provides}"
        f"%description\ntest fixture\n%install\nmkdir -p %{{buildroot}}$(dirname {path})\n"
        f"echo {full} >%{{buildroot}}{path}\n{before}%files\n{path}\n",
        encoding="utf-8",
    )
    definitions = {
        "_topdir": str(scratch / "build"),
        "_buildhost": "lab",
        "use_source_date_epoch_as_buildtime": "1",
        "clamp_mtime_to_source_date_epoch": "1",
        "_binary_payload": "w3.gzdio",
        "_build_id_links": "none",
        "debug_package": "%{nil}",
    }
    options = [word for key, value in definitions.items() for word in ("--define", f"{key} {value}")]
    podman.run(
        *("env", f"SOURCE_DATE_EPOCH={EPOCH}", "rpmbuild", "-bb", "--quiet", "--target", "noarch", "--nodeps"),
        *(*options, str(spec)),
    )
    return scratch / "build" / "RPMS" / "noarch" / f"{package.name}-{full}.noarch.rpm"
