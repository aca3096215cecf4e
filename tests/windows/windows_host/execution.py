"""A script that arrived, run: decoded, checked by its own ``$spec``, written into the log, answered by its model."""

from __future__ import annotations

import json
import threading
import time
import traceback
import typing as t

from windows_host import arguments, registry, spec
from windows_host.calls import Call
from windows_host.manifest import NotUnderstood, Request, decode
from windows_host.shells import Lost, Reply

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

AGENT = "keepwell.fleet.agent"
_OURS = "keepwell.fleet."
_HELP = "Write it as tests/windows/README.md says."


def run(host: WindowsHost, script: str, lines: list[str]) -> Reply:
    """Answer a script with its input."""
    try:
        request = decode(script, lines)
    except NotUnderstood as exc:
        return _unknown(host, f"a request that cannot be decoded: {exc}.")
    name = _name(request)
    _log(host, request, name)
    faults = host.faults
    if faults.slow_s:
        host.gone.wait(faults.slow_s)
    if {name, request.name} & faults.no_answer:
        host.gone.wait()
        return Reply(rc=1)
    if {name, request.name} & faults.garbage:
        return Reply(['{"changed": false, "answ'])
    if {name, request.name} & faults.breaks:
        text = 'Unhandled exception while executing module: Exception calling "Simulated": the fault that the test asked for'
        return _json({"failed": True, "changed": False, "msg": text, "exception": text}, 1)
    try:
        reply = _answer(host, request)
    except Exception as exc:  # noqa: BLE001 - a model that fails is no answer of a host, and no test may pass with it
        last = traceback.extract_tb(exc.__traceback__)[-1]
        return _unknown(host, f"{name}: its model failed at {last.filename}:{last.lineno}: {exc!r}.")
    if faults.loses.get(name, 0) > 0:
        faults.loses[name] -= 1
        raise Lost
    return reply


def _answer(host: WindowsHost, request: Request) -> Reply:
    if request.kind == "module":
        return _background(host, request) if request.background else _json_of(module(host, request))
    if request.kind == "helper":
        helper = registry.helpers.get(request.name)
        return helper(host, request) if helper else _unknown(host, f"the script {request.name}. {_HELP}")
    return command(host, request.text)


def command(host: WindowsHost, text: str) -> Reply:
    """Answer bare PowerShell or a command line, if there is a model of it."""
    found = registry.find_command(text)
    if found is None:
        return _unknown(host, f"the command {text.strip()!r}. {_HELP}")
    with host.lock:
        return found[0](host, found[1])


def module(host: WindowsHost, request: Request) -> dict[str, t.Any]:
    """The result of a module: refused by its spec, skipped in check mode, or made by its model."""
    model = registry.modules.get(request.name)
    if model is None:
        text = f"the module {request.name}. {_HELP}"
        host.problem(f"nobody has modelled {text}")
        return {"failed": True, "changed": False, "msg": f"The simulated host does not know {text}"}
    invocation = {"module_args": request.arguments}
    try:
        declared = spec.read(request.text)
        if request.name.startswith(_OURS) and (declared is None or spec.opaque(declared)):
            raise spec.NotLiteral(", ".join(spec.opaque(declared)) or "there is none")
        parameters = request.arguments
        if declared is not None:
            parameters = arguments.check(
                request.name.rpartition(".")[2], declared, request.arguments, not spec.merges(request.text)
            )
            if request.check_mode and not declared.get("supports_check_mode"):
                text = f"remote module ({request.name.rpartition('.')[2]}) does not support check mode"
                return {"changed": False, "skipped": True, "msg": text, "invocation": invocation}
        checked = _with(request, parameters)
        with host.lock:
            return {"changed": False, "invocation": invocation, **model(host, checked)}
    except spec.NotLiteral as exc:
        host.problem(f"the $spec of {request.name} is no literal: {exc}")
        return {"failed": True, "changed": False, "msg": f"The $spec of {request.name} is no literal: {exc}"}
    except arguments.Refused as exc:
        return {"failed": True, "changed": False, "msg": str(exc), "invocation": invocation}
    except registry.ModuleFailure as exc:
        return {"invocation": invocation, **exc.result}


def _with(request: Request, parameters: dict[str, t.Any]) -> Request:
    return Request(**{**request.__dict__, "arguments": parameters})


def _name(request: Request) -> str:
    asked = request.arguments.get("request")
    if request.name == AGENT and isinstance(asked, dict):
        return f"{request.arguments.get('chore')}/{asked.get('operation')}"
    return request.name


def _log(host: WindowsHost, request: Request, name: str) -> None:
    host.calls.append(
        Call(request.kind, name, request.arguments, request.check_mode, request.become, host.boot_id, time.time())
    )


def _background(host: WindowsHost, request: Request) -> Reply:
    """Start a job and answer at once, as async_wrapper.ps1 does; its result is a file that async_status reads."""
    wanted = request.background
    assert wanted is not None
    job_id = f"{wanted.job_id}.{4000 + len(host.jobs)}"
    path = f"{wanted.folder}\\{job_id}"
    begun: dict[str, t.Any] = {
        "started": True,
        "finished": False,
        "results_file": path,
        "ansible_job_id": job_id,
        "_ansible_suppress_tmpdir_delete": True,
    }
    host.jobs[job_id] = begun
    host.files.write(path, json.dumps(begun).encode())
    booted = host.boot_id

    def work() -> None:
        try:
            result = module(host, request)
        except Exception as exc:  # noqa: BLE001 - as in run()
            host.problem(f"the model of {request.name} failed in the background: {exc!r}")
            return
        if host.boot_id == booted:
            host.files.write(path, json.dumps({**begun, **result, "finished": True}).encode())

    threading.Thread(target=work, daemon=True).start()
    return _json({**begun, "ansible_async_watchdog_pid": 4000 + len(host.jobs)})


def _unknown(host: WindowsHost, what: str) -> Reply:
    host.problem(f"nobody has modelled {what}")
    text = f"The simulated host does not know {what}"
    return Reply([json.dumps({"failed": True, "changed": False, "msg": text})], errors=text, rc=1)


def _json(result: dict[str, t.Any], rc: int = 0) -> Reply:
    return Reply([json.dumps(result)], rc=rc)


def _json_of(result: dict[str, t.Any]) -> Reply:
    return _json(result, 1 if result.get("failed") else 0)
