"""The shell that Ansible's ``psrp`` connection uses: a runspace pool, by psrpcore's side for servers."""

from __future__ import annotations

import base64
import threading
import time
import uuid

import psrpcore
from psrpcore.types import HostMethodIdentifier, PSInvocationState

from windows_host import soap
from windows_host.shells import Lost, Reply, Run, Work
from windows_host.winrs import decode

# Smaller than what Windows sends, so that clients put answers together in every test.
_PIECE = 96 * 1024


class RunspacePool:
    """One shell: pipelines by their id. All of psrpcore's state is touched under one lock."""

    def __init__(self, shell_id: str, run: Run) -> None:
        self.shell_id = shell_id
        self._run = run
        self._pool = psrpcore.ServerRunspacePool()
        self._pipelines: dict[uuid.UUID, psrpcore.ServerPipeline] = {}
        self._work: dict[uuid.UUID, Work] = {}
        self._lines: dict[uuid.UUID, list[str]] = {}
        self._waiting: dict[uuid.UUID | None, list[bytes]] = {}
        self._lost: set[uuid.UUID | None] = set()
        self._state = threading.Condition()

    def open(self, question: soap.Question) -> None:
        """Begin the pool by what the client sent with its creation."""
        fragments = "".join(part.text or "" for part in soap.parts(question, "creationXml"))
        with self._state:
            self._feed(base64.b64decode(fragments), None)

    def command(self, question: soap.Question) -> str:
        """Begin a pipeline; the client chose its id."""
        line = next(soap.parts(question, "CommandLine"))
        pipeline_id = uuid.UUID(line.get("CommandId"))
        fragments = "".join(part.text or "" for part in soap.parts(question, "Arguments"))
        with self._state:
            # psrpcore wants to know the pipeline before the message that creates it.
            self._pipelines[pipeline_id] = psrpcore.ServerPipeline(self._pool, pipeline_id)
            self._lines[pipeline_id] = []
            self._feed(base64.b64decode(fragments), pipeline_id)
        shown = str(pipeline_id).upper()
        return f"<rsp:CommandResponse><rsp:CommandId>{shown}</rsp:CommandId></rsp:CommandResponse>"

    def send(self, question: soap.Question) -> str:
        """Take fragments of input."""
        with self._state:
            for stream in soap.parts(question, "Stream"):
                self._feed(base64.b64decode(stream.text or ""), _identifier(stream.get("CommandId")))
        return "<rsp:SendResponse/>"

    def receive(self, question: soap.Question) -> str:
        """Wait for messages of the pool or a pipeline as long as the client says."""
        wanted = _identifier(next(soap.parts(question, "DesiredStream")).get("CommandId"))
        limit = time.monotonic() + question.timeout_s
        with self._state:
            while not self._waiting.get(wanted):
                if wanted in self._lost:
                    raise Lost
                if not self._state.wait(limit - time.monotonic()):
                    raise soap.Fault(soap.TIMED_OUT, "The operation took longer than its time limit.", "w:TimedOut")
            piece = self._waiting[wanted].pop(0)
            done = not self._waiting[wanted] and wanted is not None and self._finished(wanted)
        of = f' CommandId="{str(wanted).upper()}"' if wanted else ""
        stream = f'<rsp:Stream Name="stdout"{of}>{base64.b64encode(piece).decode()}</rsp:Stream>'
        state = soap.command_state(str(wanted).upper(), 0 if done else None) if wanted else ""
        return f"<rsp:ReceiveResponse>{stream}{state}</rsp:ReceiveResponse>"

    def signal(self, question: soap.Question) -> str:
        """Stop a pipeline; one that has ended is forgotten."""
        for signal in soap.parts(question, "Signal"):
            pipeline_id = _identifier(signal.get("CommandId"))
            with self._state:
                pipeline = self._pipelines.get(pipeline_id) if pipeline_id else None
                if pipeline is not None and pipeline.state == PSInvocationState.Running:
                    pipeline.stop()
                    self._drain()
        return "<rsp:SignalResponse/>"

    def _feed(self, data: bytes, pipeline_id: uuid.UUID | None) -> None:
        self._pool.receive_data(psrpcore.PSRPPayload(data, psrpcore.StreamType.default, pipeline_id))
        while (event := self._pool.next_event()) is not None:
            if isinstance(event, psrpcore.CreatePipelineEvent):
                commands = event.pipeline.commands
                script = commands[0].command_text if commands else ""
                self._work[event.pipeline_id] = Work(_without_exit(script))
                if event.pipeline.no_input:
                    self._start(event.pipeline_id)
            elif isinstance(event, psrpcore.PipelineInputEvent):
                given = event.data if isinstance(event.data, list) else [event.data]
                self._lines[event.pipeline_id] += [str(line) for line in given]
            elif isinstance(event, psrpcore.EndOfPipelineInputEvent):
                self._start(event.pipeline_id)
        self._drain()

    def _start(self, pipeline_id: uuid.UUID) -> None:
        work = self._work[pipeline_id]

        def run(script: str, lines: list[str]) -> Reply:
            try:
                reply = self._run(script, lines)
            except Lost:
                with self._state:
                    self._lost.add(pipeline_id)
                    self._state.notify_all()
                raise
            with self._state:
                self._write(pipeline_id, reply)
            return reply

        work.start(run, self._lines[pipeline_id])

    def _write(self, pipeline_id: uuid.UUID, reply: Reply) -> None:
        """All messages of a pipeline at once: a client that polls a single time must see the output."""
        pipeline = self._pipelines[pipeline_id]
        pipeline.start()
        for line in reply.output:
            pipeline.write_output(line)
        if reply.errors:
            pipeline.host_call(HostMethodIdentifier.WriteErrorLine, [reply.errors])
        if reply.rc:
            pipeline.host_call(HostMethodIdentifier.SetShouldExit, [reply.rc])
        pipeline.complete()
        self._drain()

    def _drain(self) -> None:
        """Make pieces of whole fragments: clients cannot put a fragment together from two answers."""
        while (payload := self._pool.data_to_send(_PIECE)) is not None:
            self._waiting.setdefault(payload.pipeline_id, []).append(bytes(payload.data))
        self._state.notify_all()

    def _finished(self, pipeline_id: uuid.UUID) -> bool:
        return self._pipelines[pipeline_id].state in (
            PSInvocationState.Completed,
            PSInvocationState.Stopped,
            PSInvocationState.Failed,
        )


def _identifier(given: str | None) -> uuid.UUID | None:
    return uuid.UUID(given) if given else None


def _without_exit(script: str) -> str:
    """psrp adds a line to what is no encoded script, and runs that as it is."""
    return decode(script.removesuffix("\nexit $LASTEXITCODE"))
