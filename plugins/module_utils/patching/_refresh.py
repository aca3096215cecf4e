# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: bring the lists of packages up to date.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import shutil
import tempfile
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _commands, _folder
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _backends, _locks

_LOCK_WAIT_S = 60


def refresh(machine, manager, timeout_s):
    """Fetch all lists, once nobody else works on the packages: {"rc", "errors": [text]}."""
    name, backend = _backends.find(machine, manager)
    text = backend.refused(machine)
    if text:
        raise AgentError("not_supported", text)
    lock = _folder.Lock()
    other = lock.take("refreshing the lists")
    if other:
        raise AgentError("host_locked", "Keepwell is at work on this host already: %s." % other)
    scratch = tempfile.mkdtemp(prefix="keepwell-")
    try:
        blocked = _locks.wait(machine, name, min(_LOCK_WAIT_S, timeout_s))
        if blocked:
            raise AgentError("locked", blocked)
        return backend.refresh(
            _commands.Commands(machine, scratch, time.monotonic() + timeout_s, env=_backends.ENVIRONMENT)
        )
    finally:
        lock.release()
        shutil.rmtree(scratch, ignore_errors=True)
