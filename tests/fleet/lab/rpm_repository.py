"""The lab's RPM packages, their repositories and advisories. Same input, same bytes.

``updates`` has advisories; ``updates-malformed`` the same packages and a broken updateinfo.xml, of which dnf says
nothing at all; ``updates-absent`` has none. ``traps`` is what goes wrong while patching, and ``traps-old`` what a host
has before: no host knows them until a test adds them.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from lab import podman
from lab.apt_repository import EPOCH

RELEASE = ".el9"
VARIANTS = ("updates", "updates-malformed", "updates-absent")
TRAPS = ("traps-old", "traps")


@dataclass(frozen=True)
class Package:
    """One version of a package and the repository that offers it."""

    repository: str
    name: str
    version: str
    release: str
    provides: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    # More lines of the spec's head.
    head: tuple[str, ...] = ()
    # Path of a configuration file that the user may have changed.
    configuration: str = ""


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
    repository: str = "updates"
    # An element inside the package that says what has to be restarted.
    flag: str = ""


_KERNEL = ("installonlypkg(kernel)", "kernel")
_RELEASE = ("system-release = 9.6-1", "system-release(releasever) = 9", "redhat-release", "/bin/sh", "/usr/bin/bash")
_FAILS_AFTER = '[ -e /etc/kw-after.fixed ] || { echo "kw-after: migration failed" >&2; exit 1; }'
_SLOW = "[ ! -e /etc/kw-slow ] || sleep 60"
_LICENCE = "You may not use this without agreeing to it."
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
    # Its new version is installed, and the script after that fails until /etc/kw-after.fixed exists.
    Package("traps-old", "kw-after", "1.0", "1"),
    Package("traps", "kw-after", "1.0", "2", after=_FAILS_AFTER),
    Package("traps-old", "kw-conf", "1.0", "1", configuration="/etc/kw-conf.conf"),
    Package("traps", "kw-conf", "1.0", "2", configuration="/etc/kw-conf.conf"),
    # The upgrade brings another package.
    Package("traps-old", "kw-needs", "1.0", "1"),
    Package("traps", "kw-needs", "1.0", "2", head=("Requires: kw-lib",)),
    Package("traps", "kw-lib", "1:0.9", "1"),
    # A host that keeps two kernels loses this one when the next comes.
    Package("traps-old", "kernel-core", "5.13.0", "1", _KERNEL),
    # The upgrade takes a package away.
    Package("traps-old", "kw-former", "1.0", "1"),
    Package("traps-old", "kw-replaces", "1.0", "1"),
    Package("traps", "kw-replaces", "1.0", "2", head=("Obsoletes: kw-former < 2",)),
    # The package of an update stack; SUSE restarts zypper after it.
    Package("traps-old", "kw-stack", "1.0", "1"),
    Package("traps", "kw-stack", "1.0", "2"),
    # Takes a minute as long as /etc/kw-slow exists.
    Package("traps-old", "kw-slow", "1.0", "1"),
    Package("traps", "kw-slow", "1.0", "2", after=_SLOW),
    # SUSE asks whether one agrees to its licence.
    Package("traps-old", "kw-licensed", "1.0", "1"),
    Package("traps", "kw-licensed", "1.0", "2"),
)
ADVISORIES = (
    Advisory("KWSA-2026:0001", "security", "Important", "kw-tool", "1.0", "2", "CVE-2026-90001"),
    Advisory("KWBA-2026:0002", "bugfix", "None", "kw-tool", "1.1", "1"),
    Advisory("KWBA-2026:0003", "bugfix", "None", "kw-plain", "2.0", "2"),
    Advisory("KWSA-2026:0004", "security", "Critical", "kw-crit", "3.0", "2", "CVE-2026-90004"),
    Advisory("KWSA-2026:0005", "security", "Moderate", "kernel-core", "5.14.0", "2", "CVE-2026-90005"),
    Advisory(
        "KWSA-2026:0006", "security", "Moderate", "kw-stack", "1.0", "2", "CVE-2026-90006", "traps", "restart_suggested"
    ),
)


def build(folder: Path) -> None:
    """Build ``folder``/base, the three variants of ``folder``/updates, and the traps."""
    names = ("base", *VARIANTS, *TRAPS)
    for name in names:
        (folder / name).mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        for package in PACKAGES:
            shutil.copy(_build(package, Path(scratch)), folder / package.repository)
        for variant in VARIANTS[1:]:
            for path in (folder / "updates").glob("*.rpm"):
                shutil.copy(path, folder / variant)
        for name in names:
            podman.run(
                *("createrepo_c", "--quiet", "--revision", "1", "--set-timestamp-to-revision", str(folder / name))
            )
        text = updateinfo("updates")
        for repository, name, content in (
            ("updates", "updateinfo", text),
            ("updates-malformed", "updateinfo", text.replace('type="security"', "type=", 1)),
            ("traps", "updateinfo", updateinfo("traps")),
            ("traps", "susedata", _susedata(folder / "traps")),
        ):
            path = Path(scratch) / f"{name}.xml"
            path.write_text(content, encoding="utf-8")
            podman.run("modifyrepo_c", str(path), str(folder / repository / "repodata"))


def updateinfo(repository: str) -> str:
    """The advisories of a repository as updateinfo.xml."""
    entries = "".join(_advisory(advisory) for advisory in ADVISORIES if advisory.repository == repository)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<updates>\n{entries}</updates>\n'


def _susedata(repository: Path) -> str:
    """The licence of kw-licensed as susedata.xml, which names a package by its checksum."""
    name = f"kw-licensed-1.0-2{RELEASE}.noarch.rpm"
    checksum = hashlib.sha256((repository / name).read_bytes()).hexdigest()
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<susedata xmlns="http://linux.duke.edu/metadata/susedata" packages="1">\n'
        f'<package pkgid="{checksum}" name="kw-licensed" arch="noarch"><version epoch="0" ver="1.0" rel="2{RELEASE}"/>'
        f"<eula>{_LICENCE}</eula></package>\n</susedata>\n"
    )


def _advisory(advisory: Advisory) -> str:
    reference = ""
    if advisory.cve:
        name = quoteattr(advisory.cve)
        link = quoteattr(f"https://example.invalid/{advisory.cve}")
        reference = f'<reference href={link} id={name} type="cve" title={name}/>'
    full = f"{advisory.package}-{advisory.version}-{advisory.release}{RELEASE}"
    flag = f"<{advisory.flag}>1</{advisory.flag}>" if advisory.flag else ""
    return (
        f' <update from="lab@keepwell.invalid" status="final" type="{advisory.type}" version="1"><id>{advisory.id}</id>'
        f'<title>{advisory.package} {advisory.type} update</title><issued date="2026-01-01 00:00:00"/>'
        f'<updated date="2026-01-01 00:00:00"/><severity>{advisory.severity}</severity>'
        f"<description>test fixture</description><references>{reference}</references>\n"
        f'  <pkglist><collection short="kw-el9"><name>kw</name><package name="{advisory.package}"'
        f' version="{advisory.version}" release="{advisory.release}{RELEASE}" epoch="0" arch="noarch"'
        f' src="{full}.src.rpm"><filename>{full}.noarch.rpm</filename>{flag}</package></collection></pkglist></update>\n'
    )


def _build(package: Package, scratch: Path) -> Path:
    epoch, _colon, version = package.version.rpartition(":")
    full = f"{version}-{package.release}{RELEASE}"
    is_kernel = package.name == "kernel-core"
    path = f"/boot/vmlinuz-{full}" if is_kernel else f"/usr/share/{package.name}/version"
    path = package.configuration or path
    kind = "%config(noreplace) " if package.configuration else ""
    head = [f"Provides: {name}" for name in package.provides] + list(package.head)
    head += [f"Epoch: {epoch}"] if epoch else []
    scripts = "".join(
        f"%{name}\n{script}\n" for name, script in (("pre", package.before), ("post", package.after)) if script
    )
    spec = scratch / f"{package.name}.spec"
    spec.write_text(
        f"Name: {package.name}\nVersion: {version}\nRelease: {package.release}{RELEASE}\n"
        f"Summary: Keepwell lab package {package.name}\nLicense: MIT\nBuildArch: noarch\nAutoReqProv: no\n"
        + "".join(line + "\n" for line in head)
        + f"%description\ntest fixture\n%install\nmkdir -p %{{buildroot}}$(dirname {path})\n"
        f"echo {full} >%{{buildroot}}{path}\n{scripts}%files\n{kind}{path}\n",
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
