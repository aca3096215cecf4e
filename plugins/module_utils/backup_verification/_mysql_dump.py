# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: dumps of MariaDB and MySQL as SQL (mariadb-dump, mysqldump), compressed or not.

Options are those of _dated_files.py and _database.py.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _database,
    _mysql,
    _server,
    _streams,
)

_HEAD = re.compile(r"^-- (MySQL|MariaDB) dump ", re.MULTILINE)
_END = "-- Dump completed"
# What this host or its version of the server lacks, by the server's own numbers: storage engine, collation, character
# set, plugin, variable of another version; disk and memory.
_UNABLE = re.compile(r"ERROR (1286|1273|1115|1524|1193|1021|1037|1041|2002|2013)\b|No space left")
_SYSTEM = "('mysql', 'information_schema', 'performance_schema', 'sys')"
_TABLES = (
    "SELECT CONCAT('`', REPLACE(table_schema, '`', '``'), '`.`', REPLACE(table_name, '`', '``'), '`')"
    " FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT IN " + _SYSTEM
)
_BYTES = (
    "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables"
    " WHERE table_schema NOT IN " + _SYSTEM
)
_HOMES = (
    "SELECT table_schema FROM information_schema.tables WHERE table_schema NOT IN %s"
    " GROUP BY table_schema ORDER BY COUNT(*) DESC" % _SYSTEM
)
_BATCH = 50


class MysqlDump(_database.Database):
    """One dump is one snapshot; its id is the file's name."""

    NAME = "mysql_dump"
    ALLOWED = dict.fromkeys(_server.HELPERS + _mysql.SERVERS + _mysql.INSTALLERS + _mysql.CLIENTS, ("*",))
    PATTERNS = ("*.sql", "*.sql.*", "*.dump", "*.dump.*")

    def contents(self, path, method):
        begin, end = self.edges(path, whole=method != "structure")
        if not _HEAD.search(begin):
            raise _streams.Unprovable(
                "%s does not begin like a dump of MariaDB or MySQL (made with --compact or --skip-comments?); nothing"
                " says where it has to end." % path
            )
        lines = end.split("\n")
        # Without the end of the line it is not known to be whole either.
        if not any(line.startswith(_END) for line in lines[:-1][-3:]):
            raise _streams.Damaged("%s lacks its last line (%s): the dump was cut." % (path, _END))
        return "Its last line is there; SQL has nothing that could prove what is before it."

    def server(self, target):
        return _mysql.Mysql(self.tools, self.options, target)

    def opened(self, target):
        """Without its accounts."""
        return _mysql.Open(self.tools, self.options, target)

    def load(self, server, path):
        output = server.run(server.client(None, "-e", "CREATE DATABASE `%s`" % self.database.replace("`", "``")))
        _database.told(output, "mariadb", _UNABLE)
        # The shell opens the dump; whoever runs what is in it could not.
        client = server.as_user() + server.client(self.database)
        script = 'set -o pipefail; path=$1; shift; %s | "$@" >/dev/null' % self.text_pipeline(path).replace(
            "$1", "$path"
        )
        output = self.tools.run(["bash", "-c", script, "bash", path] + client, env=server.environment())
        _database.told(output, "mariadb", _UNABLE)

    def ask(self, server, sql, take, database=None):
        return server.lines(server.client(database, "-e", sql), take)

    def home(self, server):
        found = self.rows(server, _HOMES)
        return found[0][0] if found else None

    def inspect(self, server):
        names = [row[0] for row in self.rows(server, _TABLES)]
        errors, total = [], 0
        for begin in range(0, len(names), _BATCH):
            batch = names[begin : begin + _BATCH]
            for row in self.rows(server, "CHECK TABLE %s" % ", ".join(batch)):
                # Table, what was done, kind of message, message.
                if len(row) == 4 and row[2].lower() in ("error", "warning"):
                    errors.append("%s: %s" % (row[0], row[3]))
            counts = ["SELECT COUNT(*) FROM %s" % name for name in batch]
            total += sum(int(row[0]) for row in self.rows(server, " UNION ALL ".join(counts)))
        return errors, len(names), total, int(self.rows(server, _BYTES)[0][0])

    def canary_query(self, table, column):
        return "SELECT UNIX_TIMESTAMP(MAX(%s)) FROM %s" % (column, table)
