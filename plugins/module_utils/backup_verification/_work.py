# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: one test of a dataset: read its repository, or restore from it, compare, and clean up.

Whatever happens, what was restored is removed again: at the end of the time and on SIGTERM by the program itself,
after a SIGKILL by whoever asks next (see _leftovers). Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import contextlib
import os
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _canary,
    _compare,
    _credentials,
    _drivers,
    _leftovers,
    _locks,
    _memory,
    _paths,
    _proof,
    _sandbox,
    _selection,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._ending import Ended, Ending
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder, _unit
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._work import Work
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

_PAUSE_S = 10.0
# A command that has to be ended is given time to end by itself; only then the program ends itself.
_GRACE_S = 30.0
_CANARY_CAP = 4096


def run(folder):
    """Carry out the request in ``folder``; its end is in state.json."""
    request = _folder.load(folder, "request.json")
    Verification(folder, request, Machine()).run()


class Verification(Work):
    """One test, from the wait for its turn to its end."""

    CHORE = _leftovers.CHORE

    def __init__(self, folder, request, machine):
        super(Verification, self).__init__(folder, request, machine)
        self.proof = _proof.empty(request)
        self._scrubber = _credentials.Scrubber()
        self._environment = {}
        self._memory = None
        self._driver = None
        self._sandbox = None
        self._wait_until = time.monotonic() + request["limits"].get("lock_timeout_s", 0)
        self._begun = None

    def close(self, outcome, code, text, **fields):
        """Write down the end, always with a proof."""
        if "proof" not in fields:
            fields["proof"] = _proof.ended(self.proof, code, text, _folder.now())
        fields["proof"]["bounded"] = self.state["bounded"]
        fields = self._scrubber.document(fields)
        super(Verification, self).close(outcome, code, self._scrubber.text(text), **fields)

    def work(self):
        """Test, clean up in any case, and tell."""
        with contextlib.ExitStack() as stack:
            seconds = self.end + _GRACE_S - time.monotonic()
            # Nobody could wait for a command without end.
            ending = stack.enter_context(
                Ending(seconds, lambda: _leftovers.ask_to_end(self.state["command"]), self._against)
            )
            lock = _locks.RepositoryLock(self.request["repository_key"])
            stack.callback(lock.release)
            self._memory = stack.enter_context(_memory.scratch(self.machine))
            try:
                with ending.possible():
                    self._test(lock)
            except (Ended, AgentError) as exc:
                self.proof = _proof.ended(self.proof, exc.code, exc.text, None)
            except Exception as exc:
                text = "The program on the host failed: %s: %s." % (type(exc).__name__, exc)
                self.proof = _proof.ended(self.proof, "internal", text, None)
            self._clean()
        self._blame_memory()
        self.proof["at"] = _folder.now()
        outcome = _proof.work_outcome(self.proof)
        self.close(outcome, self.proof["code"], self.proof["text"], proof=self.proof)

    def _blame_memory(self):
        """A test that did not come to its end because the kernel ended a program of it says so."""
        if self.proof["outcome"] in ("error", "timeout") and _unit.starved(self.machine):
            mib = (self.request["limits"].get("memory_bytes") or 0) // 1024 // 1024
            self.proof["code"] = "memory"
            self.proof["text"] += (
                " The kernel ended a program of it, because the test may take %d MiB of memory: give it more"
                " (backup_verification_limits.memory_mb)." % mib
            )

    def _against(self):
        """Why the restore is broken off: it takes more room than anybody could know, and others need it."""
        if self._sandbox is None or not _sandbox.is_short(self._sandbox.path, self.request.get("sandbox") or {}):
            return None
        text = "The restore takes more room than expected and was ended before the filesystem of %s is full. Make room"
        return "sandbox_full", text % self._sandbox.path + ", choose another sandbox or a smaller sample."

    def _test(self, lock):
        given = _memory.take_secrets(self.machine, self.request["id"]) or {}
        dataset = self.request["dataset"]
        self._environment, source, self._scrubber = _credentials.resolve(self.machine, dataset, given)
        self.proof["key_source"] = source
        _leftovers.sweep(self.machine)
        lock.take("%s of %s" % (self.request["id"], dataset["id"]), self._wait_until)
        self.save(phase="looking")
        driver = self._opened(self._memory)
        driver.brief = True
        kind = _selection.kind_of(driver, self.request)
        self.proof["kind"] = kind
        found = self._looked(driver)
        snapshot = _selection.snapshot_of(found, self.request.get("snapshot"))
        self.proof.update(snapshot=snapshot["id"], snapshot_time=snapshot["time"], dataset_bytes=snapshot.get("bytes"))
        self._begun = time.monotonic()
        if kind in _selection.READING:
            self._read(kind, found, snapshot)
        else:
            self._restore(kind, found, snapshot, driver)

    def _opened(self, scratch):
        """The driver with a scratch folder; what its tools say stays in memory."""
        commands = _drivers.QuietCommands(
            Machine(self.end), self._memory, self.end, self._scrubber, self.folder, self._tell
        )
        folder = os.path.join(scratch, "tool")
        os.mkdir(folder, 0o700)
        return _drivers.make(commands, self.request["dataset"], self._environment, folder)

    def _looked(self, driver):
        """What is in the repository, once nobody writes to it."""
        while True:
            found = driver.list()
            busy = found["status"] == "locked" or (found["status"] == "ok" and found["writer"])
            if not busy:
                break
            if time.monotonic() + _PAUSE_S > self._wait_until:
                if found["status"] == "locked":
                    raise AgentError("locked", "The repository is locked: %s" % (found["detail"] or "by somebody."))
                text = "A backup is being written: %s. Nothing was read; the test comes when it has ended."
                raise AgentError("writer", text % found["writer"])
            self.save(phase="waiting")
            time.sleep(_PAUSE_S)
        if found["status"] != "ok":
            raise AgentError(found["status"], found["detail"] or "The repository cannot be read.")
        return found

    def _made(self, found, snapshot, size_bytes, files):
        """Make the sandbox, when nothing is against it."""
        places = _selection.places(self.request, found, snapshot)
        asked = self.request.get("sandbox") or {}
        self._sandbox = _sandbox.make(self.machine, self.folder, self.request["id"], asked, size_bytes, files, places)
        self.proof["sandbox"] = self._sandbox.words()

    def _read(self, kind, found, snapshot):
        """Read the repository, or a part of it."""
        part, parts = None, None
        if kind == "subset":
            part, parts = self.request["part"], self.request["parts"]
        self.proof.update(part=part, parts=parts)
        self._made(found, snapshot, _selection.cache_bytes(), 0)
        self._driver = self._opened(self._sandbox.scratch)
        self.save(phase="reading")
        began = time.monotonic()
        checked = self._driver.check(kind, part, parts, snapshot["id"])
        self.proof.update(seconds=time.monotonic() - began, total_seconds=time.monotonic() - self._begun)
        self.proof = _proof.reading(self.proof, checked, time.monotonic() > self.end)

    def _restore(self, kind, found, snapshot, looking):
        """Restore files or a database, and compare."""
        spool_path = os.path.join(self.folder, _leftovers.SPOOL)
        with open(spool_path, "w+b") as spool:
            chosen = _selection.Selection(looking, self.request, kind, snapshot, spool if kind == "full" else None)
            self.proof["dataset_bytes"] = chosen.total_bytes or snapshot.get("bytes")
            if not chosen.whole and chosen.entries is not None:
                self._not_listed(chosen, looking)
            if kind == "sample" and not chosen.entries:
                text = "The snapshot has no file that fits into a sample of this size. Allow more bytes."
                raise AgentError("nothing_fits", text)
            chosen.within(self.request.get("max_bytes"))
            self._made(found, snapshot, chosen.bytes, chosen.files)
            self._driver = self._opened(self._sandbox.scratch)
            self.save(phase="restoring")
            began = time.monotonic()
            restored = {"outcome": "ok", "errors": [], "files": None}
            if chosen.paths != []:
                restored = self._driver.restore(snapshot["id"], chosen.paths, self._sandbox.data)
            self.proof["seconds"] = time.monotonic() - began
            late, full = time.monotonic() > self.end, _sandbox.is_full(self._sandbox.path)
            self.save(phase="comparing")
            if restored["outcome"] == "ok":
                if not chosen.whole and kind == "full":
                    self._not_listed(chosen, looking)
                spool.seek(0)
                self._compare(kind, chosen, restored, spool)
            self.proof["total_seconds"] = time.monotonic() - self._begun
            self.proof = _proof.restoring(self.proof, restored, late, full)

    def _not_listed(self, chosen, looking):
        """The tool cannot tell which files there are: is that damage? A restore of everything tells by itself."""
        snapshot = chosen.snapshot
        words = " ".join(chosen.output.err.split())[:200]
        text = "The list of files in the snapshot %s cannot be read: %s" % (snapshot["id"], words)
        if chosen.output.status == "timeout":
            raise AgentError("timeout", text)
        checked = looking.check("structure", None, None, snapshot["id"])
        raise AgentError("damaged" if checked["outcome"] == "damaged" else "no_listing", text)

    def _compare(self, kind, chosen, restored, spool):
        """Compare what came back with what it should be."""
        if kind == "database":
            told = self._driver.compare(chosen.snapshot["id"], self._sandbox.data)
            restored["database"] = told
            self.proof.update(queries=told["queries"], bytes=told["bytes"], dataset_bytes=told["bytes"])
            return
        sums = self._driver.options.get("checksums")
        wanted = None if chosen.entries is None else set(_compare.plain(entry[0]) for entry in chosen.entries)
        comparison = _compare.Comparison(
            self._sandbox.data,
            chosen.live if self.request.get("local") else None,
            chosen.snapshot["time"],
            _compare.read_sums(sums, wanted) if sums else None,
            bool(self._driver.options.get("compare_metadata")),
            chosen.live,
        )
        files = restored["files"] or {}
        try:
            if chosen.entries is None:
                for path, size in _selection.read_spool(spool):
                    comparison.add(path, size, files.get(path))
            else:
                for path, size, _mtime in chosen.entries:
                    comparison.add(path, size, files.get(path))
        finally:
            self.proof.update(comparison.close())
        self.proof["canary"] = self._canary(chosen, files)

    def _canary(self, chosen, files):
        """What the restored canary proves; None when the dataset has none."""
        canary = self.request["dataset"].get("canary")
        if not canary:
            return None
        data = None
        if chosen.canary:
            path = chosen.canary[0]
            root = os.open(self._sandbox.data, _paths.FOLDER)
            try:
                relative = os.path.relpath(files[path], self._sandbox.data) if path in files else path
                with os.fdopen(_paths.open_below(root, relative), "rb") as stream:
                    data = stream.read(_CANARY_CAP)
            except OSError:
                data = None
            finally:
                os.close(root)
        history = self.request.get("canary_history")
        if not history and self.request.get("local"):
            history = _canary.local_history(canary["path"])
        return _canary.proof(
            self.request["dataset"]["id"],
            canary["path"],
            data,
            chosen.snapshot,
            history or [],
            canary.get("max_age_hours", _canary.MAX_AGE_HOURS),
        )

    def _clean(self):
        """End what runs and remove what was restored; what could not be is told."""
        with contextlib.suppress(OSError):
            self.save(phase="cleaning")
        if self.state["command"]:
            _leftovers.end_command(self.state["command"])
        if self._driver is not None:
            try:
                self._driver.clean(self._sandbox.data)
            except Exception as exc:
                self.proof["left"] = "%s: %s" % (type(exc).__name__, exc)
        removed = _leftovers.clear(self.machine, self.folder)
        if removed is not None:
            self.proof["left"] = removed["left"]
