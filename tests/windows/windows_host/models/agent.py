"""keepwell.fleet.agent: the dispatch of agent.ps1 and answer.psm1. The operations are in the files of their chores."""

from __future__ import annotations

import typing as t

from windows_host import execution, registry, spec
from windows_host.manifest import Request
from windows_host.registry import ModuleFailure, Refusal, Result, module

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost


@module(execution.AGENT, source="plugins/modules/agent.ps1, plugins/module_utils/chores/answer.psm1")
def agent(host: WindowsHost, request: Request) -> Result:
    """Which chores there are is read out of the agent.ps1 that arrived, not out of the models."""
    chore, asked = request.arguments["chore"], dict(request.arguments["request"])
    name = str(asked.get("operation"))
    if chore not in spec.keys(request.text, "$agents"):
        return {"answer": {"error": "not_here", "text": f"Windows hosts have no agent for {chore}."}}
    model = registry.operations.get((chore, name))
    if model is None:
        host.problem(f"nobody has modelled the operation {chore}/{name}")
        raise ModuleFailure(f"The simulated host has no model of the operation {chore}/{name}.")
    if request.check_mode and not model.reads:
        raise ModuleFailure(f"{name} changes the host, and this is check mode.")
    if request.arguments["secrets"]:
        asked["secrets"] = request.arguments["secrets"]
    try:
        answer = model.answer(host, asked)
    except Refusal as refused:
        answer = refused.answer
    return {"answer": answer, "changed": not model.reads}
