# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a database server for one test, thrown away afterwards.

It has its data, its socket and its log below the target of the restore, listens on no network, has no network where the
host allows that (nor have its clients: psql runs commands that a dump holds), and runs as a user who owns nothing: not
as root, whom a dump could make do anything, and not as the user of the real server, whose files a dump could then
reach. So every folder above the target has to let other users through (not: let them see what is in it), for as long as
the sandbox exists: Keepwell's own folders are shut again with it (see ``shut``).
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import contextlib
import os
import pwd
import signal
import stat
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _files
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._streams import Unable
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder

USER = "nobody"
PROGRAMS = ("postgres", "mariadbd", "mysqld")
# What a driver with a throw-away server runs besides its own programs.
HELPERS = ("setpriv", "unshare", "sh", "bash", "zstd", "gzip", "xz", "bzip2", "cat", "grep", "wc")
_SOCKET_CAP = 107
# In the sandbox that a target is part of.
_TAG = "CACHEDIR.TAG"
# Beside the target: which folders of Keepwell let others through, and how they were before.
_PASSABLE = "passable.json"
# Within this time a server that is being started is a process, or it has failed.
_FORK_S = 5.0
_STOP_S = 120.0
_QUIT_S = 10.0
_PAUSE_S = 0.1
_SAID_BYTES = 1000


class Server(object):
    """One server. Subclasses say how it is made (``install``), started (``argv``), asked (``is_ready``) and stopped."""

    SOCKET = ""
    STOP = signal.SIGTERM
    # Without a network, where the host allows that.
    ISOLATED = True
    START_S = 120.0

    def __init__(self, tools, options, target):
        self.tools = tools
        self.machine = tools.machine
        self.options = options
        self.target = target
        self.folder = os.path.join(target, "server")
        self.data = os.path.join(self.folder, "data")
        self.user = options.get("user", USER)
        self._isolated = None

    def install(self):
        """Make an empty data directory."""
        raise NotImplementedError

    def argv(self):
        """The command that is the server."""
        raise NotImplementedError

    def is_ready(self):
        """True when it answers."""
        raise NotImplementedError

    def prepare(self):
        """Make the server's folder and an empty server in it. Raises Unable."""
        if self.root:
            self._let_through()
        if len(os.path.join(self.folder, self.SOCKET)) > _SOCKET_CAP:
            raise Unable("%s is too long for the path of a socket; choose a shorter folder." % self.folder)
        os.mkdir(self.folder, 0o700)
        self.give(self.folder)
        self.install()

    @property
    def root(self):
        """True when there is another user to change to."""
        return os.geteuid() == 0

    def give(self, path):
        """Make the server's user the owner of a file, or of a link that he put in its place by then."""
        if self.root:
            account = self._account()
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)

    def as_user(self):
        """The words before a command that give it to the server's user, for good, and take the network from it."""
        if not self.root:
            return []
        if self._isolated is None:
            self._isolated = self.ISOLATED and self.tools.run(["unshare", "--net", "true"]).rc == 0
        account = self._account()
        identity = ["--reuid", str(account.pw_uid), "--regid", str(account.pw_gid), "--clear-groups"]
        alone = ["unshare", "--net"] if self._isolated else []
        return alone + ["setpriv"] + identity + ["--no-new-privs"]

    def run(self, argv, **more):
        """Run a program of the database as the server's user."""
        return self.tools.run(argv, env=self.environment(), before=self.as_user(), **more)

    def lines(self, argv, take):
        """The same, each line of what it prints (text) given to ``take``."""

        def line(data):
            take(data.decode("utf-8", "replace").rstrip("\n"))

        return self.tools.lines(argv, line, env=self.environment(), before=self.as_user())

    def made(self, output, program):
        """What making the data directory came to. Raises Unable, TimeUp."""
        if output.status == "timeout":
            raise _files.TimeUp
        if output.rc != 0:
            lines = (output.err + output.out).strip().splitlines()
            wrong = [line for line in lines if "ERROR" in line or "error" in line] or lines[-1:] or [output.status]
            raise Unable("%s: %s%s" % (program, wrong[0], self.hint()))

    def hint(self):
        """What else may be the reason when the server cannot be made."""
        return ""

    def environment(self):
        """What is different for the server's user, who cannot enter the scratch folder.

        What opens the backup is nothing for a server that runs what a dump says; and a client that finds a password
        would use it.
        """
        return dict(self.tools.without_secrets(), HOME=self.folder, TMPDIR=self.folder)

    @contextlib.contextmanager
    def running(self):
        """The server, up while the block lasts, and down afterwards whatever happens in it."""
        try:
            self._start()
            yield self
            self._stop()
        finally:
            end_server(self.target)

    def _start(self):
        # The log is root's, in a folder of root's: its user could make another file of one in its own folder.
        log = os.path.join(self.target, "server.log")
        argv = self.as_user() + self.argv()
        script = 'log=$1; shift; setsid "$@" </dev/null >>"$log" 2>&1 &'
        self.tools.run(["sh", "-c", script, "sh", log] + argv, env=self.environment())
        begun = time.monotonic()
        while not self.is_ready():
            waited = time.monotonic() - begun
            if self.tools.left() <= 0:
                raise _files.TimeUp
            if waited > self.START_S or (waited > _FORK_S and not processes(self.target)):
                said = self.machine.tail(log, _SAID_BYTES) or ""
                raise Unable("The throw-away server does not start: %s" % (" ".join(said.split()) or "it says nothing"))
            time.sleep(_PAUSE_S)

    def _stop(self):
        for process in processes(self.target):
            if process["main"]:
                _signal(process["pid"], self.STOP)
        if not _gone(self.target, _STOP_S):
            raise Unable("The throw-away server did not stop within %d seconds." % _STOP_S)

    def _account(self):
        try:
            account = pwd.getpwnam(self.user)
        except KeyError as exc:
            raise Unable("There is no user %s here to run a throw-away server; see options.user." % self.user) from exc
        if account.pw_uid == 0:
            raise Unable("A throw-away server does not run as root; see options.user.")
        return account

    def _let_through(self):
        """Let the server's user pass the target, the sandbox around it, and Keepwell's own folders; others are not
        ours to change. Raises Unable."""
        place = os.path.realpath(self.target)
        ours = [place]
        sandbox = os.path.dirname(place)
        if os.path.lexists(os.path.join(sandbox, _TAG)):
            ours.append(sandbox)
        while place != "/":
            mode = stat.S_IMODE(os.stat(place).st_mode)
            if not mode & stat.S_IXOTH:
                kept = (place + "/").startswith(_folder.ROOT + "/")
                if kept and place not in ours:
                    # Written down first: whoever comes after a crash shuts it, too.
                    _folder.dump(sandbox, _PASSABLE, (_folder.load(sandbox, _PASSABLE) or []) + [[place, mode]])
                if kept or place in ours:
                    os.chmod(place, mode | stat.S_IXOTH)
                    continue
                raise Unable(
                    "%s lets no other user pass, so a throw-away server cannot run below it (never as root). "
                    "Choose another folder for restores, or chmod o+x that one." % place
                )
            place = os.path.dirname(place)


def processes(folder):
    """Database servers that work in a data directory below ``folder``: [{"pid", "name", "main"}]."""
    found = {}
    prefix = os.path.realpath(folder) + "/"
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            program = os.path.basename(os.readlink("/proc/%s/exe" % name)).split(" ")[0]
            place = os.readlink("/proc/%s/cwd" % name)
            with open("/proc/%s/stat" % name) as stream:
                parent = int(stream.read().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        if program in PROGRAMS and place.startswith(prefix):
            found[int(name)] = {"pid": int(name), "name": program, "parent": parent}
    return [dict(process, main=process["parent"] not in found) for _pid, process in sorted(found.items())]


def end_server(folder):
    """End every throw-away server below ``folder``, also one that an earlier, killed test left behind.

    Returns the number of processes that were there. Raises Unable when one does not end.
    """
    there = processes(folder)
    for process in there:
        # PostgreSQL gives its shared memory back on SIGQUIT; the others keep nothing outside of their folder.
        if process["name"] != "postgres":
            _signal(process["pid"], signal.SIGKILL)
        elif process["main"]:
            _signal(process["pid"], signal.SIGQUIT)
    if there and not _gone(folder, _QUIT_S):
        for process in processes(folder):
            _signal(process["pid"], signal.SIGKILL)
        if not _gone(folder, _QUIT_S):
            raise Unable("A throw-away server below %s does not end." % folder)
    return len(there)


def shut(folder):
    """Give Keepwell's folders above a target the modes that they had before its server; one changed since stays."""
    sandbox = os.path.dirname(os.path.realpath(folder))
    for place, mode in _folder.load(sandbox, _PASSABLE) or []:
        with contextlib.suppress(OSError):
            if stat.S_IMODE(os.lstat(place).st_mode) == mode | stat.S_IXOTH:
                os.chmod(place, mode)


def _gone(folder, patience):
    end = time.monotonic() + patience
    while processes(folder):
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE_S)
    return True


def _signal(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def stage(server, path, name):
    """A copy of a dump (file, or folder of files) that the server's user can read; return its path.

    That user is to see nothing else of the repository.
    """
    place = os.path.join(server.target, "dump")
    with contextlib.suppress(FileExistsError):
        os.mkdir(place, 0o711)
    if os.path.isdir(path):
        os.mkdir(os.path.join(place, name), 0o711)
    names = [[name, part] for part in sorted(os.listdir(path))] if os.path.isdir(path) else [[name]]
    for parts in names:
        with _files.reading(os.path.join(path, *parts[1:])) as stream:
            copy, _size = _files.write(place, parts, _files.pieces(stream, server.tools.left))
        server.give(copy)
    return os.path.join(place, name)
