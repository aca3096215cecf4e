# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the only way a probe touches the host it runs on.

Everything a probe learns comes through one ``Machine``. That keeps probes free of I/O (the tests replay recorded
machines through the same methods) and gives every source the same limits: ``LC_ALL=C``, closed standard input,
absolute command paths, a time limit, an output cap, and a named status when it could not be read.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import ast
import os
import selectors
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine_commands import Commands
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine_files import Files
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine_network import Network
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._sources import (
    LIST_CAP,
    OUTPUT_CAP,
    Output,
    SourceLog,
    Unreadable,
    classify,
)

__all__ = ["LIST_CAP", "OUTPUT_CAP", "Machine", "Output", "SourceLog", "Unreadable", "classify"]


class Machine(Commands, Files, Network):
    """The host the probe runs on."""

    def __init__(self, deadline=None):
        super(Machine, self).__init__()
        self._deadline = deadline
        self.privileged = os.geteuid() == 0

    # -- time ---------------------------------------------------------------------------------------------------
    def now(self):
        """Wall clock of the host, in seconds since 1970 UTC."""
        return time.time()

    def sleep(self, seconds):
        """Wait between two samples of a counter."""
        time.sleep(min(seconds, self.remaining()))

    def remaining(self):
        """Seconds left of the probe's own time limit."""
        if self._deadline is None:
            return 60.0
        return max(0.0, self._deadline - time.monotonic())

    # -- isolation ----------------------------------------------------------------------------------------------
    def in_child(self, function, timeout):
        """Run ``function()`` in a child of its own and return (status, value).

        For calls that can hang in the kernel (statvfs on a dead mount): the child is killed after ``timeout``
        seconds and left behind if even that does not end it. The value must survive ``repr``/``literal_eval``.
        """
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(read_end)
                os.write(write_end, repr(function()).encode("utf-8"))
                status = 0
            finally:
                os._exit(status)
        os.close(write_end)
        end = time.monotonic() + min(timeout, self.remaining())
        data = b""
        status = "ok"
        with selectors.DefaultSelector() as selector:
            selector.register(read_end, selectors.EVENT_READ)
            while True:
                left = end - time.monotonic()
                if left <= 0 or not selector.select(left):
                    status = "timeout"
                    break
                part = os.read(read_end, 65536)
                if not part:
                    break
                data += part
        os.close(read_end)
        if status == "timeout":
            os.kill(pid, 9)
            os.waitpid(pid, os.WNOHANG)
            return "timeout", None
        os.waitpid(pid, 0)
        if not data:
            return "error", None
        return "ok", ast.literal_eval(data.decode("utf-8"))
