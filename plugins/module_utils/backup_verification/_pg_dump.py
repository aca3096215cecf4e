# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: dumps of PostgreSQL: pg_dump -Fc, -Fd, -Ft and SQL, pg_dumpall, compressed or not.

Options, besides those of _dated_files.py and _database.py: ``skip_extensions`` (left out of an archive; default
pg_cron, which would work by itself). Roles that a dump names are made, so that it can name them.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import re

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _database,
    _files,
    _postgresql,
    _server,
    _streams,
    _tar,
)

_MAGIC = b"PGDMP"
_ENCODING = re.compile(r"^SET client_encoding = '([A-Za-z0-9_]+)';", re.MULTILINE)
_CLUSTER = "-- PostgreSQL database cluster dump"
_DUMP = "-- PostgreSQL database dump"
# What this host, its version of PostgreSQL, or the options lack.
_UNABLE = re.compile(
    "could not open extension control file|extension .* is not available|could not access file|No space left"
    "|must be loaded via|unsupported version|unrecognized configuration parameter|collation .* does not exist"
    "|tablespace .* does not exist|out of memory|invalid command .\\\\restrict"
)
_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)'
# Statements, in the form that pg_dump writes them in, that fail without the role they name.
_ROLES = (
    re.compile(r"^ALTER .* OWNER TO (%s);$" % _NAME),
    re.compile(r"^GRANT .* TO (%s)(?: WITH .*)?;$" % _NAME),
    re.compile(r"^REVOKE .* FROM (%s);$" % _NAME),
    re.compile(r"^ALTER DEFAULT PRIVILEGES FOR ROLE (%s) " % _NAME),
    re.compile(r"^ALTER DEFAULT PRIVILEGES .* (?:TO|FROM) (%s);$" % _NAME),
    re.compile(r"^CREATE POLICY .* TO (%s(?:, %s)*)(?: USING | WITH |;)" % (_NAME, _NAME)),
)
_CREATED = re.compile(r"^CREATE ROLE (%s);$" % _NAME)
_STATEMENTS = (
    "^(ALTER .* OWNER TO |GRANT |REVOKE |ALTER DEFAULT PRIVILEGES |CREATE POLICY |CREATE ROLE |CREATE DATABASE )"
)
_LINE_CAP = 65536
# Where psql begins with a dump that creates its databases itself.
_OWN = "keepwell_begin"
_BUILT_IN = ("public", "current_user", "session_user", _postgresql.ROLE)


def roles(lines):
    """Names (as SQL writes them) of the roles that statements need and that the dump does not create itself."""
    needed, created = set(), set()
    for line in lines:
        created.update(match.group(1) for match in [_CREATED.match(line)] if match)
        for pattern in _ROLES:
            match = pattern.match(line)
            if match:
                needed.update(re.findall(_NAME, match.group(1)))
    names = {name for name in needed - created if name.lower() not in _BUILT_IN and not name.startswith("pg_")}
    return sorted(names)


class PgDump(_database.Database):
    """One dump is one snapshot; its id is the name of its file or folder."""

    NAME = "pg_dump"
    ALLOWED = dict.fromkeys(_server.HELPERS + _postgresql.PROGRAMS, ("*",))
    PATTERNS = ("*.dump", "*.dump.*", "*.sql", "*.sql.*", "*.pgdump", "*.pg", "*.backup", "*.tar", "*.dir")
    FOLDERS = True

    def contents(self, path, method):
        if self._is_archive(path):
            return self._read_archive(path, method)
        begin, end = self.edges(path, whole=method != "structure")
        if _DUMP not in begin and _CLUSTER not in begin:
            raise _streams.Unprovable(
                "%s does not begin like a dump of PostgreSQL; nothing says where it has to end." % path
            )
        last = (_CLUSTER if _CLUSTER in begin else _DUMP) + " complete"
        if last not in end.splitlines():
            raise _streams.Damaged("%s lacks its last line (%s): the dump was cut." % (path, last))
        return "Its last line is there; SQL has nothing that could prove what is before it."

    def server(self, target):
        return _postgresql.Postgresql(self.tools, self.options, target)

    def load(self, server, path):
        if self._is_archive(path):
            path = _server.stage(server, path, "dump")
        encoding, own = self._prepared(server, path)
        name = _OWN if own else self.database
        words = "CREATE DATABASE %s ENCODING '%s' TEMPLATE template0" % (_quoted(name), encoding)
        output = server.run(server.client("postgres", "-c", words))
        _database.told(output, "psql", _UNABLE)
        if self._is_archive(path):
            _database.told(server.run(self._restoring(server, path, name)), "pg_restore", _UNABLE)
            return
        # The shell opens the dump; whoever runs what is in it could not.
        client = server.as_user() + server.client(name, "-o", "/dev/null", "-f", "-")
        script = 'set -o pipefail; path=$1; shift; %s | "$@"' % self.text_pipeline(path).replace("$1", "$path")
        output = self.tools.run(["bash", "-c", script, "bash", path] + client, env=server.environment())
        _database.told(output, "psql", _UNABLE)

    def ask(self, server, sql, take, database=None):
        return server.lines(server.client(database or "postgres", "-c", sql), take)

    def home(self, server):
        found = server.databases()
        return next((name for name in found if name not in ("postgres", _OWN)), "postgres")

    def inspect(self, server):
        tables, rows, size = server.counted(lambda sql, database: self.rows(server, sql, database))
        return server.amcheck(), tables, rows, size

    def canary_query(self, table, column):
        return "SELECT extract(epoch FROM max(%s)) FROM %s" % (column, table)

    def text_pipeline(self, path):
        if not self._is_archive(path):
            return super(PgDump, self).text_pipeline(path)
        return '%s -f - "$1"' % os.path.join(_postgresql.programs(self.machine, self.options.get("bin")), "pg_restore")

    def _is_archive(self, path):
        """True for what pg_restore reads."""
        if os.path.isdir(path):
            return True
        begin = _streams.head(path)
        return begin.startswith(_MAGIC) or begin.startswith(b"toc.dat\0")

    def _read_archive(self, path, method):
        program = os.path.join(_postgresql.programs(self.machine, self.options.get("bin")), "pg_restore")
        listed = self.tools.run([program, "-l", path])
        _database.told(listed, "pg_restore", _UNABLE)
        if not [line for line in listed.lines() if line and not line.startswith(";")]:
            raise _streams.Damaged("%s holds nothing." % path)
        if _is_tar(path):
            # pg_restore does not see where such a dump was cut.
            left = self.tools.left
            _streams.read(self.tools, path, lambda stream: _tar.read(stream, True, lambda *_member: None, left))
        if method == "structure":
            return "Only its list was read; that is there in a dump that was cut, too."
        _database.told(self.tools.run([program, "-f", "/dev/null", path]), "pg_restore", _UNABLE)
        return ""

    def _prepared(self, server, path):
        """Make the roles that a dump names; return (the encoding that it is in, True when it creates databases).

        Some things may be owned by a superuser only, and here nobody can log in as one of them.
        """
        found, begin = [], []

        def consume(stream):
            for line in iter(lambda: stream.readline(_LINE_CAP), b""):
                text = line.decode("utf-8", "surrogateescape").rstrip("\n")
                (begin if text.startswith("SET client_encoding") else found).append(text)

        schema = self.text_pipeline(path)
        if self._is_archive(path):
            schema = schema.replace(" -f -", " --schema-only -f -")
        # Whoever ends without a match says 1; what is wrong with the dump is told when it is loaded.
        script = '%s | grep -aE "%s|^SET client_encoding"' % (schema, _STATEMENTS)
        self.tools.pipe(["bash", "-c", script, "bash", path], consume)
        wanted = ["CREATE ROLE %s SUPERUSER NOLOGIN" % name for name in roles(found)]
        if wanted:
            _database.told(server.run(server.client("postgres", "-c", "; ".join(wanted))), "psql", _UNABLE)
        match = _ENCODING.match(begin[0]) if begin else None
        own = any(line.startswith("CREATE DATABASE ") for line in found)
        return match.group(1) if match else "UTF8", own

    def _restoring(self, server, path, name):
        listed = self.tools.run([server.program("pg_restore"), "-l", path])
        _database.told(listed, "pg_restore", _UNABLE)
        skip = self.options.get("skip_extensions", ["pg_cron"])
        unwanted = [re.compile(r" EXTENSION (- )?%s\b" % re.escape(name)) for name in skip]
        if "pg_cron" in skip:
            unwanted.append(re.compile(r" TABLE DATA cron "))
        kept = [line for line in listed.lines() if not any(pattern.search(line) for pattern in unwanted)]
        text = ("\n".join(kept) + "\n").encode("utf-8", "surrogateescape")
        contents, _size = _files.write(server.target, ["dump", "list"], [text])
        server.give(contents)
        options = ["--exit-on-error", "--no-owner", "--no-privileges", "--no-tablespaces", "--no-subscriptions"]
        if not _is_tar(path):
            options.append("-j2")
        return [server.program("pg_restore")] + server.connection() + options + ["-L", contents, "-d", name, path]


def _quoted(name):
    return '"%s"' % name.replace('"', '""')


def _is_tar(path):
    """True for the tar form, which pg_restore cannot read in parallel."""
    return os.path.isfile(path) and not _streams.head(path).startswith(_MAGIC)
