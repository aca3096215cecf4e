# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Assess a host: send the probes, read the observation, judge it, write the evidence, return a short summary.

Imports are at the top on purpose: Ansible loads this file in its main process, so the forked workers share them.
"""

from __future__ import annotations

import gc
import time
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _registry as probes
from ansible_collections.keepwell.fleet.plugins.plugin_utils import assessment, history, observation, payload, settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import declaring
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    keepwell_variables,
    plain,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store, current_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostAction, one_line
from ansible_collections.keepwell.fleet.plugins.plugin_utils.lease import Leases
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Contact, HostEvidence
from ansible_collections.keepwell.fleet.plugins.plugin_utils.plan import NOT_COVERED
from ansible_collections.keepwell.fleet.plugins.plugin_utils.processes import this_process

# What a host sent (not yet checked), and when it was asked and had answered.
Answer = tuple[dict[str, t.Any], float, float]
# A round trip longer than this says nothing about the host's clock.
_CLOCK_ROUND_TRIP_S = 30.0
# In the main process, as the imports.
payload.prepare()


class ActionModule(HostAction):
    """keepwell.fleet.assess"""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return {changed, host, state, counts, evidence, msg}; ``unreachable`` or ``failed`` when nothing was seen."""
        # A worker does one task and ends. What it inherited is not to be looked through for garbage: that would also
        # give it a copy of memory that it shares with all other workers.
        gc.freeze()
        super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, arguments = self.validate_argument_spec(
            {
                "subset": {"type": "list", "elements": "str", "default": ["all"]},
                "parameters": {"type": "dict", "default": {}},
                "budget_s": {"type": "float", "default": 45.0},
                "again": {"type": "bool", "default": False},
                "once": {"type": "bool", "default": False},
            }
        )
        try:
            return self._assess(plain(arguments), variables)
        except (settings.SettingsError, EvidenceError) as exc:
            return {"changed": False, "failed": True, "msg": str(exc)}

    def _assess(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        host = str(task_vars["inventory_hostname"])
        told = keepwell_variables(self._templar, task_vars)
        sources = [str(source) for source in plain(task_vars.get("ansible_inventory_sources") or [])]
        now, simulated = settings.now(told, time.time())
        groups = [str(group) for group in plain(task_vars.get("group_names") or [])]
        chosen = settings.read(told, sources, now, groups)
        if not chosen.covers(host):
            return {"changed": False, "skipped": True, "host": host, "msg": NOT_COVERED}
        subset = settings.subset(arguments["subset"])
        declared = declaring.read(self._templar, task_vars)
        found = current_run(state_dir(told, task_vars), this_process())
        if found is None:
            raise EvidenceError(
                "No run has begun. Call keepwell.fleet.run_begin first, or use playbooks/assess.yml, which does."
            )
        store, run_id = found
        if arguments["once"] and (seen := _seen(store, run_id, host, subset)) is not None:
            return _result(seen, str(store.host_path(run_id, host)))
        with store.observing(run_id):
            leases = Leases(store)
            leases.renew(run_id)
            started = time.time()
            request = {
                "subset": subset,
                "parameters": {**chosen.probe_parameters, **arguments["parameters"]},
                "budget_s": arguments["budget_s"],
            }
            document, contact = self._observe(request, task_vars)
            # A host that froze took as long as Ansible lets it: the run lives all the same.
            leases.renew(run_id)
            contact.seconds = round(time.time() - started, 3)
            if arguments["again"]:
                store.keep_before(run_id, host)
            at = now if simulated else time.time()
            known = history.History(store).of(host, at)
            judging = assessment.Judging(
                run_id=run_id,
                client=store.client_id,
                host=host,
                groups=groups,
                now=at,
                policy=chosen.policy,
                waivers=chosen.waivers,
                exposure=chosen.exposure,
                subset=subset,
                backups=declaring.known(store, run_id, host, declared, known),
                unverified=tuple(declared.unverified),
                schedule=store.read_standing(run_id),
            )
            if document is not None:
                try:
                    evidence = assessment.judge_observation(judging, document, contact, known, known.finding_first_seen)
                    return _result(evidence, str(store.write_host(evidence)))
                except EvidenceError:
                    raise
                except Exception as exc:  # noqa: BLE001 - whatever a host says, it leaves evidence and costs only itself
                    contact.reached = False
                    contact.reason = one_line(f"what came back cannot be judged: {type(exc).__name__}: {exc}")
            evidence = assessment.judge_silence(judging, contact, known.finding_first_seen, known)
            return _result(evidence, str(store.write_host(evidence)))

    def _observe(
        self, request: dict[str, t.Any], task_vars: dict[str, t.Any]
    ) -> tuple[dict[str, t.Any] | None, Contact]:
        """Return the observation (None when there is none) and how it was got."""
        contact = Contact(reached=False)
        try:
            answered = self._by_stream(request, task_vars, contact) or self._by_module(request, task_vars, contact)
        except AnsibleConnectionFailure as exc:
            contact.reason = one_line(f"not reachable: {self.silence(exc)}")
            return None, contact
        except (AnsibleError, payload.PayloadError) as exc:
            contact.reason = one_line(str(exc))
            return None, contact
        document, before, after = answered
        wrong = observation.check_shape(document)
        if wrong:
            contact.reason = f"what came back is no observation: {wrong}"
            return None, contact
        contact.reached = True
        contact.privileged = bool(document.get("privileged"))
        contact.clock_offset_s = _clock_offset(document, before, after)
        return observation.complete(document, probes.select(request["subset"])), contact

    def _by_stream(self, request: dict[str, t.Any], task_vars: dict[str, t.Any], contact: Contact) -> Answer | None:
        """The fast way: the probes as one program for the system's Python. None where it cannot work."""
        if not self.streams():
            return None
        interpreter = plain(self._templar.template(task_vars.get("ansible_python_interpreter")))
        program = payload.program(**request)
        command = payload.command(interpreter if isinstance(interpreter, str) else None)
        before = time.time()
        try:
            answer = self._low_level_execute_command(command, in_data=program, sudoable=True)
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as exc:
            if self._connection.become is None:
                raise
            contact.become_refused = one_line(str(exc))
            answer = None
        if answer is not None and answer["rc"] != 0 and self._connection.become is not None:
            contact.become_refused = one_line(answer["stderr"] or answer["stdout"])
            answer = None
        if answer is None:
            # Rights were asked for and refused: look with those there are. What needs more comes out as denied.
            before = time.time()
            answer = self._without_become(command, program)
        after = time.time()
        document = payload.read_answer(answer["stdout"], answer["stderr"], answer["rc"])
        contact.transport = "stream"
        return document, before, after

    def _without_become(self, command: str, program: bytes) -> dict[str, t.Any]:
        become = self._connection.become
        self._connection.set_become_plugin(None)
        try:
            return t.cast("dict[str, t.Any]", self._low_level_execute_command(command, in_data=program, sudoable=False))
        finally:
            self._connection.set_become_plugin(become)

    def _by_module(self, request: dict[str, t.Any], task_vars: dict[str, t.Any], contact: Contact) -> Answer:
        """The same probes as an ordinary module: on Windows, and for connections without pipelining."""
        fresh = not self._connection.connected
        before = time.time()
        result = self.run_module("keepwell.fleet.assess", request, task_vars)
        if result.get("unreachable"):
            raise AnsibleConnectionFailure(str(result.get("msg", "")))
        if result.get("failed") or "observation" not in result:
            detail = result.get("msg") or result.get("module_stderr") or "no reason given"
            hint = (
                "look whether Windows PowerShell 5.1 is there and may run scripts for this user"
                if self.on_windows()
                else "allow pipelining for this host, or set ansible_python_interpreter to a Python that works there"
            )
            raise payload.PayloadError(f"the probes could not run as a module ({detail}); {hint}")
        contact.transport = "module"
        document = t.cast("dict[str, t.Any]", plain(result["observation"]))
        if isinstance(document, dict) and not (fresh or self._connection.transport == "winrm"):
            # A process that serves a connection for longer began before this question.
            document.pop("began_at", None)
        return document, before, time.time()


def _seen(store: Store, run_id: str, host: str, subset: list[str]) -> HostEvidence | None:
    """What this run saw of a host; None when it has not looked, or not by all of these probes."""
    seen = store.read_host(run_id, host)
    if seen is None or seen.observation is None:
        return seen
    return seen if set(probes.select(subset)) <= set(seen.observation["probes"]) else None


def _clock_offset(document: t.Mapping[str, t.Any], before: float, after: float) -> float | None:
    """Seconds by which the host's clock is ahead, or None when the round trip was too long to tell.

    The host notes its time when the probes start and how long they took: what remains of the round trip is travel
    and start-up, and the truth lies within it. A module on Windows takes seconds to start; there the host notes when
    the process began that was started for this question.
    """
    seen = float(document.get("began_at", document["collected_at"]))
    took = float(document["collected_at"]) - seen + float(document["duration_s"])
    travel = (after - before) - took
    if travel > _CLOCK_ROUND_TRIP_S:
        return None
    earliest, latest = before, before + max(travel, 0.0)
    if earliest <= seen <= latest:
        return 0.0
    return round(seen - (latest if seen > latest else earliest), 3)


def _result(evidence: HostEvidence, path: str) -> dict[str, t.Any]:
    host = evidence.result
    counts: dict[str, int] = {}
    for result in host.results:
        counts[result.state] = counts.get(result.state, 0) + 1
    summary: dict[str, t.Any] = {
        "changed": False,
        "host": host.host,
        "state": host.state,
        "counts": counts,
        "evidence": path,
        "msg": host.contact.reason or f"{host.host}: {host.state}",
    }
    if not host.contact.reached:
        summary["unreachable" if host.contact.reason.startswith("not reachable") else "failed"] = True
    return summary
