# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: pgBackRest: copies of a whole PostgreSQL cluster with its log.

``repository`` is its configuration file, or the folder of the repository. Options: ``stanza`` (needed), ``user`` (who
may read the repository and runs the throw-away server, default postgres), ``role`` (superuser of the database, default
postgres), ``database``, ``bin`` and ``canary`` as in _database.py.

A clone must never write into the archive of the cluster that it comes from: it is restored with --archive-mode=off and
started with archiving off. ``check`` of pgBackRest makes the cluster switch its log: it is not used. ``verify`` ends
with 0 whatever it finds: its words count.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json
import os
import re

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _driver,
    _files,
    _pg_dump,
    _place,
    _postgresql,
    _streams,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

# Of a stanza, by its "status"; what is not here is an error.
_STATUS = {0: "ok", 1: "no_repository", 2: "ok", 3: "no_repository", 4: "ok", 5: "damaged"}
# Return codes (src/common/error.auto.c): what is stored is wrong or gone; the key; rights.
_DAMAGED = (25, 28, 29, 55, 82)
_KEY = (95,)
_DENIED = (41, 42)
_HBA = "local all all trust\n"
_GROWTH = 1.2
_ROOM_BYTES = 256 * 1024 * 1024


class Clone(_postgresql.Postgresql):
    """A PostgreSQL server made of a restored cluster."""

    # It fetches the log that makes the copy consistent, also from a repository on another host.
    ISOLATED = False
    START_S = 4 * 3600.0

    def __init__(self, tools, options, target, version):
        super(Clone, self).__init__(tools, dict({"user": "postgres"}, **options), target, version)
        self.role = options.get("role", "postgres")
        # How it asks pgBackRest for its log.
        self.words = {}

    def environment(self):
        # It reads its log from the repository itself.
        return dict(
            super(Clone, self).environment(), **dict(self.tools.given(*self.tools.without_secrets()), **self.words)
        )

    def install(self):
        """Its data come from the repository; its configuration (which may be elsewhere on the host) is our own."""
        os.mkdir(self.data, 0o700)
        self.give(self.data)
        for name, text in (("postgresql.conf", ""), ("pg_hba.conf", _HBA), ("pg_ident.conf", "")):
            path, _size = _files.write(self.target, [name], [text.encode("ascii")])
            self.give(path)

    def settings(self):
        names = (("config_file", "postgresql.conf"), ("hba_file", "pg_hba.conf"), ("ident_file", "pg_ident.conf"))
        settings = {key: os.path.join(self.target, name) for key, name in names}
        # Without hot standby it does not ask for the sizes that the original had.
        return dict(settings, hot_standby="off", wal_level="replica", archive_command="/bin/false")


class PgBackRest(_pg_dump.PgDump):
    """One backup is one snapshot; its id is the label."""

    NAME = "pgbackrest"
    ALLOWED = dict(_pg_dump.PgDump.ALLOWED, pgbackrest=("info", "verify", "restore"))

    def list(self):
        tool = {"name": "pgbackrest", "version": None, "path": self.machine.which("pgbackrest")}
        status, detail, stanza = self._info()
        if stanza is None:
            return _driver.look(status, detail, tool=tool)
        entries = self._entries(stanza)
        newest = entries[-1:]
        if newest and newest[0]["gap"]:
            detail = "%s needs log from %s to %s, which the archive does not have." % (
                newest[0]["id"],
                newest[0]["log"][0],
                newest[0]["log"][1],
            )
        names = ("end", "bytes", "added_bytes", "complete", "errors", "tags", "program")
        return _driver.look(
            status,
            detail,
            tool=dict(tool, version=newest[0]["program"] if newest else None),
            repository=self._repository(stanza),
            writer="pgbackrest backup" if stanza["status"].get("lock", {}).get("backup", {}).get("held") else "",
            snapshots=[
                _driver.snapshot(entry["id"], entry["time"], **{name: entry[name] for name in names})
                for entry in entries[-_driver.SNAPSHOT_CAP :]
            ],
            snapshots_cut=len(entries) > _driver.SNAPSHOT_CAP,
            groups=[{"host": None, "paths": [], "latest": entry["time"], "count": len(entries)} for entry in newest],
        )

    def entries(self):
        stanza = self._info()[2]
        return self._entries(stanza) if stanza else []

    def pick(self, snapshot, take):
        entry = self.entry(snapshot)
        if entry is None:
            return _place.said(1, "%s is not there any more." % (snapshot or "Any backup"))
        take("/" + entry["id"], int(entry["bytes"] * _GROWTH) + _ROOM_BYTES, entry["time"])
        return _place.said(0)

    def check(self, method, part, parts, snapshot):
        status, detail, stanza = self._info()
        if stanza is None or status != "ok":
            return _driver.checked("damaged" if status == "damaged" else "error", [detail])
        found = [entry for entry in self._entries(stanza) if snapshot in (None, entry["id"])]
        if not found:
            return _driver.checked("error", ["%s is not there any more." % (snapshot or "Any backup")])
        entry = found[-1]
        if entry["gap"] or entry["errors"]:
            what = "log that it needs is missing in the archive" if entry["gap"] else "it was made with errors"
            return _driver.checked("damaged", ["%s: %s." % (entry["id"], what)], [entry["id"]])
        if method == "structure":
            return _driver.checked("ok", note="Only the list of backups and of log was read.")
        output = self._pgbackrest("verify", "--output=text", "--verbose")
        if output.status != "ok" or output.rc != 0:
            return _driver.checked("error", [output.err.strip() or "pgbackrest verify: %s" % output.status])
        lines = [line.strip() for line in output.lines() if line.strip()]
        wrong = [line for line in lines if re.search(r"status: (?!ok|valid)|(missing|invalid|other): [1-9]", line)]
        if wrong:
            broken = [match.group(1) for match in (re.search(r"backup: (\S+),", line) for line in wrong) if match]
            return _driver.checked("damaged", wrong, broken)
        if "status: ok" not in lines:
            return _driver.checked("error", ["pgbackrest verify does not say that all is well: %s" % " ".join(lines)])
        return _driver.checked("ok", read_bytes=sum(entry["stored"] for entry in self._entries(stanza)))

    def restore(self, snapshot, paths, target):
        entry = self.entry(snapshot)
        if entry is None:
            return _driver.restored("error", ["%s is not there any more." % (snapshot or "Any backup")])
        try:
            server = self.server(target)
            server.prepare()
            output = self._pgbackrest(
                "restore",
                "--archive-mode=off",
                "--type=immediate",
                "--target-action=promote",
                "--pg1-path=" + server.data,
                "--tablespace-map-all=" + os.path.join(server.folder, "tablespaces"),
                server=server,
                label=entry["id"],
            )
            if output.status == "timeout":
                raise _files.TimeUp
            if output.rc != 0:
                outcome = "damaged" if output.rc in _DAMAGED else "error"
                return _driver.restored(outcome, output.err.strip().splitlines() or [output.status])
        except (_streams.Unable, OSError) as exc:
            return _driver.restored("error", [exc])
        except _files.TimeUp:
            return _driver.restored("timeout", ["The time limit was reached."])
        try:
            with server.running():
                return _driver.restored("ok")
        except _streams.Unable as exc:
            # It came back and is no database: the log that makes it one is missing or broken.
            return _driver.restored("damaged", [exc])
        except _files.TimeUp:
            return _driver.restored("timeout", ["The time limit was reached."])

    def server(self, target):
        stanza = self._info()[2]
        versions = [database["version"] for database in (stanza or {}).get("db", [])]
        return Clone(self.tools, self.options, target, versions[-1] if versions else None)

    def home(self, server):
        found = [name for name in server.databases() if name != "postgres"]
        return found[0] if found else "postgres"

    def _info(self):
        """(status, sentence, stanza or None)."""
        if "stanza" not in self.options:
            raise AgentError("bad_request", "The dataset %s needs options.stanza." % self.dataset["id"])
        output = self._pgbackrest("info", "--output=json")
        if output.status != "ok":
            return output.status, output.err.strip(), None
        if output.rc != 0:
            words = " ".join(output.err.split()) or "pgbackrest info ended with %s" % output.rc
            known = (("no_repository", (55,)), ("bad_password", _KEY), ("denied", _DENIED))
            return next((status for status, codes in known if output.rc in codes), "error"), words, None
        try:
            (stanza,) = json.loads(output.out)
            code, message = stanza["status"]["code"], stanza["status"]["message"]
        except (ValueError, KeyError, TypeError):
            return "error", "pgbackrest info answers something else than one stanza.", None
        return _STATUS.get(code, "error"), "" if code == 0 else message, stanza

    @staticmethod
    def _entries(stanza):
        archives = {archive["database"]["id"]: archive for archive in stanza.get("archive") or []}
        found = []
        for backup in stanza.get("backup") or []:
            archive = archives.get(backup["database"]["id"]) or {}
            log = (backup["archive"]["start"], backup["archive"]["stop"])
            has = (archive.get("min"), archive.get("max"))
            gap = bool(log[0] and (not has[0] or log[0] < has[0] or log[1] > has[1]))
            errors = 1 if backup.get("error") else 0
            entry = {"id": backup["label"], "time": float(backup["timestamp"]["start"]), "gap": gap, "log": log}
            entry.update(end=float(backup["timestamp"]["stop"]), errors=errors, complete=not (errors or gap))
            entry.update(bytes=backup["info"]["size"], added_bytes=backup["info"]["delta"], tags=[backup["type"]])
            stored = backup["info"].get("repository") or {}
            entry.update(program=backup["backrest"]["version"], stored=stored.get("delta") or 0)
            found.append(entry)
        return sorted(found, key=lambda entry: entry["time"])

    def _repository(self, stanza):
        path = self.dataset["repository"]
        settings = {}
        if not os.path.isdir(path):
            text = self.machine.read(path) or ""
            settings = dict(re.findall(r"^\s*(repo1-(?:path|host|type))\s*=\s*(\S+)", text, re.MULTILINE))
            path = settings.get("repo1-path")
        if "repo1-host" in settings:
            location, path = "ssh", None
        elif settings.get("repo1-type", "posix") in ("s3", "azure", "gcs"):
            location, path = "object", None
        elif settings.get("repo1-type") == "sftp":
            location, path = "sftp", None
        else:
            _status, _detail, found = _place.look(self.machine, path or "/var/lib/pgbackrest", self.dataset["sources"])
            if found:
                return dict(found, encrypted=stanza.get("cipher") not in (None, "none"))
            location = "local"
        repository = {"id": None, "location": location, "path": path, "append_only": None, "object_lock": None}
        return dict(repository, encrypted=stanza.get("cipher") not in (None, "none"), free_bytes=None, keyfile=False)

    def _pgbackrest(self, verb, *words, **more):
        """Run a verb that reads; its locks, logs and queues go to folders of our own."""
        server = more.get("server")
        folder = server.folder if server else self.tools.scratch
        environment = {
            "PGBACKREST_STANZA": self.options["stanza"],
            "PGBACKREST_LOCK_PATH": os.path.join(folder, "lock"),
            "PGBACKREST_SPOOL_PATH": os.path.join(folder, "spool"),
            "PGBACKREST_LOG_PATH": folder,
            "PGBACKREST_LOG_LEVEL_FILE": "off",
            "PGBACKREST_LOG_LEVEL_CONSOLE": "error",
        }
        repository = self.dataset["repository"]
        environment["PGBACKREST_REPO1_PATH" if os.path.isdir(repository) else "PGBACKREST_CONFIG"] = repository
        if "label" in more:
            environment["PGBACKREST_SET"] = more["label"]
        argv = ["pgbackrest", verb] + list(words)
        if server is None:
            return self.tools.run(argv, env=environment)
        server.words = environment
        return server.run(argv)
