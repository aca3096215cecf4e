# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a test proved, in the words of the ledger. Pure.

The mapping is the Proof of the control node. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

# What may be wrong before anything was read or restored, and how the proof calls it; everything else is ``refused``.
_OUTCOMES = {
    "locked": "locked",
    "timeout": "timeout",
    "damaged": "damaged",
    "absent": "error",
    "denied": "error",
    "no_repository": "error",
    "bad_password": "error",
    "bad_credentials": "error",
    "bad_checksums": "error",
    "bad_request": "error",
    "not_supported": "error",
    "no_snapshot": "error",
    "no_listing": "error",
    "nothing_fits": "inconclusive",
    "sandbox_full": "error",
    "cache_full": "error",
    "memory": "error",
    "forbidden": "error",
    "interrupted": "error",
    "rebooted": "error",
    "internal": "error",
    "error": "error",
}
# What the work as a whole is called then.
_DONE = ("proven", "damaged", "failed", "inconclusive")
_REFUSED = ("locked", "refused")


def empty(request):
    """A proof of which nothing is known yet but what was asked."""
    proof = {"id": request["id"], "kind": request["kind"], "at": None, "outcome": "error", "code": "", "text": ""}
    proof.update({"errors": [], "broken": [], "snapshot": None, "snapshot_time": None, "part": None, "parts": None})
    proof.update({"files": None, "bytes": None, "seconds": None, "total_seconds": None, "dataset_bytes": None})
    proof.update({"identical": 0, "unreferenced": 0, "changed": 0, "mismatches": [], "missing": [], "canary": None})
    proof.update({"queries": [], "paths": [], "digests": [], "sandbox": "", "left": "", "bounded": ""})
    return dict(proof, host=request.get("verifier") or request.get("host") or "", key_source="")


def ended(proof, code, text, at):
    """The proof of a test that did not come to its end."""
    return dict(proof, outcome=_OUTCOMES.get(code, "refused"), code=code, text=text, at=at)


def work_outcome(proof):
    """How the work ended: done (whatever the test found), refused (nothing was tested), failed."""
    outcome = proof["outcome"]
    return "done" if outcome in _DONE else "refused" if outcome in _REFUSED else "failed"


def reading(proof, checked, late):
    """The proof after the repository was read; ``late``: the time was over."""
    outcome = {"ok": "proven"}.get(checked["outcome"], checked["outcome"])
    if outcome == "error" and late:
        outcome = "timeout"
    words = {
        "proven": "The repository was read and is whole.",
        "damaged": "The repository is damaged. Do not rely on it: find out which snapshots still come back.",
        "inconclusive": "The repository changed while it was read: nothing is proven. It is read again next time.",
        "locked": "A lock in the repository kept us out. Keepwell leaves other people's locks alone.",
        "timeout": "There was not enough time to read it. Allow more, or read a smaller part.",
    }
    text = words.get(outcome, "The repository could not be read.")
    return dict(
        proof,
        outcome=outcome,
        code="" if outcome == "proven" else outcome,
        text=_with(text, checked["errors"], checked["note"]),
        errors=checked["errors"],
        broken=checked["broken"],
        bytes=checked["read_bytes"],
    )


def restoring(proof, restored, late, full):
    """The proof after the restore and what was compared; ``full``: the sandbox ran full."""
    outcome, code, text = _judged(proof, restored, late, full)
    errors = restored["errors"] + (restored.get("database") or {"errors": []})["errors"]
    return dict(proof, outcome=outcome, code=code, text=_with(text, restored["errors"], ""), errors=errors)


def _judged(proof, restored, late, full):
    came = restored["outcome"]
    if full and came != "ok":
        return "error", "sandbox_full", "The sandbox ran full during the restore. Make room or choose a smaller sample."
    if came == "damaged":
        return "damaged", "damaged", "The restore failed: the backup is damaged."
    if came == "locked":
        return "locked", "locked", "A lock in the repository kept us out. Keepwell leaves other people's locks alone."
    if came == "timeout" or (came != "ok" and late):
        return "timeout", "timeout", "The restore did not end in its time. Allow more, or restore a smaller sample."
    if came != "ok":
        return "error", "restore_failed", "The restore failed."
    database = restored.get("database")
    if database and database["tables"] is None:
        return "error", "not_opened", "The restored database could not be asked." + _said(database["errors"])
    if database and database["errors"]:
        return "failed", "database", "The restored database is not sound." + _said(database["errors"])
    if proof["mismatches"]:
        first = proof["mismatches"][0]
        words = (_count(len(proof["mismatches"]), "file"), first["path"], first["why"])
        return "failed", "mismatch", "%s came back with something else in it: %s: %s." % words
    if proof["missing"]:
        words = (_count(len(proof["missing"]), "file"), proof["missing"][0])
        return "failed", "missing", "%s did not come back: %s." % words
    bad = [query for query in proof["queries"] if not query["ok"]]
    if bad:
        words = (bad[0]["sql"], bad[0]["text"] or "another answer than expected")
        return "failed", "query", "The restored database answers '%s' with: %s." % words
    canary = proof["canary"]
    if canary is not None and canary["outcome"] != "proven":
        return "failed", "canary_" + canary["outcome"], canary["text"]
    return "proven", "", _came_back(proof, database)


def _came_back(proof, database):
    """What a good restore proved."""
    if database:
        words = (_count(database["tables"], "table"), _count(len(proof["queries"]), "query", "queries"))
        return "The database came back with %s and answered %s." % words
    text = "%s came back" % _count(proof["files"], "file")
    details = [
        "%d %s" % (proof[name], words)
        for name, words in (
            ("identical", "identical"),
            ("changed", "changed on the host since"),
            ("unreferenced", "without anything to compare with"),
        )
        if proof[name]
    ]
    return text + (": %s." % ", ".join(details) if details else ".")


def _count(number, one, many=None):
    return "%d %s" % (number, one if number == 1 else many or one + "s")


def _said(errors):
    return " It says: %s" % errors[0] if errors else ""


def _with(text, errors, note):
    """The sentence with the first words of the tool."""
    return text + _said(errors) + (" " + note if note else "")
