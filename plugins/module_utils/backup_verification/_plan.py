# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a test of a dataset would do, in words and numbers. Writes nothing.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _paths, _sandbox, _selection
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

_FILE_CAP = 200


def plan(driver, request):
    """What ``start`` with the same request would do.

    {"kind", "part", "parts", "snapshot", "snapshot_time", "files": [paths; empty: everything], "files_count", "bytes",
    "total_files", "total_bytes", "target", "free_bytes", "notes", "code" and "refused" (why it would not be done, or
    ""), "steps": [sentences]}
    """
    kind = _selection.kind_of(driver, request)
    driver.brief = True
    found = driver.list()
    answer = {"kind": kind, "part": None, "parts": None, "snapshot": None, "snapshot_time": None, "files": []}
    answer.update({"files_count": None, "bytes": None, "total_files": None, "total_bytes": None, "target": ""})
    answer.update({"free_bytes": None, "notes": [], "code": "", "refused": "", "steps": []})
    try:
        if found["status"] != "ok":
            raise AgentError(found["status"], found["detail"] or "The repository cannot be read.")
        snapshot = _selection.snapshot_of(found, request.get("snapshot"))
        answer.update(snapshot=snapshot["id"], snapshot_time=snapshot["time"])
        if found["writer"]:
            raise AgentError("writer", "A backup is being written: %s. The test would wait for it." % found["writer"])
        if kind in _selection.READING:
            _reading(driver, request, kind, found, snapshot, answer)
        else:
            _restoring(driver, request, kind, found, snapshot, answer)
    except AgentError as exc:
        answer.update(code=exc.code, refused=exc.text)
    return answer


def _reading(driver, request, kind, found, snapshot, answer):
    words = {
        "structure": "Read the metadata of the repository %s.",
        "subset": "Read part %s of %s of the data in the repository %%s." % (request.get("part"), request.get("parts")),
        "data": "Read all data in the repository %s.",
    }
    if kind == "subset":
        answer.update(part=request.get("part"), parts=request.get("parts"))
    answer["steps"] = [words[kind] % driver.dataset["repository"]]
    _guard(request, found, snapshot, _selection.cache_bytes(), 0, answer)


def _restoring(driver, request, kind, found, snapshot, answer):
    if kind == "database":
        _loading(driver, request, found, snapshot, answer)
        return
    chosen = _selection.Selection(driver, request, kind, snapshot)
    if not chosen.whole:
        text = "The list of files in the snapshot %s cannot be read: %s"
        raise AgentError("no_listing", text % (snapshot["id"], " ".join(chosen.output.err.split())[:200]))
    answer.update(files_count=chosen.files, bytes=chosen.bytes)
    answer.update(total_files=chosen.total_files, total_bytes=chosen.total_bytes)
    chosen.within(request.get("max_bytes"))
    answer["files"] = [_paths.shown(path) for path in (chosen.paths or [])[:_FILE_CAP]]
    _guard(request, found, snapshot, chosen.bytes, chosen.files, answer)
    what = "%d files (%.1f MiB)" % (chosen.files, chosen.bytes / 1048576.0)
    answer["steps"] = [
        "Restore %s of the snapshot %s into a new folder below %s." % (what, snapshot["id"], answer["target"]),
        "Compare them with %s." % _reference(driver, request),
        "Remove all of it again.",
    ]


def _loading(driver, request, found, snapshot, answer):
    """A database: how large it will be is known once its dump was read, which a plan does not do."""
    answer.update(files_count=1, total_files=1, total_bytes=snapshot.get("bytes"))
    answer["bytes"] = _selection.guessed_bytes(snapshot)
    _guard(request, found, snapshot, answer["bytes"], 1, answer)
    answer["steps"] = [
        "Load the dump %s into a throw-away server below %s, without a network." % (snapshot["id"], answer["target"]),
        "Ask it the %d queries of the dataset." % len(driver.dataset["queries"]),
        "Remove all of it again.",
    ]


def _reference(driver, request):
    if driver.options.get("checksums"):
        return "the list of checksums %s" % driver.options["checksums"]
    if request.get("local"):
        return "the live files that have not changed since"
    return "nothing: this is not the protected host, and the dataset has no list of checksums"


def _guard(request, found, snapshot, size_bytes, files, answer):
    places = _selection.places(request, found, snapshot)
    verdict = _sandbox.guard(request.get("sandbox") or {}, size_bytes, files, places)
    answer.update(target=verdict["base"], free_bytes=verdict["free_bytes"], notes=verdict["notes"])
