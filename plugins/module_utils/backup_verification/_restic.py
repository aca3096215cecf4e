# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: verify repositories of restic, 0.12 and newer.

Every command has --no-lock: nothing is written to the repository, no backup that starts meanwhile is kept waiting. The
price is that others may take something away while it is read; what that explains is no damage (see _gone).

options: ``program`` (path of restic), ``append_only`` and ``object_lock`` (what is declared of the server, which restic
cannot ask), ``cache`` (false: none, for a remote repository that needs a larger one than the host has memory for).
Whether a backup was incomplete (return code 3) is not in the repository: the dataset's ``jobs`` tell it.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json
import os
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _driver,
    _repository,
    _restic_text,
)

_LOOK_S = 60.0
# Sizes of snapshots that do not carry them (before 0.17): of the newest ones, as long as that is quick.
_SIZES = 8
_SIZES_S = 30.0
_LOCKS = 20
_STALE_S = 1800
_JSON_CHECK = (0, 18)
_INCOMPLETE = (3,)
_DEPTH_NOTE = "Lists and trees were read, not the data: a damaged pack that is there is not seen by this."


class Restic(_driver.Driver):
    """restic."""

    NAME = "restic"
    ALLOWED = {"restic": ("version", "snapshots", "ls", "list", "cat", "stats", "check", "restore")}
    PARTS = True

    def __init__(self, tools, dataset):
        super(Restic, self).__init__(tools, dataset)
        self._program = self.options.get("program") or "restic"
        self._place = _repository.place(self.machine, dataset["repository"], dataset.get("sources") or [])
        self._known_version = None

    def list(self):
        """See Driver.list."""
        version = self._run(["version"], _LOOK_S)
        if version.status == "absent":
            return _driver.look("absent", "restic is not installed (%s)." % self._program)
        name, self._known_version = _restic_text.version(version.out)
        tool = {"name": "restic", "version": name, "path": self.tools.which(self._program)}
        output = self._run(["snapshots", "--json"], _LOOK_S)
        repository = dict(self._place, id=None, encrypted=True, keyfile=False)
        repository.update(append_only=self.options.get("append_only"), object_lock=self.options.get("object_lock"))
        if output.rc != 0 or output.status != "ok":
            status, words = _restic_text.trouble(output)
            return _driver.look(status, "restic: %s." % words.rstrip("."), tool=tool, repository=repository)
        try:
            everything = _restic_text.snapshots(output.out)
        except (ValueError, KeyError, TypeError) as exc:
            text = "restic's list of snapshots cannot be understood: %s." % exc
            return _driver.look("error", text, tool=tool, repository=repository)
        repository["id"] = self._identifier()
        snapshots, cut = _repository.chosen(everything, self.dataset)
        locks = self._locks()
        found = {"tool": tool, "repository": repository, "locks": locks, "snapshots": snapshots, "snapshots_cut": cut}
        found["groups"] = _repository.groups(everything)
        found["writer"] = next((lock["who"] for lock in locks if not lock["stale"]), "")
        if snapshots:
            if not self.brief:
                found.update(self._content(snapshots[-1]["id"]))
                self._measure(snapshots)
            _repository.mark_incomplete(self.machine, self.dataset, snapshots, _INCOMPLETE)
        unreadable = self._unreadable(everything)
        if unreadable:
            text = "Snapshots that cannot be read: %d, the first is %s." % (len(unreadable), unreadable[0][:8])
            return _driver.look("damaged", text, **found)
        return _driver.look("ok", **found)

    def pick(self, snapshot, take):
        """See Driver.pick."""

        def line(text):
            node = _restic_text.node(text)
            if node is not None and node.get("type") == "file":
                take(node["path"], node.get("size") or 0, _repository.epoch(node.get("mtime")))

        return self.tools.lines(self._argv(["ls", "--json", snapshot]), line, self._env())

    def check(self, method, part, parts, snapshot):
        """See Driver.check. Part n of t are the packs whose number's first byte is n - 1 modulo t; t is 256 at most."""
        words = {"structure": [], "subset": ["--read-data-subset=%s/%s" % (part, parts)], "data": ["--read-data"]}
        json_words = ["--json"] if self._version() >= _JSON_CHECK else []
        for _attempt in (1, 2):
            before = self._inventory()
            output = self._run(["check"] + json_words + words[method], None)
            outcome, errors, broken, rotten = _restic_text.check(output)
            if outcome == "damaged" and not rotten and self._gone(before):
                continue
            read = self._size(method, part, parts) if outcome in ("ok", "damaged") else None
            note = _DEPTH_NOTE if method == "structure" else ""
            return _driver.checked(outcome, errors, broken, read, note)
        note = "Snapshots, indexes or packs were removed while it was read (prune), twice."
        return _driver.checked("inconclusive", errors, (), None, note)

    def restore(self, snapshot, paths, target):
        """See Driver.restore. With packs missing restic 0.14 tries again for most of a minute before it says so."""
        before = self._inventory()
        outcome, errors = "ok", []
        for include in _repository.portions(paths):
            argv = ["restore", snapshot, "--target", target]
            for path in include:
                argv += ["--include", _restic_text.pattern(path)]
            outcome, errors = _restic_text.restore(self._run(argv, None))
            if outcome != "ok":
                break
        if outcome == "damaged" and self._gone(before):
            outcome, errors = "error", ["The repository was pruned while it was read."] + errors
        return _driver.restored(outcome, errors, _repository.found_files(target, paths, "\ufffd"))

    # -- restic -------------------------------------------------------------------------------------------------
    def _env(self):
        return {"RESTIC_REPOSITORY": self.dataset["repository"], "RESTIC_PROGRESS_FPS": "0.01"}

    def _argv(self, words):
        # A local repository is read as fast without a cache. For others it is in the scratch folder.
        cache = ["--no-cache"] if self._place["path"] or self.options.get("cache") is False else []
        return [self._program] + words + ["--no-lock"] + cache

    def _run(self, words, timeout):
        return self.tools.run(self._argv(words), self._env(), timeout)

    def _version(self):
        if self._known_version is None:
            self._known_version = _restic_text.version(self._run(["version"], _LOOK_S).out)[1]
        return self._known_version

    def _names(self, kind):
        """Numbers of all things of a kind; an unreadable list is an empty one."""
        if self._place["path"]:
            # Saves deriving the key, which takes restic most of a second each time.
            found = self.machine.listdir(os.path.join(self._place["path"], kind))
            return set(name for name in found if _restic_text.is_identifier(name))
        names = set()
        self.tools.lines(
            self._argv(["list", kind]), lambda line: names.add(line.decode("ascii", "replace").strip()), self._env()
        )
        return set(name for name in names if _restic_text.is_identifier(name))

    def _unreadable(self, everything):
        """Snapshots that are there and were not told: restic leaves out what it cannot read, and ends with 0."""
        hidden = self._names("snapshots") - set(entry["id"] for entry in everything)
        if hidden:
            # Or they were made in between.
            again = self._run(["snapshots", "--json"], _LOOK_S)
            told = _restic_text.snapshots(again.out) if again.rc == 0 else []
            hidden -= set(entry["id"] for entry in told)
        return sorted(hidden)

    def _inventory(self):
        return dict((kind, self._names(kind)) for kind in ("snapshots", "index"))

    def _gone(self, before):
        """True when somebody removed something meanwhile. Backups only add, and explain no error."""
        return any(names - self._names(kind) for kind, names in before.items())

    def _documents(self, words):
        """Mapping that a command prints, past the log: some of it is nobody's business."""
        lines = []
        self.tools.lines(self._argv(words), lines.append, self._env(), _LOOK_S)
        try:
            document = json.loads(b"".join(lines).decode("utf-8", "replace"))
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}

    def _identifier(self):
        return self._documents(["cat", "config"]).get("id")

    def _locks(self):
        told, now = [], self.machine.now()
        for name in sorted(self._names("locks"))[:_LOCKS]:
            lock = self._documents(["cat", "lock", name])
            since = _repository.epoch(lock.get("time"))
            # It was taken away in between.
            if since is None:
                continue
            host, pid = str(lock.get("hostname")), int(lock.get("pid") or 0)
            stale = now - since > _STALE_S or _repository.is_dead(self.machine, host, pid)
            who = "%s on %s, process %d" % (lock.get("username") or "somebody", host, pid)
            told.append({"who": who, "since": since, "exclusive": bool(lock.get("exclusive")), "stale": stale})
        return told

    def _content(self, snapshot):
        """``missing`` and ``unwanted`` of the newest snapshot."""
        paths = _repository.Paths(self.dataset)
        if not (paths.expected or paths.unwanted):
            return {"missing": [], "unwanted": []}

        def line(text):
            node = _restic_text.node(text)
            if node is not None:
                paths.see(node["path"])

        output = self.tools.lines(
            self._argv(["ls", "--json", snapshot] + (paths.plain or [])), line, self._env(), _LOOK_S
        )
        return paths.told() if output.status == "ok" and output.rc == 0 else {}

    def _measure(self, snapshots):
        end = time.monotonic() + _SIZES_S
        for entry in reversed(snapshots[-_SIZES:]):
            left = end - time.monotonic()
            if entry["bytes"] is not None or left <= 0:
                continue
            output = self._run(["stats", "--json", "--mode", "restore-size", entry["id"]], left)
            if output.status == "ok" and output.rc == 0:
                entry["bytes"] = json.loads(output.out).get("total_size")

    def _size(self, method, part, parts):
        """Bytes of the packs that were read, where the repository is a folder."""
        if self._place["path"] is None or method == "structure":
            return None
        total = 0
        for folder, _folders, names in os.walk(os.path.join(self._place["path"], "data")):
            for name in names:
                if method == "data" or _part_of(name, parts) == part:
                    info = self.machine.stat(os.path.join(folder, name))
                    total += info["size"] if info else 0
        return total


def _part_of(name, parts):
    """Which part of the data restic counts a pack to; None for what is no pack."""
    try:
        return int(name[:2], 16) % parts + 1
    except ValueError:
        return None
