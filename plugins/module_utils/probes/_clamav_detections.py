# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what ClamAV found on this host, and what became of it.

clamd's log says what was found and nothing of its end. What Keepwell's own antivirus work found has a life: the ledger
that it keeps tells when it was first seen, what was done about it, and when its place was looked at again.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import hashlib
import json
import re

LEDGER = "/var/lib/keepwell/antivirus/ledger.json"
_LOG_SIZE = 65536
_CAP = 50
_FOUND = re.compile(r"^(?:(.{24}) -> )?(.+): (\S+?)(?:\([0-9a-f]+:\d+\))? FOUND$")


def detections(machine, path, ledger):
    """Detections that Keepwell's ledger or clamd's log (at ``path``) know; None when neither can be read.

    ClamAV keeps no state of what became of a file. The ledger does for what Keepwell itself scanned, and it notes up
    to where clamd's log is accounted for.
    """
    text = machine.tail(path, _LOG_SIZE, source="clamd log") if path else None
    if text is None and ledger is None:
        return None
    marks = (ledger or {}).get("log_marks") or {}
    kept = [_from_ledger(entry) for _id, entry in sorted(((ledger or {}).get("detections") or {}).items())]
    known = set(entry["id"] for entry in kept if entry["active"])
    logged = [
        entry
        for entry in parse_detections(text or "")
        if entry["id"] not in known and (entry["id"] not in marks or marks[entry["id"]] != entry["logged_at"])
    ]
    again = set(entry["id"] for entry in logged)
    return [entry for entry in kept if entry["id"] not in again][-_CAP:] + logged


def read_ledger(machine):
    """What Keepwell's own antivirus work wrote down on this host; None when there is nothing, or not for this user."""
    text = machine.read(LEDGER, source="ledger")
    if text is None:
        return None
    try:
        found = json.loads(text)
        if not isinstance(found["detections"], dict) or not isinstance(found["scans"], dict):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        machine.note("ledger", "error", "%s is not what Keepwell wrote there" % LEDGER)
        return None
    return found


def _from_ledger(entry):
    acted = entry.get("acted") or {}
    return {
        "id": entry["id"],
        "name": entry["name"],
        "severity": None,
        "first_seen": entry["first_seen"],
        "last_change": entry.get("cleared_at") or acted.get("at") or entry["last_seen"],
        "logged_at": None,
        "action_ok": True if acted else None,
        "active": entry["state"] != "cleared",
        "path_hash": entry["path_hash"],
        "acted": acted.get("what"),
        "why": entry.get("why") or "",
    }


def logged_detections(text):
    """Every file in clamd's log in which something was found, with the last time: [{id, name, path, logged_at}]."""
    found = {}
    for line in text.splitlines():
        match = _FOUND.match(line)
        if match:
            logged_at, path, name = match.groups()
            key = "%s/%s" % (name, _hashed(path))
            found.pop(key, None)
            found[key] = {"id": key, "name": name, "path": path, "logged_at": logged_at}
    return list(found.values())


def _hashed(path):
    return hashlib.sha256(path.encode("utf-8", "replace")).hexdigest()[:16]


def parse_detections(text):
    """Detections in clamd's log, newest last. The path is personal data: only its SHA-256 is kept (16 digits).

    The log's own time has no zone: it is kept as the text it is.
    """
    return [
        {
            "id": entry["id"],
            "name": entry["name"],
            "severity": None,
            "first_seen": None,
            "last_change": None,
            "logged_at": entry["logged_at"],
            "action_ok": None,
            "active": None,
            "path_hash": entry["id"].rpartition("/")[2],
        }
        for entry in logged_detections(text)
    ][-_CAP:]
