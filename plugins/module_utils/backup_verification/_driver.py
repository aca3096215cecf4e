# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the contract of all drivers: what a backup tool is asked, and how it answers.

A driver is one file with a subclass of Driver. It tells facts and judges nothing; what cannot be determined is None.
Times are epoch seconds (UTC), sizes bytes. It never writes to a repository, takes no lock in it, and leaves nothing
outside of its scratch folder and the target of a restore.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

# How a repository answered. ``locked``: somebody's lock kept us out.
STATUSES = ("ok", "absent", "denied", "no_repository", "bad_password", "locked", "damaged", "timeout", "error")
# Newest snapshots that are told of; enough for anomalies and retention over a year.
SNAPSHOT_CAP = 500
GROUP_CAP = 50
ERROR_CAP = 20
TEXT_CAP = 300


class Driver(object):
    """One tool. Subclasses have NAME, ALLOWED, PARTS and DATABASE, and implement the six methods."""

    NAME = ""
    # program -> verbs that may be run: its first word that is no option, or its first two ("snapshot list"); ("*",)
    # where words are no verbs (_tools.ANY).
    ALLOWED = None
    # True when "subset" of check() reads part n of t, so that t of them read everything.
    PARTS = False
    # True when restoring means loading into a throw-away server.
    DATABASE = False
    # True where list() is asked only whether, and what, can be tested: what is in the snapshots costs time.
    brief = False

    def __init__(self, tools, dataset):
        """``tools`` is a _tools.Tools, ``dataset`` the mapping of the request (see the control node's Dataset):
        id, tool, repository, sources, hosts (names under which the protected host appears in the repository; empty:
        any), tags, expected_paths, unwanted_paths, canary (or None), options."""
        self.tools = tools
        self.machine = tools.machine
        self.dataset = dataset
        self.options = dataset.get("options") or {}

    def list(self):
        """What is there: see look() below for the shape. Reads metadata only, within a minute or so."""
        raise NotImplementedError

    def pick(self, snapshot, take):
        """Give every regular file of a snapshot to ``take(path, size, mtime)`` (text, bytes, epoch or None).

        Returns an Output. Paths are as the snapshot has them, and restore() takes them so.
        """
        raise NotImplementedError

    def check(self, method, part, parts, snapshot):
        """Read the repository: {"outcome", "errors": [text], "broken": [names], "read_bytes": or None, "note": text}.

        ``method`` is structure (metadata), subset (part n of t of the data) or data (all of it). outcome: ok, damaged,
        inconclusive (it changed while it was read), locked, error. A return code of 0 alone is never "ok" when the
        tool's words say otherwise, and an unknown code never is.
        """
        raise NotImplementedError

    def restore(self, snapshot, paths, target):
        """Restore these files (None: all) below ``target``, an empty folder of our own.

        Returns {"outcome": ok|damaged|error|locked|timeout, "errors": [text], "files": {path: restored path} or None
        when all are restored below target under their own path}. Never raises for what the tool does.
        """
        raise NotImplementedError

    def compare(self, snapshot, target):
        """Only where DATABASE: open what was restored and query it: see DatabaseProof in _database.py."""
        raise NotImplementedError

    def live(self, path):
        """Where a file that pick() tells of is on the protected host."""
        return "/" + path.lstrip("/")

    def clean(self, target):
        """End whatever restore() left running (a throw-away server); files below target are removed by the caller."""


def look(status, detail="", **found):
    """A driver's answer to list().

    {"status": one of STATUSES, "detail": one sentence, "tool": {"name", "version", "path"},
    "repository": {"id", "location": local|mount|ssh|sftp|object|other, "path": local folder or None, "encrypted",
    "append_only", "object_lock": {"mode", "days"} or None, "free_bytes", "keyfile": True when a key file is needed,
    "same_device": True when it is on the filesystem of what it protects, as the host that looks sees it},
    "locks": [{"who", "since", "exclusive", "stale"}], "writer": who writes to it now or "",
    "snapshots": [snapshot() of this dataset, oldest first], "snapshots_cut": True when there were more,
    "groups": [{"host", "paths", "latest", "count"}: all groups of the repository],
    "missing": [expected paths that the newest snapshot lacks] or None when that could not be found out,
    "unwanted": [paths that are to be left out and are in it] or None}
    """
    answer = {"status": status, "detail": detail[:TEXT_CAP], "tool": None, "repository": None, "locks": []}
    answer.update({"writer": "", "snapshots": [], "snapshots_cut": False, "groups": []})
    answer.update({"missing": None, "unwanted": None})
    unknown = set(found) - set(answer)
    if unknown:
        raise TypeError("look has no %s" % ", ".join(sorted(unknown)))
    answer.update(found)
    return answer


def snapshot(identifier, time, **found):
    """One snapshot (archive, dump, tree): {"id", "time": when its content was true, its START, "end", "host", "paths",
    "tags", "complete": False when the tool says that something is missing in it, "errors", "bytes", "files",
    "added_bytes", "changed_files", "new_files", "excludes", "program", "command"}; None is not known."""
    answer = dict.fromkeys(
        ("end", "host", "complete", "errors", "bytes", "files", "added_bytes", "changed_files", "new_files", "program")
    )
    answer.update({"paths": [], "tags": [], "excludes": [], "command": ""})
    unknown = set(found) - set(answer)
    if unknown:
        raise TypeError("snapshot has no %s" % ", ".join(sorted(unknown)))
    answer.update(found, id=identifier, time=time)
    return answer


def checked(outcome, errors=(), broken=(), read_bytes=None, note=""):
    """A driver's answer to check()."""
    texts = [" ".join(str(text).split())[:TEXT_CAP] for text in errors]
    answer = {"outcome": outcome, "errors": texts[:ERROR_CAP], "broken": list(broken)[:ERROR_CAP]}
    return dict(answer, read_bytes=read_bytes, note=note[:TEXT_CAP])


def restored(outcome, errors=(), files=None):
    """A driver's answer to restore()."""
    texts = [" ".join(str(text).split())[:TEXT_CAP] for text in errors]
    return {"outcome": outcome, "errors": texts[:ERROR_CAP], "files": files}
