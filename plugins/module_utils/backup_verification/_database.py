# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: dumps of databases, restored into a server of their own and asked.

Options, besides those of _dated_files.py: ``database`` (its name: a dump that creates none is loaded into it, and the
declared queries are asked there; default: whichever the dump fills), ``user`` (who runs the throw-away server, default
nobody), ``bin`` (folder of the server's programs), ``canary`` ({"table", "column", "max_age_hours"}: a row that is
written at intervals must be in it).
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import contextlib
import os

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _dated_files,
    _driver,
    _files,
    _place,
    _server,
    _streams,
)

# A restored database against its dump as text: indexes, and the server's own tables and logs.
_GROWTH = 1.5
_SERVER_BYTES = 256 * 1024 * 1024
_EDGE_BYTES = 4096
_VALUE_CAP = 200


def database_proof(queries, errors, tables, rows, size):
    """DatabaseProof, a driver's answer to compare():

    {"queries": [{"sql", "rows": how many came back, "value": the first row as text, its columns parted by a tab,
    "ok", "text": what is wrong}], "errors": [texts: what the server says of its own data], "tables", "rows", "bytes":
    of all restored databases together, or None}
    """
    texts = [" ".join(str(text).split())[: _driver.TEXT_CAP] for text in errors]
    answer = {"queries": queries, "errors": texts[: _driver.ERROR_CAP]}
    return dict(answer, tables=tables, rows=rows, bytes=size)


def query_proof(query, output, rows):
    """One entry of DatabaseProof["queries"]: ``rows`` are the first lines that came back, and how many there were."""
    first, count = rows
    expect = query.get("expect")
    value = first[:_VALUE_CAP] if first is not None else None
    text = ""
    if output.status != "ok" or output.rc != 0:
        text = output.err.strip() or "it was not answered (%s)" % output.status
    elif not count:
        text = "no row came back"
    elif expect is not None and first.strip() != expect.strip():
        text = "it answers %s instead of %s" % (value, expect)
    text = " ".join(text.split())[: _driver.TEXT_CAP]
    return {"sql": query["sql"], "rows": count, "value": value, "ok": not text, "text": text}


class Database(_dated_files.DatedFiles):
    """Drivers of this kind say how a dump is read, which server it needs, and how it gets into it."""

    DATABASE = True

    @property
    def database(self):
        """The database that a dump is loaded into unless it creates its own."""
        return self.options.get("database") or "restored"

    def server(self, target):
        """The throw-away server. Raises Unable when its programs are not installed."""
        raise NotImplementedError

    def opened(self, target):
        """The same server once more, to be asked."""
        return self.server(target)

    def load(self, server, path):
        """Load a dump into a running server. Raises Damaged, Unable, TimeUp, OSError."""
        raise NotImplementedError

    def ask(self, server, sql, take, database=None):
        """Give each row to ``take`` (text, columns parted by tabs) and return the Output."""
        raise NotImplementedError

    def inspect(self, server):
        """(errors, tables, rows, bytes): what the server finds in its own data."""
        raise NotImplementedError

    def home(self, server):
        """The database that declared queries are for."""
        raise NotImplementedError

    def canary_query(self, table, column):
        """SQL for the newest time in a column, in epoch seconds."""
        raise NotImplementedError

    def text_pipeline(self, path):
        """Shell words (for sh, the dump is $1) that print the dump as SQL."""
        kind = _streams.compression(path)
        return '%s -dc < "$1"' % _streams.PROGRAMS[kind] if kind else 'cat < "$1"'

    def pick(self, snapshot, take):
        """One entry for the dump as a whole; its size is what restoring it takes on disk."""
        entry = self.entry(snapshot)
        if entry is None:
            return _place.said(1, "%s is not there any more." % (snapshot or "Any dump"))
        try:
            script = "set -o pipefail; %s | wc -c" % self.text_pipeline(entry["path"])
        except OSError as exc:
            return _place.said(1, _files.why(exc))
        output = self.tools.run(["bash", "-c", script, "bash", entry["path"]])
        if output.status == "ok" and output.rc == 0:
            size = int(int(output.out) * _GROWTH) + entry["bytes"] + _SERVER_BYTES
            take("/" + entry["id"], size, entry["end"])
        return output

    def restore(self, snapshot, paths, target):
        entry = self.entry(snapshot)
        if entry is None:
            return _driver.restored("error", ["%s is not there any more." % (snapshot or "Any dump")])
        try:
            # A server takes the half of a dump without a word.
            with contextlib.suppress(_streams.Unprovable):
                self.contents(entry["path"], "structure")
            server = self.server(target)
            server.prepare()
            with server.running():
                self.load(server, entry["path"])
        except (_streams.Damaged, _files.Unreadable) as exc:
            return self.damaged(entry, exc)
        except _streams.Unable as exc:
            return _driver.restored("error", [exc])
        except _files.TimeUp:
            return _driver.restored("timeout", ["The time limit was reached."])
        except OSError as exc:
            return _driver.restored(_files.blame(exc), [_files.why(exc)])
        return _driver.restored("ok")

    def compare(self, snapshot, target):
        try:
            server = self.opened(target)
            with server.running():
                errors, tables, rows, size = self.inspect(server)
                queries = [self._asked(server, query) for query in self.dataset["queries"]]
                if self.options.get("canary"):
                    queries.append(self._canary(server, snapshot))
        except (_streams.Unable, OSError) as exc:
            return database_proof([], [exc], None, None, None)
        if not tables:
            errors = list(errors) + ["There is no table in it."]
        return database_proof(queries, errors, tables, rows, size)

    def clean(self, target):
        _server.end_server(target)

    def rows(self, server, sql, database=None):
        """All rows of a short answer, as lists of text. Raises Unable when the server does not answer."""
        found = []
        output = self.ask(server, sql, lambda line: found.append(line.split("\t")), database)
        if output.status != "ok" or output.rc != 0:
            raise _streams.Unable("The restored server does not answer: %s" % (output.err.strip() or output.status))
        return found

    def _asked(self, server, query):
        first, count = [], [0]

        def take(line):
            count[0] += 1
            if not first:
                first.append(line)

        output = self.ask(server, query["sql"], take, self.options.get("database") or self.home(server))
        return query_proof(query, output, (first[0] if first else None, count[0]))

    def _canary(self, server, snapshot):
        """The row that is written at intervals: how old was it when the dump began?"""
        canary = self.options["canary"]
        proof = self._asked(server, {"sql": self.canary_query(canary["table"], canary["column"])})
        entry = self.entry(snapshot)
        if proof["ok"] and entry is not None:
            limit = float(canary.get("max_age_hours", 192))
            try:
                age = (entry["time"] - float(proof["value"])) / 3600.0
            except ValueError:
                return dict(proof, ok=False, text="the canary table holds no time")
            if age > limit:
                text = "the newest row was %.1f hours old when the dump began; %.1f are allowed" % (age, limit)
                return dict(proof, ok=False, text=text)
        return proof

    def edges(self, path, whole):
        """(begin, end) of a dump as SQL text; ``whole`` reads what is between them, too. Raises as _streams.read."""
        found = {}

        def consume(stream):
            found["begin"] = stream.read(_EDGE_BYTES)
            found["end"] = found["begin"]
            if not whole and not _streams.compression(path):
                stream.seek(max(0, os.path.getsize(path) - _EDGE_BYTES))
            for chunk in _files.chunks(stream, self.tools.left):
                found["end"] = (found["end"] + chunk)[-_EDGE_BYTES:]

        _streams.read(self.tools, path, consume)
        return found["begin"].decode("utf-8", "replace"), found["end"].decode("utf-8", "replace")


def told(output, program, unable):
    """Raise what a failed load means, by its words. ``unable`` matches what this host lacks, not the dump.

    Only the lines that name errors are kept: the lines around them quote data.
    """
    if output.status == "timeout":
        raise _files.TimeUp
    if output.status == "absent":
        raise _streams.Unable("%s is not installed here." % program)
    if output.status == "ok" and output.rc == 0:
        return
    lines = [line.strip() for line in output.err.splitlines()]
    errors = [line for line in lines if "ERROR" in line or "error:" in line or "FATAL" in line] or lines[-3:]
    lacking = [line for line in errors if unable.search(line)]
    if lacking:
        raise _streams.Unable("This host lacks what the dump needs, which says nothing of it: %s" % lacking[0])
    raise _streams.Damaged("\n".join(errors[: _driver.ERROR_CAP]) or "%s ended with %s" % (program, output.rc))
