# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: understand what Borg 1.2 and 1.4 say. Pure.

With --log-json both name what went wrong by the same words (msgid), whatever they return: 1.2 knows 0, 1 and 2 only,
and a check that finds damage returns 1, a "warning". Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json
import re

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _driver, _repository

_STATUS = {
    "Repository.DoesNotExist": "no_repository",
    "Repository.InvalidRepository": "no_repository",
    "Repository.ParentPathDoesNotExist": "no_repository",
    "Repository.AtticRepository": "error",
    "Repository.InvalidRepositoryConfig": "damaged",
    "Repository.CheckNeeded": "damaged",
    "Repository.ObjectNotFound": "damaged",
    "Repository.StorageQuotaExceeded": "error",
    "PassphraseWrong": "bad_password",
    "PasscommandFailure": "bad_password",
    "NoPassphraseFailure": "bad_password",
    "LockTimeout": "locked",
    "LockFailed": "locked",
    "LockError": "locked",
    "IntegrityError": "damaged",
    "FileIntegrityError": "damaged",
    "DecompressionError": "damaged",
    "NoManifestError": "damaged",
}
_DENIED = re.compile(r"permission denied|not permitted", re.I)
_ERROR_LINE = re.compile(r"^(\w+(?:Error|Exception)(?:: .*)?)$", re.M)
_SEGMENT_FILE = re.compile(r"FileNotFoundError.*/data/\d+/(\d+)'")
_SEGMENT = re.compile(r"\[?segment (\d+)\b")
_NO_SPACE = re.compile(r"no space left|disk quota exceeded|read-only file system", re.I)
# Errors that sum up the others.
_SUMMARY = re.compile(
    r"^(finished .*(check|verification)|archive consistency check complete|committed index|rebuilt index)", re.I
)
_BAD_INDEX = re.compile(r"missing or corrupted|integrity", re.I)
# The content of a segment is wrong: nobody's work on the repository explains that.
_ROTTEN = re.compile(r"checksum mismatch|short read|decompress|integrity error|authentication", re.I)
_LOCK_NAME = re.compile(r"^(.*?)(?:@\d+)?\.(\d+)-[0-9a-f]+$")
_VALUED_WORDS = (
    "-e --exclude --exclude-from --pattern --patterns-from --exclude-if-present -C --compression --comment "
    "--chunker-params --timestamp -c --checkpoint-interval --files-cache --lock-wait --remote-path --umask "
    "--remote-ratelimit --upload-ratelimit --upload-buffer --remote-buffer --rsh --stdin-name --filter --debug-topic "
    "--debug-profile --stdin-mode --stdin-user --stdin-group --paths-delimiter"
)
_VALUED = frozenset(_VALUED_WORDS.split())


def version(text):
    """What ``borg --version`` tells, such as 1.2.4, or None."""
    words = text.split()
    return words[1] if len(words) > 1 and words[0].startswith("borg") else None


def messages(text):
    """What Borg logged: [(level, message, msgid)]; lines that are no JSON have the level of an error."""
    found = []
    for line in text.splitlines():
        try:
            document = json.loads(line) if line.startswith("{") else None
        except ValueError:
            document = None
        if document is None:
            if line.strip():
                found.append(("PLAIN", line.strip(), ""))
        elif document.get("type") == "log_message":
            found.append((document.get("levelname"), str(document.get("message")), document.get("msgid") or ""))
    return found


def trouble(output):
    """(status of _driver.STATUSES, one line of Borg's own) for a command that did not end well."""
    if output.status in ("absent", "timeout", "denied"):
        return output.status, output.err
    said = messages(output.err)
    text = "\n".join(message for _level, message, _msgid in said)
    status, words = None, ""
    for _level, message, msgid in said:
        if msgid and msgid not in ("Exception",) and status is None:
            status, words = _STATUS.get(msgid, _STATUS.get(msgid.split(".")[-1])), message
    if _SEGMENT_FILE.search(text):
        status = "damaged"
    if status in (None, "no_repository") and _DENIED.search(text):
        status = "denied"
    if not words:
        reasons = _ERROR_LINE.findall(text)
        plain = [message for _level, message, _msgid in said]
        words = (reasons or plain or ["return code %s" % output.rc])[-1]
    return status or "error", words.splitlines()[0]


def went_well(output):
    """True when a command did its work, with warnings perhaps: 1, or 100 to 127 in the modern codes."""
    return output.status == "ok" and (output.rc in (0, 1) or 100 <= output.rc <= 127)


def archives(text):
    """(all archives that ``list --json`` tells, repository id, encryption mode). Raises ValueError."""
    document = json.loads(text)
    found = []
    for entry in document["archives"]:
        paths, excludes = command(entry.get("command_line") or [])
        times = [_repository.epoch(entry.get(name)) for name in ("start", "end")]
        known = {"end": times[1], "host": entry.get("hostname"), "paths": paths, "excludes": excludes}
        found.append(_driver.snapshot(entry["name"], times[0] or _repository.epoch(entry.get("time")), **known))
    encryption = (document.get("encryption") or {}).get("mode") or ""
    return found, (document.get("repository") or {}).get("id"), encryption


def command(words):
    """(paths, excludes) of the command line that made an archive. No paths: they cannot be told from it."""
    paths, excludes, named, words = [], [], False, list(words)
    while words:
        word = words.pop(0)
        if word in _VALUED:
            value = words.pop(0) if words else ""
            if word in ("-e", "--exclude"):
                excludes.append(value)
        elif word.startswith("--exclude="):
            excludes.append(word.partition("=")[2])
        elif not word.startswith("-"):
            if named:
                paths.append(word)
            named = named or "::" in word
    return sorted(paths), sorted(excludes)


def item(line):
    """Mapping of one line of ``list --json-lines``, or None."""
    try:
        document = json.loads(line.decode("utf-8", "replace"))
    except ValueError:
        return None
    return document if isinstance(document, dict) and "path" in document else None


def check(output):
    """(outcome, errors, broken segments, True when the content itself is wrong) of a check that ended."""
    if output.status != "ok":
        return "error", ["It did not end in its time." if output.status == "timeout" else output.err], [], False
    said = messages(output.err)
    errors = [text for level, text, _msgid in said if level in ("ERROR", "CRITICAL") and not _SUMMARY.match(text)]
    errors += [text for level, text, _msgid in said if level == "WARNING" and _BAD_INDEX.search(text)]
    summed = any(level == "ERROR" for level, _text, _msgid in said)
    text = "\n".join(text for _level, text, _msgid in said)
    if output.rc == 0 and not errors and not summed:
        return "ok", [], [], False
    if output.rc in (0, 1):
        outcome = "damaged" if errors or summed else "error"
    else:
        status, words = trouble(output)
        outcome = status if status in ("damaged", "locked") else "error"
        errors = [words]
    broken = sorted(set(_SEGMENT.findall(text) + _SEGMENT_FILE.findall(text)), key=int)
    named = ["segment " + number for number in broken] if outcome == "damaged" else []
    return outcome, errors or ["return code %s" % output.rc], named, bool(_ROTTEN.search(text))


def extract(output):
    """(outcome, errors) of an extract. A path that is not in the archive is told by the caller's comparison."""
    if output.status != "ok":
        return ("timeout" if output.status == "timeout" else "error"), ["borg: " + (output.err or output.status)]
    said = messages(output.err)
    errors = [text for level, text, _id in said if level in ("WARNING", "ERROR") and "never matched" not in text]
    if _NO_SPACE.search(output.err):
        return "error", errors or [output.err]
    if went_well(output):
        return ("damaged" if is_rotten(errors) else "ok"), errors
    status, words = trouble(output)
    return (status if status in ("damaged", "locked") else "error"), [words]


def is_rotten(errors):
    """True when the content itself is wrong, which nobody's work on the repository explains."""
    return any(_ROTTEN.search(text) for text in errors)


def lock(name):
    """(host, pid) of a file in lock.exclusive, or None."""
    match = _LOCK_NAME.match(name)
    return (match.group(1), int(match.group(2))) if match else None


def pattern(path):
    """The path as a pattern that matches nothing else; Borg tells bytes that are no UTF-8 as question marks."""
    if "?" not in path:
        return "pf:" + path
    # In regular expressions, since fnmatch's question mark would match any character.
    return "re:^%s$" % re.escape(path).replace("\\?", "?").replace("?", "[?\\udc80-\\udcff]")
