# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: run probes side by side, each in a process of its own with its own limits.

A probe that hangs, crashes the interpreter or floods memory costs only itself: the parent kills its process group
and records ``timeout`` or ``error``. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json
import os
import platform
import selectors
import signal
import sys
import time
import traceback

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine, Unreadable

SCHEMA_VERSION = "1.0"
BUDGET_S = 45.0
# A probe's document; its commands are capped one by one in Machine.
DOCUMENT_CAP = 1024 * 1024


def observe(probes, parameters=None, budget_s=BUDGET_S):
    """Run ``probes`` and return the observation document (plain JSON values only).

    ``probes`` maps names to modules with ``TIME_LIMIT_S`` (seconds) and ``collect(machine, parameters)``.
    ``parameters`` maps probe names to the settings the plan gives them.
    """
    started = time.time()
    start = time.monotonic()
    running = {}
    selector = selectors.DefaultSelector()
    for name in sorted(probes):
        limit = min(float(probes[name].TIME_LIMIT_S), budget_s)
        child = _Child(name, probes[name], (parameters or {}).get(name) or {}, limit)
        running[name] = child
        selector.register(child.descriptor, selectors.EVENT_READ, child)
    records = {}
    while running:
        left = min(child.deadline for child in running.values()) - time.monotonic()
        for key, _events in selector.select(max(0.0, left)):
            if key.data.receive():
                selector.unregister(key.fd)
                records[key.data.name] = key.data.finish()
                del running[key.data.name]
        for child in [child for child in running.values() if child.deadline <= time.monotonic()]:
            selector.unregister(child.descriptor)
            records[child.name] = child.abandon()
            del running[child.name]
    selector.close()
    return {
        "schema_version": SCHEMA_VERSION,
        "collected_at": started,
        "duration_s": round(time.monotonic() - start, 3),
        "privileged": os.geteuid() == 0,
        "uid": os.geteuid(),
        "python": platform.python_version(),
        "probes": records,
    }


def run_probe(probe, machine, parameters):
    """Call one probe and return its record, whatever happens inside it."""
    start = time.monotonic()
    record = {"status": "ok", "collected_at": machine.now(), "data": {}}
    try:
        record["data"] = probe.collect(machine, parameters)
    except Unreadable as exc:
        record["status"] = exc.status
        record["detail"] = exc.detail
    except Exception:  # the last line of defence: a probe's bug is data, never a lost host
        record["status"] = "error"
        record["detail"] = traceback.format_exc().strip().splitlines()[-1][:300]
        record["trace"] = traceback.format_exc()[-2000:]
    record["duration_s"] = round(time.monotonic() - start, 3)
    record["sources"] = machine.sources
    record["truncated"] = machine.truncated
    return record


class _Child(object):
    """One probe in its own process group."""

    def __init__(self, name, probe, parameters, limit_s):
        self.name = name
        self.limit_s = limit_s
        self.started = time.time()
        self.deadline = time.monotonic() + limit_s
        self._data = []
        self.descriptor, write_end = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._work(probe, parameters, write_end)
        os.close(write_end)
        try:
            os.setpgid(self.pid, self.pid)  # both sides do it: neither may rely on the other having been first
        except OSError:
            pass

    def _work(self, probe, parameters, write_end):
        try:
            os.setpgid(0, 0)
            os.nice(5)
            os.close(self.descriptor)
            # What a probe leaves behind (a child stuck in the kernel) must not hold the connection's channels open.
            nowhere = os.open(os.devnull, os.O_RDWR)
            for channel in (0, 1, 2):
                os.dup2(nowhere, channel)
            # Half a second before the parent gives up, so that a probe can still say what it has.
            machine = Machine(time.monotonic() + max(0.1, self.limit_s - 0.5))
            record = run_probe(probe, machine, parameters)
            try:
                text = json.dumps(record, sort_keys=True, allow_nan=False)
            except (TypeError, ValueError) as exc:
                text = json.dumps({"status": "error", "detail": "what it found is no JSON: %s" % exc})
            if len(text) > DOCUMENT_CAP:
                text = json.dumps({"status": "error", "detail": "more than %d bytes of data" % DOCUMENT_CAP})
            with os.fdopen(write_end, "wb") as stream:
                stream.write(text.encode("utf-8") + b"\n")
        finally:
            os._exit(0)

    def receive(self):
        """Take what the child wrote; True at its end.

        The end is the line end: a child of the probe that cannot be killed may hold the pipe open beyond it.
        """
        data = os.read(self.descriptor, 262144)
        self._data.append(data)
        return not data or data.endswith(b"\n")

    def finish(self):
        """The record of a child that answered, or ended without an answer."""
        self._end()
        try:
            record = json.loads(b"".join(self._data).decode("utf-8"))
        except ValueError:
            record = {"status": "error", "detail": "the probe ended without an answer"}
        return self._complete(record)

    def abandon(self):
        """The record of a child that ran out of time."""
        self._end()
        return self._complete({"status": "timeout", "detail": "stopped after %.1f s" % self.limit_s})

    def _end(self):
        os.close(self.descriptor)
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except OSError:
            pass
        # A process in uninterruptible sleep cannot be reaped now; it must not hold the answer of the others.
        for _attempt in range(20):
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return
            time.sleep(0.005)

    def _complete(self, record):
        defaults = {
            "collected_at": self.started,
            "data": {},
            "duration_s": round(time.time() - self.started, 3),
            "sources": {},
            "truncated": False,
        }
        for key in defaults:
            record.setdefault(key, defaults[key])
        return record
