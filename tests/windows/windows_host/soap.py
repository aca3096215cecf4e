"""WS-Management messages: reading a question, writing an answer or a fault."""

from __future__ import annotations

import re
import typing as t
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from xml.sax.saxutils import escape

_NAMES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
    "p": "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd",
}
_DECLARED = " ".join(f'xmlns:{short}="{name}"' for short, name in _NAMES.items())
_FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
SHELL = _NAMES["rsp"]

# Codes of WinRM: [MS-WSMV] and the table "Windows Remote Management error codes".
TIMED_OUT = 2150858793
NO_SUCH_SHELL = 2150858843


class Fault(Exception):
    """An answer that says why there is none."""

    def __init__(self, code: int, text: str, subcode: str = "w:InternalError") -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.subcode = subcode


@dataclass(frozen=True)
class Question:
    """One WS-Management message of a client."""

    action: str
    """The last part of the action: Create, Command, Send, Receive, Signal, Delete."""
    resource: str
    message_id: str
    shell_id: str
    timeout_s: float
    options: t.Mapping[str, str]
    body: ET.Element


def read(message: bytes) -> Question:
    """Read a message; raise Fault where it is none."""
    try:
        envelope = ET.fromstring(message)
    except ET.ParseError as exc:
        raise Fault(2150858999, f"The message is no XML: {exc}.", "w:SchemaValidationError") from exc
    header = envelope.find("s:Header", _NAMES)
    body = envelope.find("s:Body", _NAMES)
    if header is None:
        raise Fault(2150858999, "The message has no header.", "w:SchemaValidationError")
    selectors = {
        found.get("Name", ""): found.text or "" for found in header.iterfind("w:SelectorSet/w:Selector", _NAMES)
    }
    options = {found.get("Name", ""): found.text or "" for found in header.iterfind("w:OptionSet/w:Option", _NAMES)}
    return Question(
        action=_text(header, "a:Action").rpartition("/")[2],
        resource=_text(header, "w:ResourceURI"),
        message_id=_text(header, "a:MessageID"),
        shell_id=selectors.get("ShellId", ""),
        timeout_s=_seconds(_text(header, "w:OperationTimeout")),
        options=options,
        body=body if body is not None else ET.Element("none"),
    )


def answer(question: Question, body: str) -> bytes:
    """The answer to a question; ``body`` is XML with the prefixes of this file."""
    return _envelope(question.message_id, question.action + "Response", body)


def fault(message_id: str, wrong: Fault) -> bytes:
    """A fault, with the detail by which clients tell one from another."""
    text = escape(wrong.text)
    return _envelope(
        message_id,
        "fault",
        f"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>{wrong.subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{text}</s:Text></s:Reason>'
        f'<s:Detail><f:WSManFault xmlns:f="{_FAULT}" Code="{wrong.code}" Machine="simulated">'
        f"<f:Message>{text}</f:Message></f:WSManFault></s:Detail></s:Fault>",
    )


def command_state(command_id: str, exit_code: int | None) -> str:
    """That a command is running or, with an exit code, done."""
    if exit_code is None:
        return f'<rsp:CommandState CommandId="{command_id}" State="{SHELL}/CommandState/Running"/>'
    return (
        f'<rsp:CommandState CommandId="{command_id}" State="{SHELL}/CommandState/Done">'
        f"<rsp:ExitCode>{exit_code}</rsp:ExitCode></rsp:CommandState>"
    )


def parts(question: Question, name: str) -> t.Iterator[ET.Element]:
    """All elements of the body with this local name, in order."""
    for element in question.body.iter():
        if element.tag.rpartition("}")[2] == name:
            yield element


def _envelope(message_id: str, action: str, body: str) -> bytes:
    return (
        f'<s:Envelope {_DECLARED} xml:lang="en-US"><s:Header><a:Action>{SHELL}/{action}</a:Action>'
        f"<a:MessageID>uuid:{uuid.uuid4()}</a:MessageID><a:RelatesTo>{escape(message_id)}</a:RelatesTo>"
        "<a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To></s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def _text(header: ET.Element, name: str) -> str:
    found = header.find(name, _NAMES)
    return (found.text or "").strip() if found is not None else ""


def _seconds(duration: str) -> float:
    """Seconds of an ISO 8601 duration such as PT20S; 60 where there is none, as Windows has it."""
    read = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?", duration)
    if read is None:
        return 60.0
    hours, minutes, seconds = read.groups("0")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
