# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which snapshot is tested and which files of it, for the plan and for the work alike.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._sample import Sample
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

READING = ("structure", "subset", "data")
RESTORING = ("canary", "sample", "full", "database")
# Caches that a tool makes of a repository's metadata.
_CACHE_BYTES = 256 * 1024 * 1024
# How much larger a database may be than its dump, as long as nobody has read the dump: compressed text becomes tables,
# indexes and a log.
_DATABASE_GROWTH = 8
_SAMPLE_FILES = 20
_SAMPLE_BYTES = 1 << 30


def kind_of(driver, request):
    """The kind of test: a tool that cannot read a part of the data reads all of it."""
    kind = request["kind"]
    if kind not in READING + RESTORING:
        raise AgentError("bad_request", "%r is no kind of test. There are %s." % (kind, ", ".join(READING + RESTORING)))
    if driver.DATABASE and kind in ("canary", "sample", "full"):
        raise AgentError("bad_request", "%s holds a database: the test of its restore is 'database'." % driver.NAME)
    if kind == "database" and not driver.DATABASE:
        raise AgentError("bad_request", "%s holds files and no database: test 'sample' or 'full'." % driver.NAME)
    return "data" if kind == "subset" and not driver.PARTS else kind


def snapshot_of(found, wanted):
    """The snapshot of a look with this id, or the newest. Raises AgentError (no_snapshot) when there is none."""
    for snapshot in reversed(found["snapshots"]):
        if wanted in (None, "", snapshot["id"]):
            return snapshot
    if wanted:
        raise AgentError("no_snapshot", "The snapshot %s is no more among those of the dataset." % wanted)
    raise AgentError("no_snapshot", "The dataset has no snapshot that could be tested.")


class Selection(object):
    """What is restored of a snapshot."""

    def __init__(self, driver, request, kind, snapshot, spool=None):
        """Reads the list of files; ``spool`` (a binary file) gets all of them for a full restore."""
        dataset = driver.dataset
        wanted = request.get("sample") or {}
        canary = (dataset.get("canary") or {}).get("path")
        self.kind = kind
        self.snapshot = snapshot
        # Where a file is on the protected host, by the driver that was asked for the list.
        self.live = driver.live
        self._spool = spool
        self._sample = Sample(
            wanted.get("files", _SAMPLE_FILES) if kind == "sample" else 0,
            wanted.get("bytes", _SAMPLE_BYTES),
            request.get("seed") or "",
            request.get("known") or (),
            dataset.get("expected_paths") or (),
            (lambda path: driver.live(path) == canary) if canary else None,
            driver.live,
        )
        self.output = driver.pick(snapshot["id"], self._take)
        self.canary = self._sample.canary
        self.total_files = self._sample.total_files
        self.total_bytes = self._sample.total_bytes
        # None: all of it.
        self.entries = self._sample.chosen() if kind in ("canary", "sample") else None

    def _take(self, path, size, mtime):
        self._sample.take(path, size, mtime)
        if self._spool is not None:
            text = "%s\0%d\0" % (path, size or 0)
            self._spool.write(text.encode("utf-8", "surrogateescape"))

    @property
    def whole(self):
        """True when the tool told all files."""
        return self.output.status == "ok" and not self.output.rc

    @property
    def files(self):
        """How many files are restored."""
        return self.total_files if self.entries is None else len(self.entries)

    @property
    def bytes(self):
        """How many bytes are restored, as the snapshot says."""
        if self.kind == "database":
            return self.total_bytes if self.whole else guessed_bytes(self.snapshot)
        if self.entries is None:
            return max(self.total_bytes, self.snapshot.get("bytes") or 0)
        return sum(entry[1] for entry in self.entries)

    def within(self, most):
        """Raise AgentError (too_large) when more would be restored than the request allows."""
        if most and self.bytes > most:
            text = "%.1f MiB would be restored, %.1f MiB are allowed. Allow more, or choose a smaller sample."
            raise AgentError("too_large", text % (self.bytes / 1048576.0, most / 1048576.0))

    @property
    def paths(self):
        """The paths that restore() is asked for; None for all."""
        return None if self.entries is None else [entry[0] for entry in self.entries]


def guessed_bytes(snapshot):
    """How large a database may be of which only the dump's own size is known."""
    return (snapshot.get("bytes") or 0) * _DATABASE_GROWTH


def cache_bytes():
    """Room that reading a repository needs."""
    return _CACHE_BYTES


def read_spool(stream):
    """(path, size) of all files that a Selection wrote."""
    rest = b""
    for block in iter(lambda: stream.read(1 << 20), b""):
        fields = (rest + block).split(b"\0")
        whole = (len(fields) - 1) // 2 * 2
        for position in range(0, whole, 2):
            yield fields[position].decode("utf-8", "surrogateescape"), int(fields[position + 1])
        rest = b"\0".join(fields[whole:])


def places(request, found, snapshot):
    """Where the repository and, on the protected host, the sources are: what a sandbox keeps away from."""
    repository = found.get("repository") or {}
    dataset = request["dataset"]
    sources = (dataset.get("sources") or snapshot.get("paths") or []) if request.get("local") else []
    return {
        "repository": repository.get("path"),
        "sources": [path for path in sources if path.startswith("/")],
    }
