# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: verify repositories of kopia.

Kopia is connected to a repository by a configuration file. It is given a copy of it in the scratch folder that says
"readonly" and has a cache of its own there: through it nothing can be written, and no maintenance is run.

options: ``config`` (the connection, by default root's repository.config), ``program`` (path of kopia).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json
import os
import re

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _driver, _repository

_LOOK_S = 60.0
_CONFIG = "/root/.config/kopia/repository.config"
_OBJECT = ("s3", "b2", "gcs", "azureBlob", "wasabi")
_WORDS = (
    ("bad_password", re.compile(r"invalid repository password|unable to derive|no password", re.I)),
    ("denied", re.compile(r"permission denied|access denied", re.I)),
    ("no_repository", re.compile(r"not connected|repository not initialized|no such file|not found: kopia\.rep", re.I)),
    (
        "damaged",
        re.compile(r"encountered \d+ errors|failed on |checksum|decrypt|blob not found|content not found", re.I),
    ),
)
_FULL = re.compile(r"no space left|disk quota exceeded|read-only file system", re.I)
# Mode, size, time, object, path of "list --long"; a directory's path ends with a slash.
_LINE = re.compile(
    r"^(\S{10,11}) +(\d+) (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC (\S+) +(.*?)(?: \(\d+ errors\))?$", re.S
)
# Of modes as Go writes them: folders, links, devices, pipes and sockets; setuid and the like are files.
_NO_FILE = re.compile(r"[dLDpSc?]")
_STRUCTURE_NOTE = "Lists and indexes were read, no content: a damaged blob that is there is not seen by this."


class Kopia(_driver.Driver):
    """kopia."""

    NAME = "kopia"
    ALLOWED = {"kopia": ("snapshot list", "snapshot verify", "list", "restore", "repository status")}
    # kopia takes a random percentage: only all of it is known to be all.
    PARTS = False

    def __init__(self, tools, dataset):
        super(Kopia, self).__init__(tools, dataset)
        self._program = self.options.get("program") or "kopia"
        # Of which folder a snapshot is, and the one that was picked from.
        self._roots, self._root = {}, None
        self._config = os.path.join(tools.scratch, "kopia", "repository.config")

    def list(self):
        """See Driver.list."""
        version = self.machine.run([self._program, "--version"], timeout=_LOOK_S, source="kopia")
        if version.status == "absent":
            return _driver.look("absent", "kopia is not installed (%s)." % self._program)
        words = version.out.split()
        tool = {"name": "kopia", "version": words[0] if words else None, "path": self.tools.which(self._program)}
        connection = self._connect()
        if connection is None:
            text = "kopia is not connected: there is no %s." % (self.options.get("config") or _CONFIG)
            return _driver.look("no_repository", text, tool=tool)
        repository = self._repository(connection)
        # Without --all only the own user's, without --show-identical not those that changed nothing.
        argv = ["snapshot", "list", "--all", "--show-identical", "--json"]
        output = self._run(argv, _LOOK_S)
        if output.status != "ok" or output.rc != 0:
            status, line = trouble(output)
            return _driver.look(status, "kopia: %s." % line.rstrip("."), tool=tool, repository=repository)
        try:
            everything = snapshots(output.out)
        except (ValueError, KeyError, TypeError) as exc:
            text = "kopia's list cannot be understood: %s." % exc
            return _driver.look("error", text, tool=tool, repository=repository)
        self._roots = dict((entry["id"], entry["paths"][0]) for entry in everything)
        own, cut = _repository.chosen(everything, self.dataset)
        found = {"tool": tool, "repository": repository, "snapshots": own, "snapshots_cut": cut}
        found["groups"] = _repository.groups(everything)
        if own and not self.brief:
            found.update(self._content(own[-1]))
        return _driver.look("ok", **found)

    def pick(self, snapshot, take):
        """See Driver.pick."""
        self._root = self._roots.get(snapshot)

        def entry(path, size, mtime, is_file):
            if is_file:
                take(path, size, mtime)

        return self._entries(snapshot, entry)

    def check(self, method, part, parts, snapshot):
        """See Driver.check. A structure check reads no content, everything else reads all of it."""
        if self._connect() is None:
            return _driver.checked("error", ["kopia is not connected."])
        percent = "0" if method == "structure" else "100"
        argv = ["snapshot", "verify", "--all-sources", "--verify-files-percent=" + percent]
        outcome, errors = verified(self._run(argv, None))
        broken = re.findall(r"blob ([0-9a-z]{32,})", "\n".join(errors)) if outcome == "damaged" else []
        return _driver.checked(outcome, errors, broken, None, _STRUCTURE_NOTE if method == "structure" else "")

    def restore(self, snapshot, paths, target):
        """See Driver.restore. Single files are restored one by one."""
        if self._connect() is None:
            return _driver.restored("error", ["kopia is not connected."])
        outcome, errors = "ok", []
        for path in [None] if paths is None else paths:
            source, place = (snapshot, target) if path is None else (snapshot + "/" + path, os.path.join(target, path))
            if path is not None:
                os.makedirs(os.path.dirname(place), 0o700, exist_ok=True)
            # By default the name decides: what ends with .zip would become an archive.
            output = self._run(["restore", "--mode=local", source, place], None)
            outcome, more = brought(output)
            errors += more
            if outcome != "ok":
                break
        return _driver.restored(outcome, errors)

    def live(self, path):
        """See Driver.live. Paths begin at the folder that was saved: list() and pick() told which."""
        sources = self.dataset.get("sources") or ["/"]
        return os.path.join(self._root or sources[0], path)

    # -- kopia --------------------------------------------------------------------------------------------------
    def _connect(self):
        """The connection, of which a copy that cannot write is in the scratch folder; None when there is none."""
        text = self.machine.read(self.options.get("config") or _CONFIG)
        try:
            connection = json.loads(text or "")
        except ValueError:
            return None
        caching = {"cacheDirectory": os.path.join(self.tools.scratch, "kopia", "cache")}
        copy = dict(connection, readonly=True, caching=dict(connection.get("caching") or {}, **caching))
        os.makedirs(os.path.dirname(self._config), 0o700, exist_ok=True)
        descriptor = os.open(self._config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(copy, stream)
        return connection

    def _run(self, words, timeout):
        return self.tools.run([self._program] + words, self._env(), timeout)

    def _env(self):
        logs = os.path.join(self.tools.scratch, "kopia", "logs")
        env = {"KOPIA_CONFIG_PATH": self._config, "KOPIA_LOG_DIR": logs, "KOPIA_CHECK_FOR_UPDATES": "false"}
        return dict(env, KOPIA_USE_KEYRING="false", KOPIA_PERSIST_CREDENTIALS_ON_CONNECT="false")

    def _repository(self, connection):
        storage = connection.get("storage") or {}
        kind, settings = storage.get("type") or "", storage.get("config") or {}
        text = settings.get("path") or "" if kind == "filesystem" else kind + ":"
        found = dict(_repository.place(self.machine, text, self.dataset.get("sources") or []))
        if kind in _OBJECT:
            found["location"] = "object"
        found.update(id=None, encrypted=None, keyfile=False)
        found.update(append_only=self.options.get("append_only"), object_lock=self.options.get("object_lock"))
        output = self._run(["repository", "status", "--json"], _LOOK_S)
        if output.status == "ok" and output.rc == 0:
            status = json.loads(output.out)
            cipher = (status.get("contentFormat") or {}).get("encryption") or ""
            found.update(id=status.get("uniqueIDHex"), encrypted=bool(cipher) and cipher != "NONE")
            lock = status.get("blobRetention") or {}
            if lock.get("retentionMode"):
                days = int((lock.get("retentionPeriod") or 0) // 86400000000000)
                found["object_lock"] = {"mode": lock["retentionMode"], "days": days}
        return found

    def _entries(self, snapshot, take):
        def line(text):
            match = _LINE.match(text.decode("utf-8", "replace").rstrip("\n"))
            if match:
                mtime = _repository.epoch("%sT%s" % match.group(3, 4))
                take(match.group(6).rstrip("/"), int(match.group(2)), mtime, not _NO_FILE.search(match.group(1)[:-9]))

        argv = [self._program, "list", "--long", "--recursive", snapshot]
        return self.tools.lines(argv, line, self._env(), None)

    def _content(self, newest):
        paths = _repository.Paths(self.dataset)
        if not (paths.expected or paths.unwanted):
            return {"missing": [], "unwanted": []}
        root = newest["paths"][0]
        paths.see(root)
        output = self._entries(newest["id"], lambda path, _size, _mtime, _file: paths.see(os.path.join(root, path)))
        return paths.told() if output.status == "ok" and output.rc == 0 else {}


def snapshots(text):
    """All snapshots that ``snapshot list --json`` tells. Raises ValueError when it cannot be understood."""
    found = []
    for entry in json.loads(text or "null") or []:
        source, stats = entry.get("source") or {}, entry.get("stats") or {}
        summary = (entry.get("rootEntry") or {}).get("summ") or {}
        errors = max(summary.get("numFailed") or 0, stats.get("errorCount") or 0)
        known = {"end": _repository.epoch(entry.get("endTime")), "host": source.get("host"), "errors": errors}
        known.update(paths=[source.get("path") or ""], bytes=summary.get("size", stats.get("totalSize")))
        known.update(files=summary.get("files", stats.get("fileCount")))
        known["complete"] = not (entry.get("incomplete") or errors)
        found.append(_driver.snapshot(entry["id"], _repository.epoch(entry["startTime"]), **known))
    return found


def trouble(output):
    """(status of _driver.STATUSES, one line of kopia's own) for a command that did not end with 0."""
    if output.status in ("absent", "timeout", "denied"):
        return output.status, output.err
    said = [line.strip() for line in output.err.splitlines() if line.strip()]
    status = next((name for name, words in _WORDS if words.search(output.err)), "error")
    return status, (said or ["return code %s" % output.rc])[-1]


def verified(output):
    """(outcome, errors) of a verify."""
    if output.status != "ok":
        return "error", ["It did not end in its time." if output.status == "timeout" else output.err]
    errors = [
        line.strip() for line in output.err.splitlines() if re.search(r"failed on |error (reading|verifying)", line)
    ]
    if output.rc == 0 and not errors:
        return "ok", []
    status, words = trouble(output)
    return ("damaged" if errors or status == "damaged" else "error"), errors or [words]


def brought(output):
    """(outcome, errors) of a restore."""
    if output.status == "timeout":
        return "timeout", ["kopia did not end in its time."]
    if output.status == "ok" and output.rc == 0:
        return "ok", []
    status, words = trouble(output)
    return ("damaged" if status == "damaged" and not _FULL.search(output.err) else "error"), [words]
