# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the only way a probe touches the host it runs on.

Everything a probe learns comes through one ``Machine``. That keeps probes free of I/O (the tests replay recorded
machines through the same methods) and gives every source the same limits: ``LC_ALL=C``, closed standard input,
absolute command paths, a time limit, an output cap, and a named status when it could not be read.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import errno
import fcntl
import glob as globbing
import os
import pwd
import re
import selectors
import socket
import ssl
import stat as stat_module
import struct
import subprocess
import threading
import time

OUTPUT_CAP = 256 * 1024
SEARCH_PATH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")
COMMAND_ENVIRONMENT = {
    "LC_ALL": "C",
    "LANG": "C",
    "LANGUAGE": "C",
    "TZ": "UTC",
    "PATH": ":".join(SEARCH_PATH),
    "HOME": "/nonexistent",
    "SYSTEMD_COLORS": "0",
    "SYSTEMD_PAGER": "",
    "PAGER": "cat",
}
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


def classify(rc, err, accepted, privileged):
    """Return the status of a command that ended by itself.

    Given its return code, its standard error, the accepted codes (None accepts all) and whether the probe runs as
    root, return ``ok``, ``denied`` or ``error``.
    """
    if accepted is None or rc in accepted:
        return "ok"
    if not privileged and _DENIED.search(err or ""):
        return "denied"
    return "error"


class Machine(SourceLog):
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

    # -- commands -----------------------------------------------------------------------------------------------
    def which(self, name):
        """Absolute path of a command on the system's own path, or None."""
        if name.startswith("/"):
            return name if os.access(name, os.X_OK) and not os.path.isdir(name) else None
        for folder in SEARCH_PATH:
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK) and not os.path.isdir(path):
                return path
        return None

    def run(self, argv, timeout=3.0, accepted=(0,), source=None, env=None):
        """Run ``argv`` (a list; no shell) and return an Output; never raises for what the command does.

        ``accepted`` are the return codes that count as an answer (None: all). ``source`` names the entry in the
        probe's source list (default: the command's name). ``env`` adds to the fixed environment.
        """
        name = source or os.path.basename(argv[0])
        path = self.which(argv[0])
        if path is None:
            self.note(name, "absent", "%s is not installed" % argv[0])
            return Output("absent")
        output = self._execute([path] + list(argv[1:]), min(timeout, self.remaining()), env)
        if output.status == "ok":
            output.status = classify(output.rc, output.err, accepted, self.privileged)
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
    def _execute(argv, timeout, env):
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
                room = OUTPUT_CAP - sizes[key.fileobj]
                chunks[key.fileobj].append(data[:room])
                sizes[key.fileobj] += len(data)
                if sizes[key.fileobj] > OUTPUT_CAP:
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

    # -- files --------------------------------------------------------------------------------------------------
    def read(self, path, limit=OUTPUT_CAP, source=None):
        """Text of a file, or None when it does not exist or may not be read (then noted under ``source`` or path)."""
        data = self.read_bytes(path, limit, source)
        return None if data is None else data.decode("utf-8", "replace")

    def read_bytes(self, path, limit=OUTPUT_CAP, source=None):
        """Like ``read``, but bytes. Only regular files, /proc and /sys are opened; a device or a pipe is not."""
        try:
            # O_NONBLOCK: opening a pipe that somebody planted in a readable folder must not hang the probe.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            self._note_os_error(exc, source or path)
            return None
        try:
            if not stat_module.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            chunks = []
            size = 0
            while size < limit:
                data = os.read(descriptor, min(65536, limit - size))
                if not data:
                    break
                chunks.append(data)
                size += len(data)
            return b"".join(chunks)
        except OSError as exc:
            self._note_os_error(exc, source or path)
            return None
        finally:
            os.close(descriptor)

    def tail(self, path, size=16384, source=None):
        """The last ``size`` bytes of a file as text, or None as in ``read``."""
        try:
            with open(path, "rb") as stream:
                stream.seek(0, os.SEEK_END)
                stream.seek(max(0, stream.tell() - size))
                return stream.read(size).decode("utf-8", "replace")
        except OSError as exc:
            self._note_os_error(exc, source or path)
            return None

    def _note_os_error(self, exc, source):
        if exc.errno in (errno.EACCES, errno.EPERM):
            self.note(source, "denied", "may not be read by this user")
        elif exc.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ESRCH, errno.ENXIO, errno.ELOOP, errno.EINVAL):
            self.note(source, "error", exc.strerror or "cannot be read")

    def listdir(self, path, source=None):
        """Sorted names in a folder; empty when it does not exist or may not be read (then noted)."""
        try:
            return sorted(os.listdir(path))
        except OSError as exc:
            self._note_os_error(exc, source or path)
            return []

    def glob(self, pattern):
        """Sorted paths that match a shell pattern."""
        return sorted(globbing.glob(pattern))

    def exists(self, path):
        """True when the path exists and this user may see it."""
        return os.path.exists(path)

    def readlink(self, path):
        """Target of a symbolic link, or None."""
        try:
            return os.readlink(path)
        except OSError:
            return None

    def stat(self, path):
        """Mapping of mode, size, mtime, ctime, uid, gid, nlink, dev, ino, blocks (512 bytes) and kind; or None.

        Follows links. ``kind`` is one of ``file dir block char fifo socket other``.
        """
        try:
            info = os.stat(path)
        except OSError:
            return None
        kinds = (
            (stat_module.S_ISREG, "file"),
            (stat_module.S_ISDIR, "dir"),
            (stat_module.S_ISBLK, "block"),
            (stat_module.S_ISCHR, "char"),
            (stat_module.S_ISFIFO, "fifo"),
            (stat_module.S_ISSOCK, "socket"),
        )
        kind = next((word for test, word in kinds if test(info.st_mode)), "other")
        return {
            "mode": stat_module.S_IMODE(info.st_mode),
            "kind": kind,
            "size": info.st_size,
            "mtime": info.st_mtime,
            "ctime": info.st_ctime,
            "uid": info.st_uid,
            "gid": info.st_gid,
            "nlink": info.st_nlink,
            "dev": info.st_dev,
            "ino": info.st_ino,
            "blocks": info.st_blocks,
        }

    def statvfs(self, path):
        """Mapping of bsize, frsize, blocks, bfree, bavail, files, ffree of a filesystem; or None.

        May hang on a dead network filesystem: callers isolate that in ``in_child``.
        """
        try:
            info = os.statvfs(path)
        except OSError as exc:
            self._note_os_error(exc, "statvfs " + path)
            return None
        names = ("bsize", "frsize", "blocks", "bfree", "bavail", "files", "ffree")
        return dict((name, getattr(info, "f_" + name)) for name in names)

    def lock_holder(self, path):
        """Who holds a POSIX (fcntl) lock on a file: {"state": free|held|absent|denied|error, "pid": number or None}.

        Only asks (F_GETLK): a lock file that merely exists is free. The pid is None when the holder lives in another
        pid namespace.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            self._note_os_error(exc, path)
            if exc.errno in (errno.ENOENT, errno.ENOTDIR):
                return {"state": "absent", "pid": None}
            return {"state": "denied" if exc.errno in (errno.EACCES, errno.EPERM) else "error", "pid": None}
        try:
            # struct flock: l_type, l_whence, l_start, l_len, l_pid
            answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
            kind, _whence, _start, _length, pid = struct.unpack("hhqqi4x", answer)
        except OSError as exc:
            self._note_os_error(exc, path)
            return {"state": "error", "pid": None}
        finally:
            os.close(descriptor)
        if kind == fcntl.F_UNLCK:
            return {"state": "free", "pid": None}
        return {"state": "held", "pid": pid if pid > 0 else None}

    def user_name(self, uid):
        """Name of a user id on this host, or the number as text."""
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return str(uid)

    # -- network and sockets ------------------------------------------------------------------------------------
    def tcp_connect(self, address, port, timeout=1.0):
        """Open and close one TCP connection: {"status": ok|refused|timeout|error, "ms": float, "detail": text}."""
        start = time.monotonic()
        try:
            connection = socket.create_connection((address, port), min(timeout, self.remaining()))
            connection.close()
            status, detail = "ok", ""
        except socket.timeout:
            status, detail = "timeout", "no answer within %.1f s" % timeout
        except ConnectionRefusedError:
            status, detail = "refused", "connection refused"
        except OSError as exc:
            status, detail = "error", exc.strerror or str(exc)
        return {"status": status, "ms": round((time.monotonic() - start) * 1000, 1), "detail": detail}

    def udp_exchange(self, address, port, payload, timeout=1.0):
        """Send one datagram (bytes) and return (reply bytes or None, milliseconds)."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        start = time.monotonic()
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as channel:
                channel.settimeout(min(timeout, self.remaining()))
                channel.connect((address, port))
                channel.send(payload)
                reply = channel.recv(4096)
        except OSError:
            reply = None
        return reply, round((time.monotonic() - start) * 1000, 1)

    def unix_exchange(self, path, payload, timeout=2.0, limit=65536):
        """Send bytes to a local stream socket and return what comes back until it closes, or None (then noted)."""
        return self._exchange(socket.AF_UNIX, path, path, payload, timeout, limit)

    def tcp_exchange(self, address, port, payload, timeout=2.0, limit=65536):
        """Like ``unix_exchange`` over TCP; noted under ``address:port``."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return self._exchange(family, (address, port), "%s:%d" % (address, port), payload, timeout, limit)

    def _exchange(self, family, target, source, payload, timeout, limit):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as channel:
                channel.settimeout(min(timeout, self.remaining()))
                channel.connect(target)
                channel.sendall(payload)
                data = b""
                while len(data) < limit:
                    part = channel.recv(8192)
                    if not part:
                        break
                    data += part
                return data
        except socket.timeout:
            self.note(source, "timeout", "the socket did not answer")
        except OSError as exc:
            self._note_os_error(exc, source)
        return None

    def tls_peer(self, address, port, server_name=None, starttls=None, timeout=2.0):
        """The certificate a server shows, unverified on purpose: an expired one must be seen, too.

        ``starttls`` is None, ``smtp``, ``imap`` or ``pop3``. Returns {"status": ok|refused|timeout|error,
        "detail": text, "protocol": text, "der": bytes or None}.
        """
        end = time.monotonic() + min(timeout, self.remaining())
        result = {"status": "error", "detail": "", "protocol": "", "der": None}
        try:
            channel = socket.create_connection((address, port), max(0.05, end - time.monotonic()))
            with channel:
                if starttls:
                    _say_starttls(channel, starttls, end)
                channel.settimeout(max(0.05, end - time.monotonic()))
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                with context.wrap_socket(channel, server_hostname=server_name) as secure:
                    result["der"] = secure.getpeercert(True)
                    result["protocol"] = secure.version() or ""
                    result["status"] = "ok"
        except socket.timeout:
            result["status"], result["detail"] = "timeout", "no answer within %.1f s" % timeout
        except ConnectionRefusedError:
            result["status"], result["detail"] = "refused", "connection refused"
        except (OSError, ValueError) as exc:
            result["detail"] = (getattr(exc, "reason", None) or getattr(exc, "strerror", None) or str(exc))[:200]
        return result

    # -- isolation ----------------------------------------------------------------------------------------------
    def in_child(self, function, timeout):
        """Run ``function()`` in a child of its own and return (status, value).

        For calls that can hang in the kernel (statvfs on a dead mount): the child is killed after ``timeout``
        seconds and left behind if even that does not end it. The value must survive ``repr``/``literal_eval``.
        """
        import ast

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


def _say_starttls(channel, protocol, end):
    """Ask a mail server to switch to TLS; raises OSError when it will not."""
    words = {
        "smtp": (b"EHLO keepwell.invalid\r\n", b"STARTTLS\r\n", b"220"),
        "imap": (None, b"a1 STARTTLS\r\n", b"a1 OK"),
        "pop3": (None, b"STLS\r\n", b"+OK"),
    }
    greet, ask, agreed = words[protocol]

    def receive():
        channel.settimeout(max(0.05, end - time.monotonic()))
        return channel.recv(4096)

    receive()
    if greet:
        channel.sendall(greet)
        receive()
    channel.sendall(ask)
    if agreed not in receive():
        raise OSError("the server does not offer STARTTLS")
