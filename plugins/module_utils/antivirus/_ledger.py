# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the life of detections on this host: first seen, acted upon, cleared; and of scans.

ClamAV keeps no state of what it found. This file does (root alone may read it), and the probe tells it onwards.
Every function but the two that read and write is pure. Runs on managed hosts: standard library only, Python 3.6
syntax.
"""

import hashlib
import json
import os

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder

FOLDER = os.path.join(_folder.ROOT, "antivirus")
NAME = "ledger.json"
PATH = os.path.join(FOLDER, NAME)
# How long a detection that is over, and a repair, is remembered.
_KEEP_S = 90 * 86400.0
_DAY_S = 86400.0


def empty():
    """A ledger in which nothing is."""
    return {"detections": {}, "scans": {}, "resume": None, "log_marks": {}, "repairs": []}


def parse(text):
    """A ledger from its text. Raises ValueError when it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        raise ValueError("the ledger of detections is not JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("detections"), dict):
        raise ValueError("the ledger of detections has another form")
    return dict(empty(), **found)


def load():
    """The ledger of this host; an empty one when there is none. Raises ValueError when it cannot be understood."""
    try:
        with open(PATH, encoding="utf-8") as stream:
            return parse(stream.read())
    except FileNotFoundError:
        return empty()


def save(ledger):
    """Write the ledger down, whole or not at all."""
    _folder.dump(FOLDER, NAME, ledger)


def hashed(path):
    """What stands for a path (text) where the path itself is not told: it may hold names of people.

    The same as the probe makes of a path in clamd's log, where bytes that are no text are lost.
    """
    readable = os.fsencode(path).decode("utf-8", "replace")
    return hashlib.sha256(readable.encode("utf-8")).hexdigest()[:16]


def key(name, path):
    """Stable name of a detection."""
    return "%s/%s" % (name, hashed(path))


def found(ledger, name, path, now, **facts):
    """Something was found in a file: a new entry, or one that is open again. Returns it."""
    entries = ledger["detections"]
    entry = entries.get(key(name, path))
    if entry is None or entry["state"] == "cleared":
        entry = {"id": key(name, path), "name": name, "path": path, "path_hash": hashed(path), "first_seen": now}
        entries[entry["id"]] = entry
    why = (entry.get("left") or {}).get("why", "")
    entry.update(dict({"state": "open", "last_seen": now, "acted": None, "cleared_at": None, "why": why}, **facts))
    return entry


def acted(entry, what, identifier, now):
    """Something was done about a detection; it is over only when its place was looked at again."""
    entry.update(state="acted", acted={"what": what, "id": identifier, "at": now}, left=None, why="")


def settled(ledger, manifests):
    """Take in what a program that was killed had moved into quarantine."""
    for manifest in manifests:
        entry = ledger["detections"].get(key(manifest["signature"], manifest["path"]))
        if entry and entry["state"] == "open":
            acted(entry, "quarantined", manifest["id"], manifest["at"])


def left(entry, code, why):
    """Nothing was done about a detection, for this reason."""
    entry.update(left={"code": code, "why": why}, why=why)


def looked(ledger, clean, gone, now):
    """Close the detections whose files were really looked at again: found clean, or no longer there.

    ``clean`` and ``gone`` are paths. Returns the ids of what was closed.
    """
    closed = []
    for entry in ledger["detections"].values():
        if entry["state"] == "cleared" or entry["path"] not in clean | gone:
            continue
        how = "found clean" if entry["path"] in clean else "no longer there"
        if entry["acted"]:
            how = "%s, and its place was looked at again" % entry["acted"]["what"]
        entry.update(state="cleared", cleared_at=now, why=how)
        closed.append(entry["id"])
    return sorted(closed)


def restored(ledger, path, now):
    """A file was put back from quarantine: whoever scans next judges it anew."""
    for entry in ledger["detections"].values():
        if entry["path"] == path and entry["acted"]:
            entry.update(state="cleared", cleared_at=now, why="put back from quarantine by a person")


def scanned(ledger, kinds, complete, began, resume, paths):
    """Note a scan of these paths: when one of these kinds last went over everything, or how far this one came."""
    goes_on = resume_of(ledger, kinds, paths) is not None
    since = ledger["resume"]["began"] if goes_on else began
    if complete:
        for kind in kinds:
            ledger["scans"][kind] = since
        ledger["resume"] = None
    elif resume is not None:
        ledger["resume"] = {"path": resume, "began": since, "kinds": kinds, "paths": sorted(paths)}


def resume_of(ledger, kinds, paths):
    """The path after which the next scan of these kinds and paths goes on; None when it begins anew."""
    known = ledger["resume"]
    same = known and known["kinds"] == kinds and known.get("paths") == sorted(paths)
    return known["path"] if same else None


def open_paths(ledger):
    """Paths of all detections that are not over."""
    return sorted(entry["path"] for entry in ledger["detections"].values() if entry["state"] != "cleared")


def repaired(ledger, unit, now, result):
    """Note that a unit was started, and what came of it."""
    ledger["repairs"].append({"unit": unit, "at": now, "result": result})


def repairs_of_a_day(ledger, unit, now):
    """How often a unit was started within the last 24 hours."""
    return sum(entry["unit"] == unit and now - entry["at"] < _DAY_S for entry in ledger["repairs"])


def forget(ledger, now):
    """Drop what was over long ago."""
    ledger["repairs"] = [entry for entry in ledger["repairs"] if now - entry["at"] < _KEEP_S]
    for name, entry in list(ledger["detections"].items()):
        if entry["state"] == "cleared" and now - entry["cleared_at"] > _KEEP_S:
            del ledger["detections"][name]
