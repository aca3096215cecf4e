# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how fresh is what apt knows of its sources?

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import email.utils
import re

LISTS = "/var/lib/apt/lists"
# apt writes these characters of a URI as %xx in the names of its list files (apt-pkg/contrib/strutl.cc, URItoFileName).
_QUOTED = '\\|{}[]<>"^~_=!@#$%^&*'
_CREDENTIALS = re.compile(r"(//)[^/@\s]+@")
_FIELDS = ("origin", "label", "suite", "codename", "version")


def redact(text):
    """Take user and password out of URLs."""
    return _CREDENTIALS.sub(r"\1", text)


def parse_release(text):
    """Parse the head of an InRelease or Release file into its one-line fields, keys in lower case.

    Raises ValueError when there is no ``Date:``: then it is no release file.
    """
    fields = {}
    for line in text.splitlines():
        if line.startswith(("MD5Sum:", "SHA1:", "SHA256:", "SHA512:")):
            break
        key, colon, value = line.partition(":")
        if colon and key and not key.startswith((" ", "-")):
            fields[key.lower()] = value.strip()
    if "date" not in fields:
        raise ValueError("no Date in the release file: %r" % text[:80])
    return fields


def parse_date(text):
    """Epoch seconds of ``Sat, 21 Nov 2026 00:53:02 UTC``. Raises ValueError otherwise."""
    parts = email.utils.parsedate_tz(text)
    if parts is None:
        raise ValueError("not a date: %r" % text[:60])
    return float(email.utils.mktime_tz(parts))


def parse_one_line(text):
    """Parse a ``sources.list``: (uri, suite) of every ``deb`` line."""
    entries = []
    for line in text.splitlines():
        line = line.split("#", 1)[0].strip()
        match = re.match(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)", line)
        if match:
            entries.append((match.group(1), match.group(2)))
    return entries


def parse_deb822(text):
    """Parse a ``*.sources`` file: (uri, suite) of every enabled stanza that offers binary packages."""
    entries = []
    for stanza in re.split(r"\n\s*\n", "\n".join(line for line in text.splitlines() if not line.startswith("#"))):
        fields = {}
        key = None
        for line in stanza.splitlines():
            if line[:1] in (" ", "\t"):
                if key:
                    fields[key] += " " + line.strip()
            else:
                key, _colon, value = line.partition(":")
                key = key.strip().lower()
                fields[key] = value.strip()
        if fields.get("enabled", "yes").lower() in ("no", "false", "0", "off"):
            continue
        if "deb" not in fields.get("types", "").split():
            continue
        entries += [
            (uri, suite) for uri in fields.get("uris", "").split() for suite in fields.get("suites", "").split()
        ]
    return entries


def list_name(uri, suite):
    """Name, without ``_InRelease``, under which apt keeps the release file of a source."""
    rest = re.sub(r"^[a-z0-9+.-]+:(//)?", "", redact(uri))
    rest = rest.rstrip("/") + ("/" + suite if suite.endswith("/") else "/dists/" + suite + "/")
    quoted = "".join("%%%02x" % ord(letter) if letter in _QUOTED else letter for letter in rest)
    return quoted.rstrip("/").replace("/", "_")


def configured(machine):
    """(uri, suite) of every configured binary source."""
    entries = parse_one_line(machine.read("/etc/apt/sources.list") or "")
    for path in machine.glob("/etc/apt/sources.list.d/*"):
        if path.endswith(".list"):
            entries += parse_one_line(machine.read(path) or "")
        elif path.endswith(".sources"):
            entries += parse_deb822(machine.read(path) or "")
    return entries


def collect(machine):
    """Return {"sources", "errors", "checked_at", "stamp_at"}.

    ``checked_at`` of a source is the ctime of its release file: apt renames the file on every answer of the server,
    also on "not modified", and leaves it alone when the server did not answer. (Its mtime is the server's clock, and
    the mtime of the folder stays when nothing was new.) ``checked_at`` of the host is the oldest of them.
    """
    sources = []
    errors = []
    found = set()
    for path in machine.glob(LISTS + "/*Release"):
        name = path.rsplit("/", 1)[1]
        base = re.sub(r"_(?:In)?Release$", "", name)
        if base == name or base in found:
            continue
        text = machine.read(path, limit=4096)
        if text is None:
            errors.append({"source": base, "error": "cannot be read"})
            continue
        found.add(base)
        try:
            fields = parse_release(text)
            published = parse_date(fields["date"])
            valid_until = parse_date(fields["valid-until"]) if "valid-until" in fields else None
        except ValueError as exc:
            machine.note(path, "error", str(exc))
            errors.append({"source": base, "error": str(exc)})
            continue
        source = dict((key, fields.get(key)) for key in _FIELDS)
        checked = (machine.stat(path) or {}).get("ctime")
        source.update({"id": base, "published_at": published, "valid_until": valid_until, "checked_at": checked})
        sources.append(source)
    wanted = dict((list_name(uri, suite), redact(uri) + " " + suite) for uri, suite in _plain(configured(machine)))
    for name in sorted(set(wanted) - found):
        errors.append({"source": wanted[name], "error": "configured, but never fetched"})
    sources = [source for source in sources if not wanted or source["id"] in wanted]
    times = [source["checked_at"] for source in sources if source["checked_at"] is not None]
    stamp = machine.stat("/var/lib/apt/periodic/update-success-stamp")
    return {
        "configured": len(wanted),
        "sources": sources,
        "errors": errors,
        "checked_at": min(times) if times else None,
        "stamp_at": stamp["mtime"] if stamp else None,
    }


def _plain(entries):
    """Sources whose list files are named after their URI; those of CDs are not."""
    return [entry for entry in entries if not entry[0].startswith("cdrom:") and "$(" not in entry[1]]
