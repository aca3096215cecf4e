# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: scan within limits, take what was found into quarantine, and look again.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus import (
    _allowed,
    _engine,
    _ledger,
    _owners,
    _places,
    _quarantine,
    _scanner,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _clamav_detections

_SAVE_S = 2.0
_RESCAN_S = 1800.0
_LOG_SIZE = 262144
# What stands for bytes that are no text: such a path leads nowhere.
_LOST = "\ufffd"


class Cleaning(object):
    """The scanning half of one piece of work."""

    def __init__(self, care):
        self._care = care
        self._machine = care.machine
        self._commands = care.commands
        self._request = care.request
        self._ledger = care.ledger
        self._saved = 0.0
        engine = _engine.clamav(care.machine)
        if engine is None or not engine["scanner"]:
            raise AgentError("no_scanner", "ClamAV is not installed here, or has no scanner (clamdscan or clamscan)")
        self._engine = engine
        self._limits = dict(care.request["scan"])
        # Paths (text) of what this piece of work found and nothing was done about yet.
        self._fresh = []

    def scan(self):
        """Scan what was asked for, within the limits."""
        asked = self._request["scan"]
        kinds = ["full", "quick"] if "/" in asked["paths"] else ["quick"]
        began = self._machine.now()
        resume = _ledger.resume_of(self._ledger, kinds, asked["paths"])
        walk = self._new_walk(asked["paths"], resume)
        scan = _scanner.Scan(self._commands, self._engine, self._limits, self._tell)
        scan.asked = frozenset(os.fsencode(path) for path in _ledger.open_paths(self._ledger))
        end = time.monotonic() + min(asked["seconds"], self._care.left())
        whole = scan.batches(walk.files(), lambda: end - time.monotonic())
        self._take_in(scan)
        # A path of an old detection that this scan went by and found clean is looked at, too.
        _ledger.looked(self._ledger, _texts(scan.clean), set(), self._machine.now())
        reached = os.fsdecode(scan.last) if not whole and scan.last else None
        nothing_lost = whole and not scan.unanswered
        _ledger.scanned(self._ledger, kinds, nothing_lost, began, reached, asked["paths"])
        answer = self._counts(scan, walk, whole, reached)
        answer["resumed"] = resume is not None
        if whole and scan.unanswered:
            return dict(
                answer, result="failed", code="scan_unanswered",
                text="the scanner gave no answer for %d files: %s" % (scan.unanswered, "; ".join(scan.unreadable[:2])),
            )  # fmt: skip
        return dict(answer, result="done", text=_sentence(answer))

    def _new_walk(self, paths, resume=None):
        asked = self._request["scan"]
        return _places.Walk(
            self._machine,
            paths,
            excluded=asked["exclude"],
            backups=asked["backups"],
            largest=_engine.largest(self._engine, self._limits),
            resume=resume,
        )

    def _tell(self, scan):
        """Write down how far it is, every other second."""
        now = time.monotonic()
        if now - self._saved > _SAVE_S:
            self._saved = now
            self._care.progress(
                files=scan.scanned, bytes=scan.bytes, found=len(scan.found), at=_places.shown(scan.last)
            )

    def _take_in(self, scan):
        """Enter what was found into the ledger."""
        now = self._machine.now()
        for found in scan.found:
            path = os.fsdecode(found["path"])
            known = {"seen_by": self._request["run_id"], "device": _device(path)}
            _ledger.found(self._ledger, found["name"], path, now, **known)
            if path not in self._fresh:
                self._fresh.append(path)

    def _counts(self, scan, walk, whole, reached):
        return {
            "scanner": self._engine["scanner"],
            "whole": whole,
            "reached": None if reached is None else _places.printable(reached),
            "files": scan.scanned,
            "bytes": scan.bytes,
            "found": len(scan.found),
            "errors": scan.errors + len(walk.unreadable),
            "unanswered": scan.unanswered,
            "skipped": _passed_by(walk, scan),
            "left_out": dict((path, _places.REASONS[code]) for path, code in sorted(walk.left_out.items())),
            "unreadable": (walk.unreadable + scan.unreadable)[:20],
            "large": walk.large,
            "paths": sorted(self._request["scan"]["paths"]),
            "largest_bytes": walk.largest,
        }

    def quarantine(self):
        """Take every open detection that may be taken out of its place."""
        taken, left = [], []
        folders = self._request["quarantine"]["folders"] or list(_allowed.DEFAULT_FOLDERS)
        wrong = _allowed.problems(folders)
        if wrong:
            raise AgentError("bad_request", "Nothing is taken: %s." % "; ".join(wrong))
        place = _quarantine.Quarantine(
            self._machine,
            folders,
            lambda descriptor: _scanner.is_found(self._commands, self._engine, descriptor, self._limits),
            lambda path: _owners.package(self._machine, path),
            _owners.process,
            self._request["quarantine"]["archives"],
            self._request["run_id"],
            self._request["id"],
        )
        for number, entry in enumerate(self._open_entries()):
            try:
                identifier = "%s%03d" % (self._request["id"], number)
                manifest = place.take(entry["path"], entry["name"], identifier)
            except _quarantine.Refused as exc:
                _ledger.left(entry, exc.code, exc.text)
                left.append(dict(self._shown(entry), code=exc.code, text=exc.text))
                continue
            except OSError as exc:
                words = exc.strerror or str(exc)
                _ledger.left(entry, "host_error", words)
                left.append(dict(self._shown(entry), code="host_error", text=words))
                continue
            _ledger.acted(entry, "quarantined", manifest["id"], manifest["at"])
            _ledger.save(self._ledger)
            names = ("sha256", "size", "uid", "gid", "owner", "mode", "mtime_ns", "folder", "signature")
            taken.append(dict(self._shown(entry), quarantine_id=manifest["id"],
                              **dict((name, manifest[name]) for name in names)))  # fmt: skip
            self._care.progress(quarantined=len(taken), left=len(left))
        text = "%d taken into quarantine, %d left in place" % (len(taken), len(left))
        return {"result": "done", "text": text, "taken": taken, "left": left}

    def _open_entries(self):
        entries = [entry for entry in self._ledger["detections"].values() if entry["state"] == "open"]
        return sorted(entries, key=lambda entry: entry["path"])

    @staticmethod
    def _shown(entry):
        return {"id": entry["id"], "name": entry["name"], "path": _places.printable(entry["path"])}

    def rescan(self):
        """Look again at every place where something was found, and at what lies beside it."""
        paths = set(_ledger.open_paths(self._ledger))
        self._adopt_from_log(paths)
        folders = sorted(set(os.path.dirname(path) for path in self._fresh))
        scan = _scanner.Scan(self._commands, self._engine, self._limits, self._tell)
        scan.asked = frozenset(os.fsencode(path) for path in paths)
        beside = [path for folder in folders for path in _files_of(folder)]
        walk = self._new_walk(sorted(paths.union(beside)))
        end = time.monotonic() + min(_RESCAN_S, self._care.left())
        whole = scan.batches(walk.files(), lambda: end - time.monotonic())
        gone = set(
            entry["path"] for entry in self._ledger["detections"].values() if entry["path"] in paths and _is_gone(entry)
        )
        self._take_in(scan)
        closed = _ledger.looked(self._ledger, _texts(scan.clean), gone, self._machine.now())
        answer = self._counts(scan, walk, whole, None)
        # What lies outside of the paths that are scanned was asked for here by its own name.
        answer["unreadable"] = [line for line in answer["unreadable"] if "No such file" not in line]
        answer["errors"] = scan.errors + len([line for line in walk.unreadable if "No such file" not in line])
        answer.update(closed=closed, open=len(_ledger.open_paths(self._ledger)))
        self._mark_log()
        text = "detections that are over: %d, open: %d" % (len(closed), answer["open"])
        if not whole:
            return dict(answer, result="failed", code="rescan_incomplete", text="not all was looked at again: " + text)
        return dict(answer, result="done", text=text)

    def _adopt_from_log(self, paths):
        """Take over the detections that only clamd's log knows, so that they have a life, too."""
        for entry in self._logged():
            path = entry["path"]
            if path.startswith("/") and _LOST not in path and entry["id"] not in self._ledger["detections"]:
                if self._ledger["log_marks"].get(entry["id"]) == entry["logged_at"]:
                    continue
                _ledger.found(
                    self._ledger, entry["name"], path, self._machine.now(), seen_by="clamd's log", device=_device(path)
                )
                paths.add(path)

    def _logged(self):
        path = self._engine["log"]
        text = self._machine.tail(path, _LOG_SIZE) if path else None
        return _clamav_detections.logged_detections(text or "")

    def _mark_log(self):
        """Note up to where clamd's log is accounted for: an entry after it is a new one."""
        self._ledger["log_marks"] = dict((entry["id"], entry["logged_at"]) for entry in self._logged())


def _passed_by(walk, scan):
    """How many files nobody looked into, by reason: those of the walk, and those of the scanner."""
    counts = dict(walk.skipped)
    for reason, count in (("gone", scan.gone), ("scanner", scan.passed_by)):
        if count:
            counts[reason] = counts.get(reason, 0) + count
    return counts


def _files_of(folder):
    """Paths of the files in a folder; none when it cannot be read."""
    try:
        return [entry.path for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)]
    except OSError:
        return []


def _is_gone(entry):
    """True when there is no file by this name any more, on the filesystem on which it was found.

    Where that is not mounted the file is only out of sight.
    """
    try:
        os.lstat(entry["path"])
        return False
    except FileNotFoundError:
        folder = os.path.dirname(entry["path"])
    except OSError:
        return False
    if entry.get("device") is None:
        return os.path.isdir(folder)
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    return os.lstat(folder).st_dev == entry["device"]


def _device(path):
    """The filesystem of a file; None when it is gone already."""
    try:
        return os.lstat(path).st_dev
    except OSError:
        return None


def _texts(paths):
    return set(os.fsdecode(path) for path in paths)


def _sentence(answer):
    text = "%d files scanned, %d with finds, %d not readable" % (answer["files"], answer["found"], answer["errors"])
    if not answer["whole"]:
        text += "; the time was over at %s" % (answer["reached"] or "the very beginning")
    return text
