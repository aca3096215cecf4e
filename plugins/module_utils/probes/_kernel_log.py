# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the kernel complained about since it booted (part of the hardware probe).

Messages that differ only in numbers are one template with a count: a dying disk writes thousands of lines.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json
import re

# Newest lines that are looked at; together with the output cap of a command this bounds the work.
MOST_LINES = 1500
MOST_TEMPLATES = 60
ERROR = 3
WARNING = 4
# First match wins. Lines of priority "warning" count only when they are of one of these kinds.
KINDS = (
    ("out_of_memory", r"Out of memory|out of memory: Killed|invoked oom-killer|^oom-kill:"),
    ("memory_error", r"\[Hardware Error\]|Machine [Cc]heck|^mce: .*error|EDAC .*\b(?:UE|CE)\b|Uncorrected.*memory"),
    ("raid", r"^md/raid.*(?:Disk failure|not clean|cannot)|^md: .*(?:kicking non-fresh|cannot)"),
    (
        "filesystem_error",
        r"EXT[234]-fs (?:error|\(.*\): .*(?:read-only|error))|JBD2: .*(?:[Ee]rror|abort)|Aborting journal"
        r"|XFS .*(?:[Cc]orrupt|I/O [Ee]rror|Internal error|[Ss]hut)|BTRFS.*(?:error|critical|corrupt|errs)",
    ),
    (
        "io_error",
        r"I/O error|critical (?:medium|target) error|Medium Error|rejecting I/O to offline device"
        r"|^ata\d.*(?:failed command|exception Emask|error:)|^nvme .*(?:timeout|controller is down|[Rr]emoving)"
        r"|FAILED Result:",
    ),
    ("hung_task", r"blocked for more than \d+ seconds|detected stalls? on|self-detected stall"),
    ("lockup", r"soft lockup|hard LOCKUP"),
    (
        "table_full",
        r"nf_conntrack: .*table full|neighbou?r(?: |: ).*overflow|TCP: out of memory|too many orphaned sockets",
    ),
    ("thermal", r"temperature above threshold|clock (?:is )?throttled|critical temperature"),
    ("pci_error", r"PCIe Bus Error|AER: .*error"),
    ("kernel_bug", r"^BUG:|Oops:|general protection fault|kernel BUG at|Kernel panic"),
)
_KINDS = tuple((name, re.compile(pattern)) for name, pattern in KINDS)
_NUMBER = re.compile(r"\b0x[0-9a-fA-F]+\b|\b[0-9a-f]{12,}\b|(?<![\w.-])\d+(?:\.\d+)*\b(?![-:]\w)")
_RAW_LINE = re.compile(r"^<(\d+)>\[\s*(\d+\.\d+)\]\s?(.*)$")


def collect(machine):
    """Return {"source": journal|dmesg, "messages", "templates", "complete"} or None when neither may be read."""
    lines = _from_journal(machine)
    source = "journal"
    if lines is None:
        lines = _from_ring_buffer(machine)
        source = "dmesg"
    if lines is None:
        return None
    found = [line for line in lines if line["priority"] <= ERROR or line["kind"] != "other"]
    templates = summarise(found)
    return {
        "source": source,
        "messages": len(found),
        "templates": templates[:MOST_TEMPLATES],
        "complete": len(lines) < MOST_LINES and len(templates) <= MOST_TEMPLATES and not machine.truncated,
    }


def system_journal_hidden(output):
    """True when journalctl says on standard error that this user sees no messages of the system."""
    return "insufficient permissions" in output.err or "not seeing messages from other users" in output.err


def _from_journal(machine):
    """Lines of the journal; None when there is no journal or it may not be read."""
    if not machine.glob("/var/log/journal/*/*.journal") and not machine.glob("/run/log/journal/*/*.journal"):
        machine.note("kernel journal", "absent", "no journal files")
        return None
    argv = ["journalctl", "-k", "-b", "-p", "warning", "-o", "json", "--no-pager", "-r", "-n", str(MOST_LINES)]
    fields = "--output-fields=MESSAGE,PRIORITY"
    output = machine.run(argv + [fields], timeout=4, accepted=(0, 1), source="kernel journal")
    if "unrecognized option" in output.err:  # systemd before 236
        output = machine.run(argv, timeout=4, accepted=(0, 1), source="kernel journal")
    if system_journal_hidden(output):
        machine.note("kernel journal", "denied", "the system journal may not be read by this user")
        return None
    if output.ok and output.rc and output.err.strip() and not output.out.strip():
        # It ends with 1 where there is no entry, too, but then says nothing on standard error.
        machine.note("kernel journal", "error", output.err.strip())
        return None
    if not output.ok:
        return None
    text = output.out
    if output.truncated:
        text = text[: text.rfind("\n") + 1]
    try:
        return parse_journal(text)
    except ValueError as exc:
        machine.note("kernel journal", "error", str(exc))
        return None


def _from_ring_buffer(machine):
    output = machine.run(["dmesg", "-r"], timeout=3)
    if not output.ok:
        return None
    uptime = machine.read("/proc/uptime")
    booted_at = machine.now() - float(uptime.split()[0]) if uptime else None
    return parse_ring_buffer(output.out, booted_at)[-MOST_LINES:]


def parse_journal(text):
    """Lines of ``journalctl -o json``: [{"at", "priority", "kind", "message"}]; times are epoch seconds.

    A message that is no text comes as a list of bytes; one beyond the journal's limit as null. Raises ValueError
    with a line that is no entry.
    """
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("-- "):
            continue
        try:
            entry = json.loads(line)
            message = entry.get("MESSAGE")
            if isinstance(message, list):
                message = bytes(bytearray(message)).decode("utf-8", "replace")
            found.append(_entry(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, int(entry.get("PRIORITY", 6)), message or ""))
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise ValueError("journalctl: not an entry: %r" % line[:120]) from exc
    return found


def parse_ring_buffer(text, booted_at):
    """Lines of ``dmesg -r`` that the kernel itself wrote; others may write there, too. Continued lines are skipped.

    ``booted_at`` (epoch seconds) turns the kernel's clock into times; None leaves them unknown.
    """
    found = []
    for line in text.splitlines():
        match = _RAW_LINE.match(line)
        if match and int(match.group(1)) < 8:
            at = None if booted_at is None else booted_at + float(match.group(2))
            found.append(_entry(at, int(match.group(1)), match.group(3)))
    return found


def _entry(at, priority, message):
    return {"at": at, "priority": priority, "kind": kind_of(message), "message": message}


def kind_of(message):
    """Kind of a kernel message, ``other`` when it is none that is known."""
    return next((name for name, pattern in _KINDS if pattern.search(message)), "other")


def template_of(message):
    """The message with every number that stands alone as ``#``; names such as sda1, dm-0 and CPU3 stay."""
    return _NUMBER.sub("#", message.strip())[:200]


def summarise(lines):
    """Count lines by template, most frequent first: [{"kind", "template", "priority", "count", "first_at",
    "last_at", "sample"}]; ``priority`` is the most urgent one met, ``sample`` the newest text."""
    found = {}
    for line in sorted(lines, key=lambda line: line["at"] or 0):
        template = template_of(line["message"])
        entry = found.setdefault(
            template,
            {"kind": line["kind"], "template": template, "priority": 7, "count": 0, "first_at": line["at"]},
        )
        entry["priority"] = min(entry["priority"], line["priority"])
        entry["count"] += 1
        entry["last_at"] = line["at"]
        entry["sample"] = line["message"][:300]
    return sorted(found.values(), key=lambda entry: (-entry["count"], entry["template"]))
