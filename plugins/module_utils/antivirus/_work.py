# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the work on a host, step by step: update, repair, scan, quarantine, look again; restore.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import contextlib
import os
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus import (
    _cleaning,
    _control,
    _definitions,
    _engine,
    _ledger,
    _places,
    _repair,
    _vault,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._work import Work
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

# How a step is called while it is at work.
PHASES = {
    "update": "updating",
    "repair": "repairing",
    "scan": "scanning",
    "quarantine": "quarantining",
    "rescan": "looking again",
    "restore": "restoring",
}


def run(folder):
    """Carry out the request in ``folder``; its end is in state.json."""
    request = _folder.load(folder, "request.json")
    Care(folder, request, Machine()).run()


class Care(Work):
    """One piece of antivirus work."""

    CHORE = _control.CHORE
    TOUCHING = ("updating", "repairing", "quarantining", "restoring")

    def __init__(self, folder, request, machine):
        super(Care, self).__init__(folder, request, machine)
        self.ledger = _ledger.empty()
        self.cleaning = None

    def work(self):
        """Do the steps that were asked for, in their order; one that fails does not keep back the others."""
        try:
            self.ledger = _ledger.load()
        except ValueError as exc:
            raise AgentError("bad_ledger", "%s cannot be used: %s." % (_ledger.PATH, exc)) from exc
        _ledger.settled(self.ledger, _vault.settle(self.machine))
        failed = []
        for name in self.request["steps"]:
            self.save(phase=PHASES[name])
            began = _folder.now()
            try:
                answer = getattr(self, "_" + name)()
            except AgentError as exc:
                answer = {"result": "failed", "code": exc.code, "text": exc.text}
            answer = dict(answer, began=began, ended=_folder.now())
            self.save(results=dict(self.state["results"], **{name: answer}))
            if answer["result"] == "failed":
                failed.append((name, answer))
            with contextlib.suppress(OSError):
                _ledger.save(self.ledger)
        _ledger.forget(self.ledger, _folder.now())
        _ledger.save(self.ledger)
        if failed:
            text = " ".join("%s: %s." % (name, answer["text"].rstrip(".")) for name, answer in failed)
            self.close("failed", failed[0][1].get("code") or failed[0][0] + "_failed", text)
        else:
            self.close("done", "", "")

    def _update(self):
        self._wait_for_turn()
        engines = _engine.look(self.machine)
        answers = []
        if engines["clamav"]:
            answers.append(_definitions.update(self.machine, self.commands))
        if engines["mdatp"]:
            answers.append(_definitions.update_defender(self.machine, self.commands))
        if not answers:
            raise AgentError("no_engine", "No product whose definitions Keepwell can update is installed")
        bad = [answer for answer in answers if answer["result"] == "failed"]
        return {
            "result": "failed" if bad else "done",
            "code": "not_updated" if bad else "",
            "text": "; ".join("%s: %s" % (answer["engine"], answer["text"]) for answer in bad or answers),
            "engines": answers,
        }

    def _wait_for_turn(self):
        """Wait as long as this host's name says, so that a fleet does not come to the vendor's servers at once."""
        end = time.monotonic() + self.request.get("splay_s", 0)
        self.save(waits_until=_folder.now() + self.request.get("splay_s", 0))
        while time.monotonic() < end:
            time.sleep(min(1.0, max(0.0, end - time.monotonic())))

    def _repair(self):
        units = _repair.repair(self.machine, self.commands, self.ledger, self.request["repair"])
        bad = sorted(name for name, answer in units.items() if answer["result"] in ("failed", "limit"))
        started = sorted(name for name, answer in units.items() if answer["result"] == "started")
        text = "started %s" % ", ".join(started) if started else "nothing that is meant to run is down"
        if bad:
            text = "; ".join("%s: %s" % (name, units[name]["text"]) for name in bad)
        return {
            "result": "failed" if bad else "done",
            "code": "repair_failed" if bad else "",
            "text": text,
            "units": units,
        }

    def _ready(self):
        """What scans and cleans, once for all steps."""
        if self.cleaning is None:
            self.cleaning = _cleaning.Cleaning(self)
        return self.cleaning

    def _scan(self):
        return self._ready().scan()

    def _quarantine(self):
        return self._ready().quarantine()

    def _rescan(self):
        return self._ready().rescan()

    def _restore(self):
        manifest = _vault.restore(self.machine, self.request["restore"])
        _ledger.restored(self.ledger, manifest["path"], _folder.now())
        names = ("id", "path", "sha256", "size", "uid", "gid", "owner", "mode", "mtime_ns", "signature")
        entry = dict(((name, manifest[name]) for name in names), path=_places.printable(manifest["path"]))
        return {"result": "done", "text": "put back %s" % entry["path"], "restored": entry}

    def progress(self, **fields):
        """Write down how far a scan is, without letting a full disk stop it."""
        with contextlib.suppress(OSError):
            self.save(progress=fields)

    def left(self):
        """Seconds until everything must be over."""
        return self.end - time.monotonic()

    def interrupted(self):
        """Keep what is known of detections."""
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self.folder, "files"))
        _ledger.save(self.ledger)
