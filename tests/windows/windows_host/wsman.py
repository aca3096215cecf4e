"""The service of one host: shells by their id, and the verbs of WS-Management on them."""

from __future__ import annotations

import typing as t
import uuid

from windows_host import soap
from windows_host.psrp import RunspacePool
from windows_host.shells import Run
from windows_host.winrs import WinRS

_COMMAND_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
_POWERSHELL = "http://schemas.microsoft.com/powershell/"


class Service:
    """What answers WS-Management on one host from one boot to the next: a reboot ends all shells."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._shells: dict[str, WinRS | RunspacePool] = {}

    def answer(self, message: bytes) -> tuple[int, bytes]:
        """Return the HTTP status and the answer to a message."""
        message_id = ""
        try:
            question = soap.read(message)
            message_id = question.message_id
            return 200, soap.answer(question, self._do(question))
        except soap.Fault as wrong:
            return 500, soap.fault(message_id, wrong)

    def _do(self, question: soap.Question) -> str:
        if question.action == "Create":
            return self._create(question)
        shell = self._shells.get(question.shell_id.upper())
        if shell is None:
            raise soap.Fault(
                soap.NO_SUCH_SHELL,
                "The request for the Windows Remote Shell with ShellId "
                f"{question.shell_id} failed because the shell was not found on the server.",
                "w:InvalidSelectors",
            )
        if question.action == "Delete":
            del self._shells[question.shell_id.upper()]
            return ""
        verbs: dict[str, t.Callable[[soap.Question], str]] = {
            "Command": shell.command,
            "Send": shell.send,
            "Receive": shell.receive,
            "Signal": shell.signal,
        }
        verb = verbs.get(question.action)
        if verb is None:
            raise soap.Fault(2150858817, f"{question.action} is not supported.", "a:ActionNotSupported")
        return verb(question)

    def _create(self, question: soap.Question) -> str:
        chosen = next((part.get("ShellId") for part in soap.parts(question, "Shell")), None)
        shell_id = (chosen or str(uuid.uuid4())).upper()
        if question.resource == _COMMAND_SHELL:
            self._shells[shell_id] = WinRS(shell_id, self._run)
        elif question.resource.startswith(_POWERSHELL):
            pool = self._shells[shell_id] = RunspacePool(shell_id, self._run)
            pool.open(question)
        else:
            raise soap.Fault(2150858752, f"The resource URI {question.resource} was not found.", "w:InvalidResourceURI")
        return (
            "<x:ResourceCreated><a:ReferenceParameters>"
            f"<w:ResourceURI>{question.resource}</w:ResourceURI>"
            f'<w:SelectorSet><w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet>'
            "</a:ReferenceParameters></x:ResourceCreated>"
            f"<rsp:Shell><rsp:ShellId>{shell_id}</rsp:ShellId></rsp:Shell>"
        )
