# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what all managers of RPM packages share: the database, repository files, cached metadata.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import configparser
import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._apt_lists import redact

QUERY = ["rpm", "-qa", "--qf", "%{NAME}\\t%{ARCH}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\t%{INSTALLTIME}\\n"]
# Packages of which several versions are installed side by side on purpose.
_SIDE_BY_SIDE = re.compile(r"^(?:kernel|kernel-.*|kmod-.*|gpg-pubkey|installonlypkg.*)$")
_NEVRA = re.compile(r"^(?P<name>.+)-(?:(?P<epoch>\d+):)?(?P<version>[^-:]+)-(?P<release>[^-]+)\.(?P<arch>[^.-]+)$")
_DATA_TYPE = re.compile(r"<data\s+type=[\"']([^\"']+)[\"']")
_REVISION = re.compile(r"<revision>\s*([^<\s]+)\s*</revision>")
_TIMESTAMP = re.compile(r"<timestamp>\s*(\d+)")


def split_nevra(text):
    """Split ``kw-tool-1:1.0-2.el9.noarch`` into (name, "epoch:version-release", arch). Raises ValueError otherwise."""
    match = _NEVRA.match(text)
    if not match:
        raise ValueError("not a package name with version: %r" % text[:120])
    evr = "%s:%s-%s" % (match.group("epoch") or "0", match.group("version"), match.group("release"))
    return match.group("name"), evr, match.group("arch")


def full_evr(text):
    """``1.0-2.el9`` as ``0:1.0-2.el9``."""
    return text if ":" in text else "0:" + text


def short_evr(text):
    """``0:1.0-2.el9`` as ``1.0-2.el9``, as people and repositories write it."""
    return text[2:] if text.startswith("0:") else text


def parse_packages(text):
    """Parse the output of QUERY: [{"name", "arch", "evr" (always with epoch), "installed_at" (epoch seconds)}].

    Raises ValueError with the line when one has another form.
    """
    packages = []
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) != 4 or not fields[3].strip().isdigit():
            raise ValueError("rpm -qa: unexpected line %r" % line[:120])
        packages.append({"name": fields[0], "arch": fields[1], "evr": fields[2], "installed_at": int(fields[3])})
    return packages


def duplicates(packages):
    """Packages installed twice that must not be: what an interrupted transaction leaves behind."""
    seen = {}
    for package in packages:
        if not _SIDE_BY_SIDE.match(package["name"]):
            seen.setdefault((package["name"], package["arch"]), []).append(short_evr(package["evr"]))
    return [
        {"package": name, "state": "duplicate", "detail": "installed twice: " + ", ".join(sorted(versions))}
        for (name, _arch), versions in sorted(seen.items())
        if len(versions) > 1
    ]


def parse_ini(text):
    """Parse a .repo or .conf file into {section: {key: value}}. Raises ValueError when it is not one."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error as exc:
        raise ValueError("not an ini file: " + str(exc).replace("\n", " ")[:120]) from None
    return dict((section, dict(parser.items(section))) for section in parser.sections())


def is_on(value, default=True):
    """Truth of a configuration value."""
    if value is None:
        return default
    return str(value).strip().lower() in ("1", "yes", "true", "on")


def repositories(machine, folder):
    """Enabled repositories of the .repo files in a folder: [{"id", "name", "excludes"}]."""
    found = []
    for path in machine.glob(folder + "/*.repo"):
        text = machine.read(path)
        if text is None:
            continue
        try:
            sections = parse_ini(text)
        except ValueError as exc:
            machine.note(path, "error", str(exc))
            continue
        for name, values in sections.items():
            if name != "main" and is_on(values.get("enabled")):
                excludes = re.split(r"[\s,]+", (values.get("excludepkgs") or values.get("exclude") or "").strip())
                found.append(
                    {
                        "id": name,
                        "name": redact(values.get("name") or name),
                        "excludes": [word for word in excludes if word],
                    }
                )
    return found


def parse_repomd(text):
    """Parse repomd.xml: {"revision", "published_at" (newest timestamp), "updateinfo": bool}.

    Raises ValueError when it names no data at all.
    """
    kinds = _DATA_TYPE.findall(text)
    if not kinds:
        raise ValueError("repomd.xml names no data: %r" % text[:80])
    revision = _REVISION.search(text)
    times = [int(number) for number in _TIMESTAMP.findall(text)]
    return {
        "revision": revision.group(1) if revision else None,
        "published_at": float(max(times)) if times else None,
        "updateinfo": any(kind.startswith("updateinfo") for kind in kinds),
    }


def metadata(machine, enabled, folders):
    """Return the ``metadata`` part of the document for these enabled repositories.

    ``folders`` maps a repository id to the candidate folders of its cached metadata. ``checked_at`` is the newest
    mtime in ``repodata``: the managers touch a file there when the server said that nothing is new.
    """
    sources = []
    errors = []
    for repository in enabled:
        path = next((path for path in folders(repository["id"]) if machine.exists(path + "/repomd.xml")), None)
        text = machine.read(path + "/repomd.xml") if path else None
        if text is None:
            errors.append({"source": repository["id"], "error": "configured, but never fetched"})
            continue
        try:
            facts = parse_repomd(text)
        except ValueError as exc:
            machine.note(path + "/repomd.xml", "error", str(exc))
            errors.append({"source": repository["id"], "error": str(exc)})
            continue
        times = [(machine.stat(path + "/" + name) or {}).get("mtime") for name in machine.listdir(path)]
        checked = max([moment for moment in times if moment is not None] or [0]) or None
        source = {"id": repository["id"], "label": repository["name"], "checked_at": checked, "valid_until": None}
        source.update(facts)
        sources.append(source)
    times = [source["checked_at"] for source in sources if source["checked_at"] is not None]
    return {
        "configured": len(enabled),
        "sources": sources,
        "errors": errors,
        "checked_at": min(times) if times else None,
        "stamp_at": None,
    }
