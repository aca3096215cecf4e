# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: run commands of the host with a plain environment, a limit and a cap (part of Machine).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import errno
import grp
import os
import selectors
import stat as stat_module
import subprocess
import threading
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._sources import (
    OUTPUT_CAP,
    Output,
    SourceLog,
    classify,
)

SEARCH_PATH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")
# No folder can be made below this home, not even by root: rpm on Debian would, for a database of its own.
COMMAND_ENVIRONMENT = {
    "LC_ALL": "C",
    "LANG": "C",
    "LANGUAGE": "C",
    "TZ": "UTC",
    "PATH": ":".join(SEARCH_PATH),
    "HOME": "/dev/null",
    "SYSTEMD_COLORS": "0",
    "SYSTEMD_PAGER": "",
    "PAGER": "cat",
}


def _others_can_change(path):
    """True when somebody without root's rights can put another program in its place.

    /usr/local belongs to a deploy user on many hosts; a probe must not make that user root.
    """
    path = os.path.realpath(path)
    for place in (path, os.path.dirname(path)):
        try:
            info = os.stat(place)
        except OSError:
            return True
        if info.st_uid != 0 or info.st_mode & stat_module.S_IWOTH:
            return True
        if info.st_mode & stat_module.S_IWGRP and info.st_gid != 0 and not _is_staff(info.st_gid):
            return True
    return False


def _is_staff(gid):
    """Debian gives /usr/local to the group staff, which it calls equal to root (staff is empty by default)."""
    try:
        staff = grp.getgrgid(gid)
    except KeyError:
        return False
    return staff.gr_name == "staff" and not staff.gr_mem


class Commands(SourceLog):
    """The methods of Machine that run programs."""

    def which(self, name):
        """Absolute path of a command on the system's own path, or None."""
        if name.startswith("/"):
            return name if os.access(name, os.X_OK) and not os.path.isdir(name) else None
        for folder in SEARCH_PATH:
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK) and not os.path.isdir(path):
                return path
        return None

    def run(self, argv, timeout=3.0, accepted=(0,), source=None, env=None, cap=OUTPUT_CAP, missing=None):
        """Run ``argv`` (a list; no shell) and return an Output; never raises for what the command does.

        ``accepted`` are the return codes that count as an answer (None: all). ``source`` names the entry in the
        probe's source list (default: the command's name). ``env`` adds to the fixed environment.
        Output is cut at ``cap`` bytes. ``missing`` is a compiled pattern of what the command says where there is
        nothing that it could ask (a module that is not loaded, a subcommand that is not there): that is ``absent``.
        """
        name = source or os.path.basename(argv[0])
        path = self.which(argv[0])
        if path is None:
            self.note(name, "absent", "%s is not installed" % argv[0])
            return Output("absent")
        if os.geteuid() == 0 and _others_can_change(path):
            self.note(name, "error", "not run as root: others than root can change %s" % path)
            return Output("error", err="others than root can change it")
        output = self._execute([path] + list(argv[1:]), min(timeout, self.remaining()), env, cap)
        if output.status == "ok":
            output.status = classify(output, accepted, self.privileged, missing)
        if output.truncated:
            self.truncated = True
        detail = ""
        if output.status == "timeout":
            detail = "no answer within %.1f s" % timeout
        elif output.status != "ok":
            last = [line for line in (output.err or output.out).splitlines() if line.strip()]
            detail = "return code %s%s" % (output.rc, ": " + last[-1].strip() if last else "")
        self.note(name, output.status, detail)
        return output

    def run_all(self, requests):
        """Run several commands side by side and return their Outputs in order.

        ``requests`` are dictionaries of the arguments of ``run``. For commands that do not depend on each other.
        """
        outputs = [None] * len(requests)

        def work(position):
            outputs[position] = self.run(**requests[position])

        threads = [threading.Thread(target=work, args=(position,)) for position in range(len(requests))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [output or Output("error", err="the command could not be run") for output in outputs]

    @staticmethod
    def _execute(argv, timeout, env, cap):
        environment = dict(COMMAND_ENVIRONMENT)
        environment.update(env or {})
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd="/",
                close_fds=True,
            )
        except OSError as exc:
            denied = exc.errno in (errno.EACCES, errno.EPERM)
            return Output("denied" if denied else "error", err=exc.strerror or "cannot start")
        chunks = {process.stdout: [], process.stderr: []}
        sizes = {process.stdout: 0, process.stderr: 0}
        end = time.monotonic() + timeout
        truncated = timed_out = False
        selector = selectors.DefaultSelector()
        for stream in chunks:
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map() and not truncated:
            left = end - time.monotonic()
            if left <= 0:
                timed_out = True
                break
            for key, _events in selector.select(left):
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fileobj)
                    continue
                room = cap - sizes[key.fileobj]
                chunks[key.fileobj].append(data[:room])
                sizes[key.fileobj] += len(data)
                if sizes[key.fileobj] > cap:
                    truncated = True
        selector.close()
        if not (timed_out or truncated):
            try:
                process.wait(max(0.05, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                timed_out = True
        if timed_out or truncated:
            process.kill()
        rc = None if timed_out else process.wait()
        texts = [b"".join(chunks[stream]).decode("utf-8", "replace") for stream in (process.stdout, process.stderr)]
        process.stdout.close()
        process.stderr.close()
        if timed_out:
            return Output("timeout", None, texts[0], texts[1], truncated)
        return Output("ok", 0 if truncated else rc, texts[0], texts[1], truncated)
