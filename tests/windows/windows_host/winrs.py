"""The shell that Ansible's ``winrm`` connection uses: a process with three streams."""

from __future__ import annotations

import base64
import uuid

from windows_host import soap
from windows_host.shells import Lost, Reply, Run, Work

# Smaller than what Windows sends, so that clients put answers together in every test.
_CHUNK = 96 * 1024


class WinRS:
    """One shell: commands by their id."""

    def __init__(self, shell_id: str, run: Run) -> None:
        self.shell_id = shell_id
        self._run = run
        self._commands: dict[str, Work] = {}

    def command(self, question: soap.Question) -> str:
        """Take a command line; start at once where no input will come."""
        words = [part.text or "" for name in ("Command", "Arguments") for part in soap.parts(question, name)]
        command_id = str(uuid.uuid4()).upper()
        work = self._commands[command_id] = Work(decode(" ".join(words)))
        if question.options.get("WINRS_CONSOLEMODE_STDIN", "").upper() == "TRUE":
            work.start(self._run, [])
        return f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"

    def send(self, question: soap.Question) -> str:
        """Collect input; its end starts the command."""
        for stream in soap.parts(question, "Stream"):
            work = self._work(stream.get("CommandId", ""))
            work.input += base64.b64decode(stream.text or "")
            if stream.get("End", "").lower() == "true":
                work.start(self._run, bytes(work.input).decode("utf-8", "replace").splitlines())
        return "<rsp:SendResponse/>"

    def receive(self, question: soap.Question) -> str:
        """Wait for output as long as the client says, then give a piece of it."""
        command_id = next(soap.parts(question, "DesiredStream")).get("CommandId", "")
        work = self._work(command_id)
        if not work.done.wait(question.timeout_s):
            raise soap.Fault(soap.TIMED_OUT, "The operation took longer than its time limit.", "w:TimedOut")
        if work.lost:
            raise Lost
        reply = work.reply or Reply(rc=1)
        output = "".join(line + "\r\n" for line in reply.output).encode()
        piece = output[work.sent : work.sent + _CHUNK]
        work.sent += len(piece)
        streams = _stream("stdout", command_id, piece)
        if work.sent < len(output):
            return f"<rsp:ReceiveResponse>{streams}{soap.command_state(command_id, None)}</rsp:ReceiveResponse>"
        streams += _stream("stderr", command_id, reply.errors.encode())
        return f"<rsp:ReceiveResponse>{streams}{soap.command_state(command_id, reply.rc)}</rsp:ReceiveResponse>"

    def signal(self, question: soap.Question) -> str:
        """Forget a command."""
        for signal in soap.parts(question, "Signal"):
            self._commands.pop(signal.get("CommandId", ""), None)
        return "<rsp:SignalResponse/>"

    def _work(self, command_id: str) -> Work:
        try:
            return self._commands[command_id]
        except KeyError:
            raise soap.Fault(soap.NO_SUCH_SHELL, "The command was not found.", "w:InvalidSelectors") from None


def _stream(name: str, command_id: str, data: bytes) -> str:
    if not data:
        return ""
    return f'<rsp:Stream Name="{name}" CommandId="{command_id}">{base64.b64encode(data).decode()}</rsp:Stream>'


def decode(command_line: str) -> str:
    """The script of ``powershell -EncodedCommand ...``, or the line itself."""
    before, flag, encoded = command_line.partition("-EncodedCommand ")
    if not flag or not before.lower().startswith("powershell"):
        return command_line
    return base64.b64decode(encoded.split()[0]).decode("utf-16-le")
