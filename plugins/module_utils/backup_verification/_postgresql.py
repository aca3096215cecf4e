# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a PostgreSQL server that is thrown away.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import re
import signal

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _server
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._streams import Unable

# No role of a dump is called so: a dump of a whole cluster creates postgres itself.
ROLE = "keepwell_verifier"
PROGRAMS = ("postgres", "initdb", "psql", "pg_restore", "pg_amcheck")
# Debian and RHEL (PGDG) keep each version by itself and out of the search path.
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/lib/postgresql*/bin")
# Nothing that would reach out, run by itself, archive, or load code because a dump says so.
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_preload_libraries": "",
    "session_preload_libraries": "",
    "local_preload_libraries": "",
    "archive_mode": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "autovacuum": "off",
    "ssl": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    # In the data directory: a killed server leaves nothing in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
}
_ASK = "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c JOIN pg_namespace n"
_TABLES = (
    _ASK + " ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relpersistence <> 't'"
    " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1"
)
_DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template1' ORDER BY 1"
_BATCH = 50


def programs(machine, folder=None, version=None):
    """Folder of the newest server's programs, of that version if one is asked for, or the one that an option names.

    Raises Unable.
    """
    if folder is None:
        found = [path for place in _PLACES for path in machine.glob(place + "/postgres")]
        found = [path for path in found if not version or re.search(r"[/-]%s/" % re.escape(version), path)]
        found.sort(key=lambda path: [int(number) for number in re.findall(r"\d+", path)])
        folder = os.path.dirname(found[-1] if found else "" if version else machine.which("postgres") or "")
    if not folder or not machine.which(os.path.join(folder, "postgres")):
        raise Unable(
            "No PostgreSQL server %sis installed here to restore into (package postgresql; see options.bin for one"
            " that lies elsewhere)." % ("of version %s " % version if version else "")
        )
    return folder


class Postgresql(_server.Server):
    """PostgreSQL by itself."""

    SOCKET = ".s.PGSQL.5432"
    STOP = signal.SIGINT

    role = ROLE

    def __init__(self, tools, options, target, version=None):
        super(Postgresql, self).__init__(tools, options, target)
        self._bin = programs(self.machine, options.get("bin"), version)

    def program(self, name):
        """Path of one of its programs."""
        return os.path.join(self._bin, name)

    def install(self):
        argv = [self.program("initdb"), "-D", self.data, "-U", ROLE, "--encoding=UTF8", "--locale=C", "--auth=trust"]
        self.made(self.run(argv + ["--no-sync"]), "initdb")

    def argv(self):
        settings = dict(_SETTINGS, unix_socket_directories=self.folder, **self.settings())
        words = [word for name in sorted(settings) for word in ("-c", "%s=%s" % (name, settings[name]))]
        return [self.program("postgres"), "-D", self.data] + words

    def settings(self):
        """More settings of this one."""
        return {}

    def is_ready(self):
        return self.run(self.client("postgres", "-c", "SELECT 1"), timeout=10).rc == 0

    def connection(self):
        """Options of every client."""
        return ["-h", self.folder, "-U", self.role]

    def client(self, database, *words):
        """A psql command."""
        options = ["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", database]
        return [self.program("psql")] + self.connection() + options + list(words)

    def databases(self):
        """Names of all databases with content of their own."""
        return self.run(self.client("postgres", "-c", _DATABASES)).lines()

    def counted(self, rows):
        """(tables, rows, bytes) of all databases together; every row is read. ``rows(sql, database)`` asks."""
        tables = total = size = 0
        for database in self.databases():
            names = [row[0] for row in rows(_TABLES, database)]
            tables += len(names)
            for begin in range(0, len(names), _BATCH):
                counts = ["SELECT count(*) FROM ONLY %s" % name for name in names[begin : begin + _BATCH]]
                total += sum(int(row[0]) for row in rows(" UNION ALL ".join(counts), database))
            size += int(rows("SELECT pg_database_size(current_database())", database)[0][0])
        return tables, total, size

    def amcheck(self):
        """What pg_amcheck finds wrong; an empty list also where it is not installed."""
        share = self.run(self.client("postgres", "-c", "SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'"))
        if not share.out.strip() or not self.machine.which(self.program("pg_amcheck")):
            return []
        argv = (
            [self.program("pg_amcheck")]
            + self.connection()
            + ["--all", "--install-missing", "--maintenance-db=postgres"]
        )
        output = self.run(argv)
        if output.status == "ok" and output.rc == 0:
            return []
        return (output.out + output.err).strip().splitlines() or ["pg_amcheck ended with %s" % output.rc]
