"""Count what stock modules found, without a task of its own: the answer that shows that they did their work."""

from __future__ import annotations

DOCUMENTATION = r"""
name: bench_facts
type: aggregate
short_description: Counts the facts that a playbook gathered
description: Writes, for each host, how many packages and services it has and which sockets listen.
options:
  answer:
    description: File to write.
    type: path
    required: true
    env:
      - name: BENCH_ANSWER
"""

import json
import typing as t

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """bench_facts"""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "bench_facts"

    def __init__(self, *arguments: t.Any, **named: t.Any) -> None:
        super().__init__(*arguments, **named)
        self._answer: dict[str, dict[str, t.Any]] = {}

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """Keep the counts of one host's answer to one task."""
        # Attribute names changed in ansible-core 2.19 and 2.20.
        task = getattr(result, "task", None) or result._task
        host = getattr(result, "host", None) or result._host
        values = result.result if hasattr(result, "result") else result._result
        counts = self._answer.setdefault(host.get_name(), {})
        if "services" in values.get("ansible_facts", {}):
            counts["services"] = len(values["ansible_facts"]["services"])
        if task.get_name().endswith("Packages"):
            counts["packages"] = sum(line[1:2] == "i" for line in values["stdout_lines"])
        if task.get_name().endswith("Listening sockets"):
            counts["sockets"] = str(values["stdout"])

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """Write the answer."""
        with open(self.get_option("answer"), "w", encoding="utf-8") as stream:
            json.dump(self._answer, stream)
