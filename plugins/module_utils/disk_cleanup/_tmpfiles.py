# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what systemd-tmpfiles would clean, told beforehand (tmpfiles.d(5)).

systemd-tmpfiles has no dry run before version 256, so its rules are read here: which folder has an age, what is
excluded, by which times a file is old. Of that, Keepwell takes only what its own walk lets through: regular files and
folders that become empty. A line that cannot be understood protects what it names.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import ctypes
import fnmatch
import os
import re
import shlex
import stat

FOLDERS = ("/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d")
_GLOB_TYPES = frozenset("wexXrRzZtTaAhH")
_FOLDER_TYPES = frozenset("dDvqQC")
_UNITS = (
    (1e-6, ("us", "usec", "\u00b5s", "\u03bcs")),
    (1e-3, ("ms", "msec")),
    (1.0, ("", "s", "sec", "second", "seconds")),
    (60.0, ("m", "min", "minute", "minutes")),
    (3600.0, ("h", "hr", "hour", "hours")),
    (86400.0, ("d", "day", "days")),
    (604800.0, ("w", "week", "weeks")),
    (2629800.0, ("M", "month", "months")),
    (31557600.0, ("y", "year", "years")),
)
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z\u00b5\u03bc]*)")
_BY_DEFAULT = "abcmABM"
# Whatever the host's lines say: what is in quarantine can be put back for as long as a person may want to.
_NEVER_ENTERED = ("lost+found", ".keepwell-quarantine")


class Item(object):
    """One line: its type, its path, and - where it has one - the age beyond which things go."""

    def __init__(self, kind, path, age_s=None, by=_BY_DEFAULT, keep_first=False):
        self.kind = kind
        self.path = path
        self.age_s = age_s
        self.by = by
        self.keep_first = keep_first
        self.is_glob = kind in _GLOB_TYPES


def parse_age(text):
    """(seconds, which times count, first level stays) of an age field; (None, ...) without one. Raises ValueError."""
    by = _BY_DEFAULT
    keep_first = text.startswith("~")
    text = text[1:] if keep_first else text
    if text in ("", "-"):
        return None, by, False
    if ":" in text:
        by, text = text.split(":", 1)
        if not by or set(by) - set("aAbBcCmM"):
            raise ValueError("not a list of times: %r" % by)
    if text == "infinity":
        return None, by, keep_first
    seconds, at = 0.0, 0
    while at < len(text.rstrip()):
        match = _SPAN.match(text, at)
        factor = next((factor for factor, names in _UNITS if match and match.group(2) in names), None)
        if factor is None:
            raise ValueError("not a length of time: %r" % text)
        seconds += float(match.group(1)) * factor
        at = match.end()
    return seconds, by, keep_first


def parse(texts, specifiers):
    """Items of configuration files, [(name, text)] in their order; and what could not be read, one sentence each."""
    items = []
    problems = []
    for name, text in texts:
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                item = _parse_line(line, specifiers)
            except ValueError as exc:
                problems.append("%s:%d: %s" % (name, number, exc))
                item = _protecting(line)
            # The first line for a path counts; lines with patterns stand beside each other.
            if item and (item.is_glob or not any(known.path == item.path and not known.is_glob for known in items)):
                items.append(item)
    return _with_ages(items), problems


def _parse_line(line, specifiers):
    try:
        fields = shlex.split(line, posix=True)
    except ValueError:
        fields = line.split()
    if len(fields) < 2:
        raise ValueError("no path in %r" % line[:80])
    kind, marks = fields[0][:1], fields[0][1:]
    if set(marks) - set("!+-=~^$?"):
        raise ValueError("unknown type %r" % fields[0])
    if "!" in marks:
        return None
    path = _expand(fields[1], specifiers)
    if not path.startswith("/"):
        raise ValueError("no absolute path: %r" % fields[1])
    age_s, by, keep_first = parse_age(fields[5] if len(fields) > 5 else "-")
    return Item(kind, os.path.normpath(path), age_s, by, keep_first)


def _expand(path, specifiers):
    def known(match):
        value = "%" if match.group(1) == "%" else specifiers.get(match.group(1))
        if value is None:
            raise ValueError("unknown specifier in %r" % path)
        return value

    return re.sub("%(.)", known, path)


def _protecting(line):
    """An exclusion for the path of a line that cannot be understood, with a star for each specifier."""
    fields = line.split()
    if len(fields) < 2 or not fields[1].startswith("/"):
        return None
    return Item("x", re.sub("%.", "*", fields[1]))


def _with_ages(items):
    """``X`` protects a folder and not what is in it: that has the age of the nearest folder around it."""
    for item in items:
        if item.kind != "X" or item.age_s is not None:
            continue
        around = [
            other
            for other in items
            if other.kind in _FOLDER_TYPES and (item.path == other.path or item.path.startswith(other.path + "/"))
        ]
        nearest = max(around, key=lambda other: len(other.path)) if around else None
        if nearest is not None:
            item.age_s, item.by = nearest.age_s, nearest.by
    return items


def files(machine):
    """The configuration in force, [(name, text)]: of files with one name the first folder's counts."""
    chosen = {}
    for folder in FOLDERS:
        for name in machine.listdir(folder):
            if name.endswith(".conf") and name not in chosen:
                chosen[name] = folder + "/" + name
    # A link to /dev/null, which is no file, switches a file off.
    return [(name, machine.read(path) or "") for name, path in sorted(chosen.items())]


def specifiers(machine):
    """What the specifiers stand for that paths of temporary files use."""

    def first_line(path):
        return (machine.read(path) or "").strip().split("\n")[0]

    return {
        "b": first_line("/proc/sys/kernel/random/boot_id").replace("-", ""),
        "m": first_line("/etc/machine-id"),
        "H": first_line("/proc/sys/kernel/hostname"),
        "v": first_line("/proc/sys/kernel/osrelease"),
        "T": "/tmp",  # noqa: S108
        "V": "/var/tmp",  # noqa: S108
        "S": "/var/lib",
        "C": "/var/cache",
        "L": "/var/log",
        "t": "/run",
        "h": "/root",
        "u": "root",
        "U": "0",
        "g": "root",
        "G": "0",
    }


class Selector(object):
    """What of one folder with an age goes (see ``_engine.Walk``)."""

    locks = True

    def __init__(self, item, items, now, birth=None):
        self._item = item
        self._cutoff = now - item.age_s
        self._fixed = frozenset(other.path for other in items if not other.is_glob)
        self._globs = [_pattern(other.path) for other in items if other.is_glob]
        self._birth = birth or birth_time

    def judge(self, path, name, info):
        """Why a file stays; "" when it may go; None when it is none of our business."""
        if self._excluded(path):
            return "excluded"
        if not stat.S_ISREG(info.st_mode):
            return "symlink" if stat.S_ISLNK(info.st_mode) else "not_regular"
        if info.st_mode & stat.S_ISVTX:
            return "sticky"
        if self._keeps_first(path):
            return "excluded"
        return "" if self._old(path, info, [letter for letter in self._item.by if letter.islower()]) else "age"

    def choose(self, path, files, account):
        """All of them."""
        return files

    def enters(self, path, name, depth):
        """True for a folder that has no line of its own."""
        return name not in _NEVER_ENTERED and not self._excluded(path)

    def removes(self, path, name, info):
        """True when the folder itself is old and may go once it is empty."""
        if self._keeps_first(path):
            return False
        return self._old(path, info, [letter.lower() for letter in self._item.by if letter.isupper()])

    def _excluded(self, path):
        return path in self._fixed or any(pattern(path) for pattern in self._globs)

    def _keeps_first(self, path):
        return self._item.keep_first and os.path.dirname(path) == self._item.path

    def _old(self, path, info, by):
        times = {"a": info.st_atime, "c": info.st_ctime, "m": info.st_mtime}
        for letter in by:
            when = self._birth(path) if letter == "b" else times[letter]
            if when is not None and when >= self._cutoff:
                return False
        return True


def _pattern(path):
    """A function that matches a path as fnmatch(3) does with FNM_PATHNAME and FNM_PERIOD."""
    parts = [re.compile(fnmatch.translate(part)) for part in path.split("/")]
    plain = [part.startswith((".", "[")) for part in path.split("/")]

    def matches(candidate):
        names = candidate.split("/")
        if len(names) != len(parts):
            return False
        for at, name in enumerate(names):
            if name.startswith(".") and not plain[at]:
                return False
            if not parts[at].match(name):
                return False
        return True

    return matches


def roots(items, glob, within):
    """[(folder, Item)] that have an age and lie in one of the folders ``within``, in the order of their paths."""
    found = {}
    for item in items:
        if item.age_s is None or item.kind not in "dDvqQCexX":
            continue
        places = glob(item.path) if item.is_glob else [item.path]
        for place in places:
            if any(place == base or place.startswith(base + "/") for base in within):
                found.setdefault(place, item)
    return sorted(found.items())


class _Statx(ctypes.Structure):
    """struct statx (statx(2)), as far as it is read."""

    _fields_ = (
        [("mask", ctypes.c_uint32), ("blksize", ctypes.c_uint32), ("attributes", ctypes.c_uint64)]
        + [(name, ctypes.c_uint32) for name in ("nlink", "uid", "gid")]
        + [("mode", ctypes.c_uint16), ("pad", ctypes.c_uint16)]
        + [(name, ctypes.c_uint64) for name in ("ino", "size", "blocks", "attributes_mask")]
        + [("atime_s", ctypes.c_int64), ("atime_n", ctypes.c_uint32), ("atime_p", ctypes.c_int32)]
        + [("btime_s", ctypes.c_int64), ("btime_n", ctypes.c_uint32), ("btime_p", ctypes.c_int32)]
        + [("rest", ctypes.c_uint8 * 256)]
    )


_NO_FOLLOW = 0x100
_BTIME = 0x800
_HERE = -100


def birth_time(path):
    """When a file was made, or None where that is not known; the name may be swapped, and then it is another's time.

    That is harmless: a file whose time of birth is wrong is judged by its other times as well.
    """
    try:
        call = ctypes.CDLL(None, use_errno=True).statx
    except (OSError, AttributeError):
        return None
    answer = _Statx()
    if call(_HERE, os.fsencode(path), _NO_FOLLOW, _BTIME, ctypes.byref(answer)) != 0 or not answer.mask & _BTIME:
        return None
    return answer.btime_s + answer.btime_n / 1e9
