# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: verify repositories of Borg 1.2 and 1.4, and what borgmatic makes with it.

A repository in a folder is read by way of a shadow (_borg_shadow), so that nothing in it changes and no lock counts.
One behind ssh is read by list and extract with --bypass-lock, never by ``check``: that writes its configuration, and
even with --archives-only its nonce. What stays is that its own server rebuilds an index that a crash left behind, as it
does for any reader.

options: ``program`` (path of borg), ``archives`` (pattern of the names that belong to the dataset), ``root`` (folder
that relative paths in the archives begin at), ``borgmatic`` (its configuration: repository, sources and passphrase are
taken from there), ``append_only`` and ``object_lock`` (what is declared of the server).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import fnmatch
import functools
import json
import os
import time
import zlib

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _borg_shadow,
    _borg_text,
    _borgmatic,
    _driver,
    _repository,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._sources import Output

_LOOK_S = 60.0
_SIZES = 8
_SIZES_S = 40.0
_ARCHIVES = "2000"
_NO_END_S = "10000000"
_FORMAT = "{hostname}{end}{command_line}"
_INCOMPLETE = (1,) + tuple(range(100, 128))
_STRUCTURE_NOTE = "Lists and lengths were read, not the data: a damaged segment that is there is not seen by this."
_SUBSET_NOTE = "Part %d of %d of the segments, by their number; checksums of all their entries."
_REMOTE_NOTE = "Behind ssh part %d of %d are whole archives (%d of %d), read to their end; a check would write there."
_REMOTE_LIST_NOTE = "Behind ssh the newest archive was listed; a check would write there. No data was read by this."


class Borg(_driver.Driver):
    """Borg 1.x."""

    NAME = "borg"
    ALLOWED = {"borg": ("list", "check", "extract")}
    PARTS = True

    def __init__(self, tools, dataset):
        super(Borg, self).__init__(tools, dataset)
        self._given, self._refused = {}, ""
        if self.options.get("borgmatic"):
            try:
                self.dataset, self._given = _borgmatic.adopt(self.machine, dataset)
                tools.learn([self._given.get("BORG_PASSPHRASE") or ""])
            except AgentError as exc:
                self._refused = exc.text
        self._program = self.options.get("program") or "borg"
        self._text = self.dataset["repository"]
        self._place = _repository.place(self.machine, self._text, self.dataset.get("sources") or [])
        self._shadow = None
        if self._place["path"]:
            self._shadow = _borg_shadow.Shadow(self._place["path"], os.path.join(tools.scratch, "shadow"))

    def list(self):
        """See Driver.list."""
        if self._refused:
            return _driver.look("error", self._refused)
        version = self.machine.run([self._program, "--version"], timeout=_LOOK_S, source="borg")
        if version.status == "absent":
            return _driver.look("absent", "borg is not installed (%s)." % self._program)
        tool = {"name": "borg", "version": _borg_text.version(version.out), "path": self.tools.which(self._program)}
        repository = dict(self._place, id=None, encrypted=None, keyfile=None)
        repository.update(append_only=self._append_only(), object_lock=self.options.get("object_lock"))
        output = self._read(["list", "--json", "--last", _ARCHIVES, "--format", _FORMAT], (), _LOOK_S)
        if not _borg_text.went_well(output):
            status, words = _borg_text.trouble(output)
            return _driver.look(status, "borg: %s." % words.rstrip("."), tool=tool, repository=repository)
        try:
            everything, repository["id"], mode = _borg_text.archives(output.out)
        except (ValueError, KeyError, TypeError) as exc:
            text = "Borg's list cannot be understood: %s." % exc
            return _driver.look("error", text, tool=tool, repository=repository)
        # "authenticated" protects against changes, not against readers.
        repository.update(encrypted=mode.startswith(("repokey", "keyfile")), keyfile=mode.startswith("keyfile"))
        named = self.options.get("archives") or "*"
        mine = [entry for entry in everything if fnmatch.fnmatchcase(entry["id"], named)]
        snapshots, cut = _repository.chosen(mine, self.dataset)
        locks = self._locks()
        found = {"tool": tool, "repository": repository, "locks": locks, "snapshots": snapshots}
        found.update(snapshots_cut=cut or len(everything) >= int(_ARCHIVES), groups=_repository.groups(everything))
        found["writer"] = next((lock["who"] for lock in locks if lock["exclusive"] and not lock["stale"]), "")
        if snapshots:
            if not self.brief:
                found.update(self._content(snapshots))
            _repository.mark_incomplete(self.machine, self.dataset, snapshots, _INCOMPLETE)
        return _driver.look("ok", **found)

    def live(self, path):
        """See Driver.live. Paths that begin nowhere begin at the root that an option names."""
        root = self.options.get("root")
        return os.path.join(root, path) if root else "/" + path.lstrip("/")

    def pick(self, snapshot, take):
        """See Driver.pick."""

        def line(text):
            item = _borg_text.item(text)
            if item is not None and item["type"] == "-":
                take(item["path"], item.get("size") or 0, _repository.epoch(item.get("mtime")))

        return self._items(snapshot, line)

    def check(self, method, part, parts, snapshot):
        """See Driver.check. Part n of t are segments by their number, of an ssh repository archives by their name."""
        if self._refused:
            return _driver.checked("error", [self._refused])
        if self._shadow is None:
            return self._check_remote(method, part, parts)
        errors = []
        for _attempt in (1, 2):
            outcome, errors, broken, rotten = self._check_shadow(method, part, parts)
            if outcome == "damaged" and not rotten and self._was_compacted():
                continue
            subset = (part, parts) if method == "subset" else (1, 1)
            read = self._shadow.size(*subset) if method != "structure" and outcome in ("ok", "damaged") else None
            note = _STRUCTURE_NOTE if method == "structure" else _SUBSET_NOTE % subset if method == "subset" else ""
            return _driver.checked(outcome, errors, broken, read, note)
        note = "A backup or a compaction changed it while it was read, twice."
        return _driver.checked("inconclusive", errors, (), None, note)

    def restore(self, snapshot, paths, target):
        """See Driver.restore. Borg extracts where it is started."""
        outcome, errors = "ok", []
        for portion in _repository.portions(paths):
            words = [_borg_text.pattern(path) for path in portion]
            output = self._read(["extract"], ["::" + snapshot] + words, None, target)
            outcome, more = _borg_text.extract(output)
            errors += more
            if outcome != "ok":
                break
        if outcome == "damaged" and not _borg_text.is_rotten(errors) and self._was_compacted():
            outcome, errors = "error", ["The repository was compacted while it was read."] + errors
        return _driver.restored(outcome, errors, _repository.found_files(target, paths, "?"))

    # -- borg ---------------------------------------------------------------------------------------------------
    def _env(self):
        base = os.path.join(self.tools.scratch, "borg")
        env = {"BORG_BASE_DIR": base, "BORG_CACHE_DIR": base + "/cache", "BORG_CONFIG_DIR": base + "/config"}
        env.update(BORG_SECURITY_DIR=base + "/security", BORG_EXIT_CODES="modern", BORG_HOSTNAME_IS_UNIQUE="yes")
        # Nothing asks. The shadow is elsewhere than the repository, and every repository is new to our own folders.
        env.update(BORG_RELOCATED_REPO_ACCESS_IS_OK="yes", BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes")
        env.update(BORG_CHECK_I_KNOW_WHAT_I_AM_DOING="NO", BORG_DELETE_I_KNOW_WHAT_I_AM_DOING="NO")
        keys = os.path.join(os.path.expanduser("~root"), ".config", "borg", "keys")
        if self.machine.exists(keys):
            env["BORG_KEYS_DIR"] = keys
        env.update(self._given)
        return dict(env, **self.tools.given("BORG_KEYS_DIR", "BORG_KEY_FILE", "BORG_RSH", "BORG_REMOTE_PATH"))

    def _read(self, verb, words, timeout, cwd="/", take=None):
        """Run borg on the shadow, or through ssh without a lock; a first word "::NAME" is an archive."""
        words = list(words)
        if self._refused:
            return Output("error", err=self._refused)
        place = self._text
        if self._shadow is not None:
            failed = None if self._shadow.is_current() else self._build(1, 1)
            if failed:
                return failed
            place = self._shadow.folder
        if words and words[0].startswith("::"):
            place += words.pop(0)
        bypass = ["--bypass-lock"] if self._shadow is None else []
        argv = [self._program] + verb + ["--log-json"] + bypass + ["--", place] + words
        if take is not None:
            return self._said(self.tools.lines(argv, take, self._env(), timeout, cwd))
        return self._said(self.tools.run(argv, self._env(), timeout, cwd))

    def _said(self, output):
        """The output with the repository's own path: whoever reads it knows nothing of a shadow."""
        if self._shadow is not None:
            output.err = output.err.replace(self._shadow.folder, self._place["path"])
        return output

    def _build(self, part, parts):
        """None, or the Output of a repository that cannot be read."""
        try:
            self._shadow.build(part, parts)
        except _borg_shadow.TooLarge as exc:
            return Output("error", err=str(exc))
        except PermissionError as exc:
            return Output("denied", err="%s: %s" % (exc.filename, exc.strerror))
        except OSError as exc:
            message = "%s: %s" % (exc.filename or self._place["path"], exc.strerror)
            there = self.machine.exists(os.path.join(self._place["path"], "config"))
            msgid = "Exception" if there else "Repository.DoesNotExist"
            line = {"type": "log_message", "levelname": "ERROR", "message": message, "msgid": msgid}
            return Output("ok", 2, "", json.dumps(line))
        if not os.path.exists(os.path.join(self._shadow.folder, "config")):
            line = {"type": "log_message", "levelname": "ERROR", "msgid": "Repository.InvalidRepository"}
            line["message"] = "%s is no repository of Borg" % self._place["path"]
            return Output("ok", 2, "", json.dumps(line))
        return None

    def _items(self, archive, line):
        return self._read(["list", "--json-lines"], ["::" + archive], None, "/", line)

    def _check_shadow(self, method, part, parts):
        words = {"structure": ["--archives-only"], "data": ["--verify-data"]}
        words["subset"] = ["--repository-only", "--max-duration", _NO_END_S]
        failed = self._build(*((part, parts) if method == "subset" else (1, 1)))
        if failed:
            return _borg_text.check(failed)
        lacking = self._shadow.lacking()
        argv = [self._program, "check", "--log-json"] + words[method] + ["--", self._shadow.folder]
        outcome, errors, broken, rotten = _borg_text.check(self._said(self.tools.run(argv, self._env())))
        if lacking and outcome in ("ok", "damaged", "error"):
            return "damaged", lacking + errors, sorted(set(broken + [text.split(":")[0] for text in lacking])), rotten
        return outcome, errors, broken, rotten

    def _check_remote(self, method, part, parts):
        """List the newest archive, or read whole archives to their end: with a check Borg would write there."""
        listed = self._read(["list", "--json"], (), _LOOK_S)
        if not _borg_text.went_well(listed):
            status, words = _borg_text.trouble(listed)
            return _driver.checked(status if status in ("damaged", "locked") else "error", [words])
        names = [entry["id"] for entry in _borg_text.archives(listed.out)[0]]
        part, parts = (part, parts) if method == "subset" else (1, 1)
        chosen = [name for name in names if zlib.crc32(os.fsencode(name)) % parts + 1 == part]
        if method == "structure":
            chosen = names[-1:]
        outcome, errors = "ok", []
        for name in chosen:
            if method == "structure":
                output = self._items(name, lambda _line: None)
            else:
                output = self._read(["extract", "--dry-run"], ["::" + name], None)
            outcome, errors = _borg_text.extract(output)
            if outcome != "ok":
                break
        note = _REMOTE_LIST_NOTE if method == "structure" else _REMOTE_NOTE % (part, parts, len(chosen), len(names))
        return _driver.checked("error" if outcome == "timeout" else outcome, errors, (), None, note)

    # -- the repository itself ----------------------------------------------------------------------------------
    def _append_only(self):
        """True when its configuration or the declaration says so; a folder that may be changed proves nothing."""
        if self._place["path"]:
            text = self.machine.read(os.path.join(self._place["path"], "config")) or ""
            pairs = [line.partition("=") for line in text.splitlines()]
            if any(key.strip() == "append_only" and value.strip() == "1" for key, _sign, value in pairs):
                return True
        return self.options.get("append_only")

    def _locks(self):
        """Locks in the folder of the repository; those behind ssh cannot be seen."""
        told = []
        if not self._place["path"]:
            return told
        folder = os.path.join(self._place["path"], "lock.exclusive")
        info = self.machine.stat(folder)
        for name in self.machine.listdir(folder):
            who = _borg_text.lock(name)
            if who is not None:
                told.append(self._lock(who[0], who[1], info and info["mtime"], True))
        roster = self.machine.read(os.path.join(self._place["path"], "lock.roster"))
        try:
            shared = json.loads(roster or "{}").get("shared") or []
        except ValueError:
            shared = []
        info = self.machine.stat(os.path.join(self._place["path"], "lock.roster"))
        for host, pid, _thread in shared:
            told.append(self._lock(host.partition("@")[0], pid, info and info["mtime"], False))
        return told

    def _lock(self, host, pid, since, exclusive):
        stale = _repository.is_dead(self.machine, host, pid)
        return {"who": "process %d on %s" % (pid, host), "since": since, "exclusive": exclusive, "stale": stale}

    def _was_compacted(self):
        """True when segments that are not there may have been removed meanwhile; behind ssh nobody can tell."""
        return self._shadow is not None and (self._shadow.gone() or self._writes())

    def _writes(self):
        return any(lock["exclusive"] and not lock["stale"] for lock in self._locks())

    def _count(self, found, paths, text):
        """Take one line of an archive's list into account; ``paths`` is None where only sizes are wanted."""
        item = _borg_text.item(text)
        if item is None:
            return
        if paths is not None:
            paths.see(self.live(item["path"]))
        if item["type"] == "-":
            found["bytes"] += item.get("size") or 0
            found["files"] += 1
            found["errors"] += not item.get("healthy", True)

    def _content(self, snapshots):
        """Go through the newest archives: sizes, files that a repair left with holes, expected and unwanted paths."""
        paths = _repository.Paths(self.dataset)
        end, told = time.monotonic() + _SIZES_S, {}
        for entry in reversed(snapshots[-_SIZES:]):
            if time.monotonic() > end:
                break
            newest = entry is snapshots[-1]
            found = {"bytes": 0, "files": 0, "errors": 0}
            take = functools.partial(self._count, found, paths if newest else None)
            output = self._items(entry["id"], take)
            if _borg_text.went_well(output):
                entry.update(found)
                if found["errors"]:
                    entry["complete"] = False
                if newest:
                    told = paths.told()
        return told
