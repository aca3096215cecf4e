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
    """Which chores and operations there are is read out of the PowerShell that arrived, not out of the models."""
    chore, asked = request.arguments["chore"], dict(request.arguments["request"])
    name = str(asked.get("operation"))
    if request.arguments["secrets"]:
        asked["secrets"] = request.arguments["secrets"]
    if chore not in spec.keys(request.text, "$agents"):
        host.problem(f"agent.ps1 has no agent for {chore}")
        raise ModuleFailure(f"agent.ps1 has no agent for {chore}.")
    declared = _declared(host, request, chore)
    if declared is not None and name not in declared.names:
        return {"answer": {"error": "bad_request", "text": f"Unknown operation '{name}'."}}
    model = registry.operations.get((chore, name))
    if model is None:
        host.problem(f"nobody has modelled the operation {chore}/{name}")
        raise ModuleFailure(f"The simulated host has no model of the operation {chore}/{name}.")
    if declared is not None and (name in declared.reading) != model.reads:
        host.problem(f"agent.psm1 and the model of {chore}/{name} differ in whether it only reads")
    if request.check_mode and not model.reads:
        raise ModuleFailure(f"{name} changes the host, and this is check mode.")
    return {"answer": _answer(host, model, declared, name, asked), "changed": not model.reads}


def _answer(
    host: WindowsHost, model: registry.OperationModel, declared: spec.Operations | None, name: str, asked: Result
) -> Result:
    needed = declared.needed.get(name) if declared is not None else None
    lacking = [field for field in (needed if isinstance(needed, list) else [needed]) if field and field not in asked]
    if lacking:
        return {"error": "bad_request", "text": f"The request lacks {', '.join(lacking)}."}
    try:
        return model.answer(host, asked)
    except Refusal as refused:
        return refused.answer


def _declared(host: WindowsHost, request: Request, chore: str) -> spec.Operations | None:
    """What the chore's agent.psm1 that came along says of itself; None, and a problem, where it cannot be told."""
    for name, text in request.utilities.items():
        if name.endswith(f".{chore}.agent.psm1"):
            try:
                return spec.operations(text)
            except spec.NotLiteral as exc:
                host.problem(f"the tables of {name} are no literals: {exc}")
                return None
    host.problem(f"no {chore}/agent.psm1 came along with agent.ps1")
    return None
