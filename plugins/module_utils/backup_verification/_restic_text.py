# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: understand what restic says, of both generations. Pure.

Up to 0.16 restic ends with 1 for whatever went wrong, and its words tell it; since 0.17 there are return codes, and
with --json its messages are JSON on standard error. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json
import re

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _driver, _repository

_CODES = {10: "no_repository", 11: "locked", 12: "bad_password"}
# The first that fits; "denied" stands first, since a repository that may not be read also "cannot be opened".
_WORDS = (
    ("denied", re.compile(r"permission denied|access denied|403 forbidden", re.I)),
    ("bad_password", re.compile(r"wrong password|no key found|an empty password|resolving password failed", re.I)),
    ("locked", re.compile(r"unable to create lock|repository is already locked", re.I)),
    ("no_repository", re.compile(r"is there a repository at|repository does not exist", re.I)),
    (
        "damaged",
        re.compile(
            r"repository contains errors|ciphertext verification failed|invalid data returned|unmarshal:|is damaged:"
            r"|not found in repository|loadindex returned errors|hash mismatch|does not match|pack \w+: does not exist"
            r"|wrong data returned|invalid header|not found in index|blob .* not found",
            re.I,
        ),
    ),
)
# What no work of others on the repository can cause: the content itself is wrong.
_ROTTEN = re.compile(
    r"ciphertext verification failed|does not match|hash mismatch|contains \d+ errors|wrong data", re.I
)
_ADVICE = re.compile(
    r"must be repaired|restic repair|damaged pack files|troubleshooting|restic prune|^Fatal: repo", re.I
)
_PACK = re.compile(r"\b(?:pack|want) ([0-9a-f]{64})\b")
_IDENTIFIER = re.compile(r"^[0-9a-f]{64}$")
_VERSION = re.compile(r"^restic (\d+)\.(\d+)(\.\d+)?\S*")
_OLD_ERRORS = re.compile(r"There were (\d+) errors")


def version(text):
    """("0.18.0", (0, 18)) of what ``restic version`` prints, or (None, (0, 0))."""
    match = _VERSION.match(text)
    return (match.group(0).split()[1], (int(match.group(1)), int(match.group(2)))) if match else (None, (0, 0))


def is_identifier(name):
    """True for the name of a finished file; one that is being written has another."""
    return bool(_IDENTIFIER.match(name))


def messages(text):
    """What restic said on standard error, one text each, JSON or not."""
    found = []
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                document = json.loads(line)
            except ValueError:
                document = {}
            error = document.get("error")
            item = document.get("item")
            line = document.get("message") or (error.get("message") if isinstance(error, dict) else error) or line
            line = "%s: %s" % (item, line) if item else line
        found += [part.strip() for part in line.splitlines() if part.strip()]
    return found


def trouble(output):
    """(status of _driver.STATUSES, one line of restic's own) for a command that did not end with 0."""
    if output.status in ("absent", "timeout", "denied"):
        return output.status, output.err
    said = messages(output.err) or messages(output.out)
    text = "\n".join(said)
    status = _CODES.get(output.rc)
    if status is None or status == "no_repository":
        status = next((name for name, words in _WORDS if words.search(text)), status or "error")
    fatal = [line for line in said if line.startswith("Fatal:")]
    return status, (fatal or said or ["return code %s" % output.rc])[-1 if not fatal else 0].replace("Fatal: ", "", 1)


def snapshots(text):
    """All snapshots that ``snapshots --json`` tells. Raises ValueError when it cannot be understood."""
    found = []
    for entry in json.loads(text or "null") or []:
        summary = entry.get("summary") or {}
        known = {"end": _repository.epoch(summary.get("backup_end")), "host": entry.get("hostname")}
        known.update(bytes=summary.get("total_bytes_processed"), files=summary.get("total_files_processed"))
        known.update(added_bytes=summary.get("data_added"), changed_files=summary.get("files_changed"))
        known.update(new_files=summary.get("files_new"), excludes=entry.get("excludes") or [])
        known.update(paths=entry.get("paths") or [], tags=entry.get("tags") or [], program=entry.get("program_version"))
        found.append(_driver.snapshot(entry["id"], _repository.epoch(entry["time"]), **known))
    return found


def node(line):
    """Mapping of one line of ``ls --json`` that is about a file or folder, or None."""
    try:
        document = json.loads(line.decode("utf-8", "replace"))
    except ValueError:
        return None
    return document if isinstance(document, dict) and document.get("struct_type") == "node" else None


def check(output):
    """(outcome, errors, broken packs, True when the content itself is wrong) of a check that ended."""
    said = [line for line in messages(output.err) if not _ADVICE.search(line)]
    summary = {}
    for line in output.lines():
        try:
            summary = json.loads(line) if line.startswith("{") else summary
        except ValueError:
            continue
    broken = list(summary.get("broken_packs") or [])
    broken += [pack for pack in _PACK.findall("\n".join(said)) if pack not in broken]
    rotten = bool(_ROTTEN.search("\n".join(said)))
    if output.status != "ok":
        why = "It did not end in its time." if output.status == "timeout" else output.err
        return "error", [why], [], False
    if output.rc == 0:
        well = summary.get("num_errors") == 0 if summary else "no errors were found" in output.out
        return ("ok", [], [], False) if well else ("error", ["restic did not say that there are no errors."], [], False)
    status, words = trouble(output)
    outcome = status if status in ("damaged", "locked") else "error"
    return outcome, said or [words], broken if outcome == "damaged" else [], rotten


def restore(output):
    """(outcome, errors) of a restore."""
    if output.status != "ok":
        return ("timeout" if output.status == "timeout" else "error"), ["restic: " + (output.err or output.status)]
    said = [line for line in messages(output.err) if not line.startswith("Fatal: There were")]
    counted = [int(number) for number in _OLD_ERRORS.findall(output.out + output.err)]
    if output.rc == 0 and not any(counted):
        return "ok", []
    status, words = trouble(output)
    full = re.search(r"no space left|read-only file system|disk quota exceeded", output.err, re.I)
    if full:
        return "error", [words]
    if status in ("locked", "bad_password", "no_repository", "denied") and not any(counted):
        return ("locked" if status == "locked" else "error"), [words]
    return ("damaged" if status == "damaged" or any(counted) else "error"), said or [words]


def pattern(path):
    """The path as an --include that matches nothing else; restic tells bytes that are no UTF-8 as U+FFFD."""
    return re.sub(r"([\\*?\[\]])", r"\\\1", path).replace("\ufffd", "?")
