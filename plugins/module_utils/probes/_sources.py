# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how well each source of a probe could be read, and what a command left behind.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

OUTPUT_CAP = 256 * 1024
# For lists whose length the host decides: packages, units, interfaces.
LIST_CAP = 4 * 1024 * 1024
# How a source could be read, from best to worst; a probe keeps the worst status it met per source.
STATUSES = ("ok", "absent", "denied", "error", "timeout")
_DENIED = re.compile(
    r"permission denied|operation not permitted|must be (?:run as )?root|are you root|requires? root"
    r"|not authorized|access denied|authentication is required|need to be root|superuser|insufficient permissions",
    re.IGNORECASE,
)


class Unreadable(Exception):
    """A probe cannot deliver anything at all; ``status`` says why (``absent``, ``denied``, ``error``)."""

    def __init__(self, status, detail):
        super(Unreadable, self).__init__(detail)
        self.status = status
        self.detail = detail


class Output(object):
    """What a command left behind.

    ``status`` is one of ``ok absent denied error timeout``; ``rc`` is None unless the command ended by itself;
    ``out`` and ``err`` are text (undecodable bytes become U+FFFD); ``truncated`` says that the cap was hit.
    """

    __slots__ = ("err", "out", "rc", "status", "truncated")

    def __init__(self, status, rc=None, out="", err="", truncated=False):
        self.status = status
        self.rc = rc
        self.out = out
        self.err = err
        self.truncated = truncated

    @property
    def ok(self):
        """True when the command ended with an accepted return code."""
        return self.status == "ok"

    def lines(self):
        """Standard output as a list of lines without line ends."""
        return self.out.splitlines()


class SourceLog(object):
    """Remembers for every named source how well it could be read."""

    def __init__(self):
        self.sources = {}
        self.truncated = False

    def note(self, source, status, detail=""):
        """Record ``status`` (see STATUSES) for ``source``; the worst status of a source wins."""
        known = self.sources.get(source)
        if known is not None and STATUSES.index(known["status"]) >= STATUSES.index(status):
            return
        entry = {"status": status}
        if detail:
            entry["detail"] = detail[:300]
        self.sources[source] = entry

    def replaced(self, source):
        """Another source told the same as a whole: that this one could not be read costs nothing."""
        if source in self.sources:
            self.sources[source]["status"] = "absent"

    def parsed_file(self, path, parse):
        """What ``parse`` makes of a file; None when there is none or it cannot be understood (then noted)."""
        text = self.read(path)
        return None if text is None else self._parsed(path, parse, text)

    def parsed_output(self, source, output, parse):
        """What ``parse`` makes of a command's output; None when it failed, was cut off or cannot be understood."""
        if not output.ok:
            return None
        if output.truncated:
            self.note(source, "error", "more output than the probe takes")
            return None
        return self._parsed(source, parse, output.out)

    def _parsed(self, source, parse, text):
        try:
            return parse(text)
        except (ValueError, KeyError, TypeError) as exc:
            self.note(source, "error", str(exc))
            return None


def classify(output, accepted, privileged, missing=None):
    """Return the status of a command that ended by itself: ``ok``, ``absent``, ``denied`` or ``error``.

    Given its Output, the accepted codes (None accepts all), whether the probe runs as root, and the pattern (or None)
    of what it says, with a return code other than 0, where there is nothing to ask.
    """
    if missing is not None and output.rc != 0 and missing.search(output.err + "\n" + output.out):
        return "absent"
    if accepted is None or output.rc in accepted:
        return "ok"
    if not privileged and _DENIED.search(output.err or ""):
        return "denied"
    return "error"
