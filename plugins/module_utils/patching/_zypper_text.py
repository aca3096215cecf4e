# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: read the XML that zypper writes about an installation.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re
from xml.etree import ElementTree

from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _rpm_moves

# zypper(8), "EXIT CODES".
MEANINGS = {
    1: "zypper met an error of its own",
    4: "zypper met a problem that a person has to decide",
    5: "zypper was denied",
    6: "no repository is defined",
    7: "another program has the packages locked",
    8: "an installation failed, and zypper stopped there",
    102: "a reboot is wanted",
    103: "zypper itself was updated; it runs again for the rest",
    104: "something that was asked for is not offered",
    105: "zypper was stopped by a signal",
    106: "zypper left a repository out that it could not use",
    107: "packages are installed, but a script after their installation failed",
}
# Done. 102 and 103 only tell what else is due.
GOOD = (0, 102, 103)
_LICENCE = re.compile(r"In order to install '([^']+)', you must agree to terms of the following license")


def _document(text):
    start = text.find("<?xml")
    try:
        return ElementTree.fromstring(text[max(0, start) :])  # noqa: S314 - zypper writes it, on this host
    except ElementTree.ParseError as exc:
        raise ValueError("zypper: not XML: %s in %r" % (exc, text[:80])) from None


def parse_install(text):
    """Parse ``--xmlout install`` (also verify).

    {"moves", "patches": [name], "download_bytes", "installed_bytes", "problems": [text]}.

    Sizes are None when zypper came to no summary. Raises ValueError when the text is not such a document.
    """
    root = _document(text)
    summary = root.find(".//install-summary")
    found = {"moves": [], "patches": [], "download_bytes": None, "installed_bytes": None, "problems": _problems(root)}
    if summary is None:
        return found
    found["download_bytes"] = int(summary.get("download-size", "0"))
    found["installed_bytes"] = int(summary.get("space-usage-diff", "0"))
    for section in summary:
        if section.tag.startswith("to-"):
            found["patches"] += [item.get("name") for item in section if item.get("type") == "patch"]
            found["moves"] += [entry for entry in (_move(section.tag, item) for item in section) if entry]
    found["moves"] = _rpm_moves.in_order(found["moves"])
    return found


def _move(section, item):
    """One line of the transaction; None for what is no package, unless it would go."""
    kind, name, arch = item.get("type", "package"), item.get("name"), item.get("arch", "")
    edition, former = item.get("edition"), item.get("edition-old")
    if section == "to-remove":
        return _rpm_moves.move(name if kind == "package" else "%s:%s" % (kind, name), arch, "remove", edition, None)
    if kind != "package":
        return None
    if section == "to-reinstall":
        return _rpm_moves.move(name, arch, "reinstall", edition, edition)
    if former is None:
        return _rpm_moves.move(name, arch, "install", None, edition)
    return _rpm_moves.move(name, arch, _rpm_moves.compared(former, edition), former, edition)


def _problems(root):
    """What zypper complains of or asks a person: conflicts, licences, errors."""
    texts = []
    for message in root.iter("message"):
        words = " ".join((message.text or "").split())
        licence = _LICENCE.search(words)
        if licence:
            texts.append(
                "%s comes with a licence that a person has to agree to: zypper install %s"
                % (licence.group(1), licence.group(1))
            )
        elif message.get("type") == "error" or " it is locked. Use 'zypper removelock " in words:
            texts.append(words)
    for prompt in root.iter("prompt"):
        description = prompt.find("description")
        if description is not None and description.text:
            # The solutions that follow are for a person to choose from.
            texts.append(" ".join(description.text.split(" Solution 1:", 1)[0].split())[:300])
    return texts


def parse_download(text):
    """Parse ``--xmlout download``: paths of the packages that are there now. Raises ValueError as parse_install."""
    return [entry.get("path") for entry in _document(text).iter("localfile") if entry.get("path")]


def parse_search(text):
    """Parse ``--xmlout search --details``: {(name, arch, version)} of what repositories offer. Raises ValueError."""
    return set(
        (entry.get("name"), entry.get("arch"), entry.get("edition"))
        for entry in _document(text).iter("solvable")
        # What is installed and offered nowhere.
        if entry.get("repository") != "(System Packages)"
    )


def parse_errors(text):
    """First lines of the error messages in any answer. Raises ValueError as parse_install."""
    messages = [message for message in _document(text).iter("message") if message.get("type") == "error"]
    return [(message.text or "").strip().split("\n", 1)[0] for message in messages]
