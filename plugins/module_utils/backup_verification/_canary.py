# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the canary: a small file that is written anew at intervals and must come back.

Each version has its number, its time, a random word and its own SHA-256. What was written when is kept beside it
(root alone) and told to the control node, which keeps it in evidence: a restored canary has to be the version that was
there when the snapshot began. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import errno
import hashlib
import json
import os
import stat

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _paths
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

PLACE = "/var/lib/keepwell/canary"
HISTORY_CAP = 60
MAX_AGE_HOURS = 192.0
_CAP = 4096
_FIELDS = ("keepwell_canary", "version", "written_at", "nonce")


def text_of(dataset, version, written_at, nonce):
    """A canary's content."""
    document = {"keepwell_canary": dataset, "version": version, "written_at": written_at, "nonce": nonce}
    return json.dumps(dict(document, sha256=_own_sum(document)), sort_keys=True) + "\n"


def _own_sum(document):
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode("utf-8")).hexdigest()


def read(data):
    """The canary that these bytes are: {keepwell_canary, version, written_at, nonce}; None when they are none."""
    try:
        document = json.loads(data.decode("utf-8"))
        own = dict((name, document[name]) for name in _FIELDS)
        whole = _own_sum(own) == document["sha256"] and isinstance(own["written_at"], (int, float))
    except (ValueError, KeyError, TypeError):
        return None
    return own if whole else None


def renew(dataset, path, every_hours, now):
    """Write the canary of a dataset anew when it is older than that, missing or damaged.

    Returns {"path", "written", "version", "written_at", "sha256", "history": [{version, written_at, sha256}]}. Nothing
    but a canary of this dataset is ever overwritten, and outside of our own place no folder is made. Raises AgentError.
    """
    folder, name = os.path.split(path)
    own = _paths.below(os.path.normpath(folder), PLACE)
    if not name or not path.startswith("/"):
        raise AgentError("bad_request", "The canary %r is no absolute path of a file." % path)
    descriptor, _real, missing = _paths.open_folder(folder, "The canary's folder", strict=own, create=own)
    try:
        if missing:
            raise AgentError(
                "no_folder", "The canary's folder %s does not exist. Make it, or use %s." % (folder, PLACE)
            )
        history = _history(descriptor, name)
        before = _present(descriptor, name, dataset, path, own)
        if before is not None and history and now - before["written_at"] < every_hours * 3600.0:
            return _answer(path, False, history)
        version = 1 + max([entry["version"] for entry in history] + [before["version"] if before else 0])
        text = text_of(dataset, version, now, os.urandom(16).hex())
        entry = {"version": version, "written_at": now, "sha256": hashlib.sha256(text.encode("utf-8")).hexdigest()}
        history = (history + [entry])[-HISTORY_CAP:]
        # First what is known of it: a version that nobody knows would be taken for a wrong one.
        _put(descriptor, _history_name(name), json.dumps(history, indent=1, sort_keys=True) + "\n", 0o600)
        _put(descriptor, name, text, 0o644)
        return _answer(path, True, history)
    finally:
        os.close(descriptor)


def _answer(path, written, history):
    return dict(history[-1], path=path, written=written, history=history)


def _history_name(name):
    return ".%s.history.json" % name


def local_history(path):
    """The history beside a canary on this host; empty when there is none."""
    folder, name = os.path.split(path)
    try:
        descriptor, _real, missing = _paths.open_folder(folder, "The canary's folder", strict=False)
    except (AgentError, OSError):
        return []
    try:
        return [] if missing else _history(descriptor, name)
    finally:
        os.close(descriptor)


def _history(folder, name):
    """What the history file says, when it is ours."""
    try:
        opened = os.open(_history_name(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ELOOP):
            return []
        raise
    with os.fdopen(opened, encoding="utf-8", errors="replace") as stream:
        info = os.fstat(opened)
        if not stat.S_ISREG(info.st_mode) or not _paths.closed(info):
            return []
        try:
            return [
                {"version": int(item["version"]), "written_at": float(item["written_at"]), "sha256": item["sha256"]}
                for item in json.load(stream)
            ]
        except (ValueError, KeyError, TypeError):
            return []


def _present(folder, name, dataset, path, own):
    """The canary that is there; None when there is none or it is damaged. Outside of our ``own`` place nothing else
    may be there: refused."""
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISREG(info.st_mode) and info.st_size <= _CAP:
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(opened, "rb") as stream:
            data = stream.read(_CAP)
        found = read(data)
        if found is not None and found["keepwell_canary"] == dataset:
            return found
        if found is None and (own or b'"keepwell_canary": "%s"' % dataset.encode("utf-8") in data):
            return None
    text = "%s exists and is no canary of the dataset %s; it is not overwritten. Choose another path."
    raise AgentError("not_ours", text % (path, dataset))


def _put(folder, name, text, mode):
    """Write a file whole or not at all."""
    scratch = ".%s.%s" % (name, os.urandom(6).hex())
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(scratch, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.rename(scratch, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except OSError:
        os.unlink(scratch, dir_fd=folder)
        raise


def proof(dataset, path, data, snapshot, history, max_age_hours):
    """What a restored canary proves: {"path", "outcome": proven|stale|wrong|missing, "written_at", "text"}. Pure.

    ``data`` are its bytes (None: it did not come back), ``snapshot`` has time and end, ``history`` what was written.
    """

    def judged(outcome, text, written_at=None):
        return {"path": path, "outcome": outcome, "written_at": written_at, "text": text}

    if data is None:
        return judged("missing", "The canary is not in the snapshot.")
    found = read(data)
    if found is None:
        return judged("wrong", "The canary came back damaged: its own checksum does not fit.")
    written_at = float(found["written_at"])
    if found["keepwell_canary"] != dataset:
        return judged("wrong", "The canary of another dataset came back (%s)." % found["keepwell_canary"], written_at)
    known = sorted(history, key=lambda entry: entry["written_at"])
    begun = snapshot["time"]
    # What is written while the snapshot is made may be in it already.
    until = max(begun, snapshot.get("end") or begun)
    if written_at > until:
        return judged("wrong", "The canary is newer than the snapshot: a clock is wrong.", written_at)
    valid = [entry for entry in known if entry["written_at"] <= begun]
    by_history = bool(valid)
    if by_history:
        possible = valid[-1:] + [entry for entry in known if begun < entry["written_at"] <= until]
        summed = hashlib.sha256(data).hexdigest()
        if summed in [entry["sha256"] for entry in valid[:-1]]:
            text = "An older version came back (%d); %d was there when the snapshot began."
            return judged("stale", text % (found["version"], valid[-1]["version"]), written_at)
        if summed not in [entry["sha256"] for entry in possible]:
            return judged("wrong", "This version of the canary was never written by Keepwell.", written_at)
    age_hours = (begun - written_at) / 3600.0
    if age_hours > max_age_hours:
        text = "The canary was %.0f hours old when the snapshot began; %g are allowed. Is it renewed?"
        return judged("stale", text % (age_hours, max_age_hours), written_at)
    text = "Version %d came back as it was when the snapshot began." % found["version"]
    if not by_history:
        text = "Version %d came back whole; what is known of the canary does not reach back so far." % found["version"]
    return judged("proven", text, written_at)
