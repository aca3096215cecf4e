# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record a beat of the watch: judge what hosts answered, write one line of evidence, tell what changed."""

from __future__ import annotations

import socket
import time
import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils import observation, scheduled, settings, validation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.assessment import Judging
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import availability
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, SEVERITY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    inventory,
    keepwell_variables,
    plain,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import canonical, write_atomic
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import account, telling
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import open_history
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.declared import declared
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import MissedRun
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import Settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch import judging, notices, summary
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.book import Book
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.models import Beat, DeclaredWindow, Sample
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.notices import Notice

# Where no schedule says how often: what the watch is made for.
INTERVAL_S = 300
# Windows are written down a day before they begin, so that they were declared in time whenever the next beat is.
_AHEAD_S = DAY
_REGISTERED = "keepwell_heard"


class ActionModule(ControlAction):
    """keepwell.fleet.watch_record"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "at": {"type": "float", "required": True},
        "fail_on": {"type": "str", "default": "never", "choices": list(settings.FAIL_ON)},
    }

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the beat's headline; failed when a notice is as bad as ``fail_on``."""
        own = keepwell_variables(self._templar, task_vars)
        at = float(arguments["at"])
        now, simulated = settings.now(own, time.time())
        hosts = sorted(str(host) for host in task_vars["ansible_play_hosts_all"])
        told = validation.look(task_vars, inventory(task_vars), hosts, at).told
        covered = {host: entry for host, entry in told.items() if entry.covers(host)}
        first = next(iter(covered.values()))
        store = Store(state_dir(own, task_vars), first.client.id)
        book = Book(store)
        before = book.last()
        known = before.hosts if before else {}
        room = judging.rooms(book.read(at - judging.PACE_S, at), at)
        samples: dict[str, Sample] = {}
        findings: dict[str, notices.Findings] = {}
        for host, entry in covered.items():
            heard = plain(task_vars["hostvars"][host].get(_REGISTERED)) or {}
            samples[host], findings[host] = _sample(store, host, entry, heard, known.get(host), room.get(host, {}), at)
        entry_name = scheduled.entry(own, first.schedule)
        interval = _interval(first, entry_name)
        changed = notices.notices(known, samples, findings, at)
        if before is not None:
            changed += notices.pause(before.at, at, max(interval, before.beat.interval_s))
        everyone = {str(host) for host in task_vars["groups"]["all"]}
        missed: list[MissedRun] = []
        if not self._task.check_mode:
            beat = Beat(
                at=iso(at),
                seconds=0.0 if simulated else round(max(0.0, now - at), 1),
                entry=entry_name,
                controller=socket.gethostname(),
                interval_s=interval,
            )
            whole = set(covered) if set(hosts) == everyone else {*covered, *(set(known) & everyone)}
            book.add(beat, samples, whole)
            book.prune(at, _keep_days(covered.values()))
            missed = self._tell(store, own, first, entry_name, samples, at, before.at if before else at)
        changed += [Notice(entry.state, "", entry.text) for entry in missed]
        short = summary.headline(first.client.name, samples, changed, partial=len(hosts) < len(everyone))
        if not self._task.check_mode:
            name = "watch.json" if set(hosts) == everyone else "watch-partial.json"
            write_atomic(store.root / name, canonical({**short, "at": iso(at), "client": first.client.id}))
        limit = arguments["fail_on"]
        worst = notices.worst_of(changed)
        failed = limit != "never" and bool(changed) and SEVERITY.index(worst) >= SEVERITY.index(limit)
        return {
            "changed": False,
            "failed": failed,
            "summary": short,
            "msg": f"The worst change is '{worst}', and keepwell_fail_on is '{limit}'." if failed else short["verdict"],
        }

    def _tell(
        self,
        store: Store,
        own: Mapping[str, t.Any],
        first: Settings,
        entry: str,
        samples: Mapping[str, Sample],
        at: float,
        before: float,
    ) -> list[MissedRun]:
        """Tell the outside of the beat, and return what should have run since the beat before and did not."""
        ledger = account.of(store, open_history(store), first.client.timezone, at)
        for sentence in telling.tell(own, first.client.id, entry, ledger, at, (at, samples)):
            self._display.warning(sentence)
        return ledger.newly_missed(first.client.id, before, at)


def _sample(
    store: Store,
    host: str,
    entry: Settings,
    heard: Mapping[str, t.Any],
    before: Sample | None,
    room: judging.Room,
    at: float,
) -> tuple[Sample, notices.Findings]:
    """Return the sample of a host and what was found on it."""
    document = heard.get("document")
    found: notices.Findings = {}
    if isinstance(document, Mapping) and observation.check_shape(document) is None:
        watched = [str(name) for name in entry.probe_parameters.get("services", {}).get("watched") or []]
        facts = Judging(
            run_id="",
            client=store.client_id,
            host=host,
            groups=(),
            now=at,
            policy=entry.policy,
            waivers=entry.waivers,
            exposure=entry.exposure,
        )
        sample, found = judging.observed(facts, document, watched, before, room)
    else:
        answer = heard.get("answer") if heard.get("answer") in ("fail", "unknown") else "unknown"
        reason = str(heard.get("reason") or heard.get("msg") or "it was not asked: the beat ended before")
        sample = judging.silent(t.cast(t.Any, answer), " ".join(reason.split())[:300], before, at)
    windows = [
        DeclaredWindow(name=name, begin=iso(span.begin), end=iso(span.end))
        for name, span in declared(entry.calendar, at, at + _AHEAD_S)
    ]
    return sample.model_copy(update={"windows": windows}), found


def _interval(first: Settings, entry: str) -> int:
    """Seconds until the next beat, as the schedule has it."""
    beats = [terms.every for terms in first.schedule.values() if terms.playbook == "watch" and terms.every]
    if entry and first.schedule[entry].every:
        return int(first.schedule[entry].every or INTERVAL_S)
    return int(min(beats, default=INTERVAL_S))


def _keep_days(told: Iterable[Settings]) -> int:
    """How long beats are kept: of a client whose hosts differ in that, the longest."""
    return max(t.cast(availability.Policy, entry.policy["availability"]).watch_keep_days for entry in told)
