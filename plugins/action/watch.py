# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a host for a beat of the watch. Judged is later, for all hosts at once, when what was known before is at hand."""

from __future__ import annotations

import gc
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils import observation, payload
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import plain
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostAction, HostError, one_line
from ansible_collections.keepwell.fleet.plugins.plugin_utils.redact import redact
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.judging import answer_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts import reading

BUDGET_S = 10.0
# In the main process, as the imports: workers have it ready.
payload.agent("watch", {})


class ActionModule(HostAction):
    """keepwell.fleet.watch"""

    CHORE: t.ClassVar[str] = "watch"

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return {answer, reason, document}; a host that does not answer is an answer, too."""
        gc.freeze()  # as assess does
        super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(
            {"watched": {"type": "list", "elements": "str", "default": []}}
        )
        watched = plain(arguments["watched"])
        request = {
            "operation": "look",
            "parts": ["disks", "system", *(["services"] if watched else [])],
            "parameters": {"services": {"watched": watched}},
            "budget_s": BUDGET_S,
        }
        # Nothing that is asked needs root: no sudo, and no line of it in the host's logs every few minutes.
        self._connection.set_become_plugin(None)
        try:
            document = self.ask(request, task_vars or {})
        except AnsibleConnectionFailure as exc:
            return self._silent(one_line(self.silence(exc)), connected=False)
        except HostError as exc:
            return self._silent(one_line(str(exc)), connected=True)
        wrong = observation.check_shape(document)
        if wrong:
            return self._silent(f"what came back is no observation: {wrong}", connected=True)
        seen = redact(reading.read(document, reading.BEAT_READERS))
        return {"changed": False, "answer": "ok", "reason": "", "document": seen, "msg": "answered"}

    def _silent(self, reason: str, *, connected: bool) -> dict[str, t.Any]:
        answer = answer_of(reason, connected=connected)
        return {"changed": False, "answer": answer, "reason": redact(reason), "document": None, "msg": reason}
