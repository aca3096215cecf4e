# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: one verifier of a repository at a time on this host.

The control node sees to it that two hosts do not read one at the same time. Nobody else takes this lock: it holds up
no backup. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import errno
import fcntl
import os
import re
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

FOLDER = "/run"
_KEY = re.compile(r"^[0-9a-f]{8,64}$")
_PAUSE_S = 0.5


class RepositoryLock(object):
    """The lock of one repository; its file says who has it."""

    def __init__(self, key):
        if not _KEY.match(str(key)):
            raise AgentError("bad_request", "%r is no key of a repository." % (key,))
        self._path = os.path.join(FOLDER, "keepwell-repository-" + key)
        self._descriptor = None

    def take(self, who, until):
        """Take it, waiting until that moment (time.monotonic). Raises AgentError (locked) when others keep it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            while not _locked(descriptor):
                if time.monotonic() > until:
                    other = os.read(descriptor, 200).decode("utf-8", "replace") or "somebody"
                    text = "The repository is being verified on this host already: %s. Try again when it has ended."
                    raise AgentError("locked", text % other)
                time.sleep(_PAUSE_S)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, ("%s (process %d)" % (who, os.getpid())).encode("utf-8"))
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self):
        """Give it back; the file stays, because removing it would let two have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _locked(descriptor):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        if exc.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True
