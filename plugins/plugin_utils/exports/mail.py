# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a run in short as a mail: a text that says everything, the same as HTML, attachments.

The same parts and the same id give the same bytes, and whoever gets a mail twice can see by its Message-ID that it is
the same one.
"""

from __future__ import annotations

import email.message
import email.policy
import email.utils
import mimetypes
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.chat import Lines
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.notice import Notice
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import visible

# Mail gateways cut what is longer, and readers do before.
BODY_BUDGET = 90_000
# What the HTML calls the picture that comes with it.
LOGO = "logo@keepwell.invalid"
_TYPES: Mapping[str, tuple[str, str]] = {
    ".csv": ("text", "csv"),
    ".html": ("text", "html"),
    ".ics": ("text", "calendar"),
    ".json": ("application", "json"),
    ".md": ("text", "markdown"),
    ".pdf": ("application", "pdf"),
    ".prom": ("text", "plain"),
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends what to whom. ``sent_at`` is the time in the head of the mail, epoch seconds."""

    message_id: str
    sender: str
    recipient: str
    sent_at: float


@dataclass(frozen=True, slots=True)
class Fitting:
    """Attachments that fit into the limit, and the names of those that do not."""

    files: dict[str, bytes]
    left_out: list[str]


def fitting(files: Mapping[str, bytes], limit: int) -> Fitting:
    """Return what fits into ``limit`` bytes on the wire, small ones first: a large one costs only itself."""
    kept: dict[str, bytes] = {}
    used = 0
    for name, content in sorted(files.items(), key=lambda item: (len(item[1]), item[0])):
        # Base64 with its line ends.
        size = (len(content) + 2) // 3 * 4 * 78 // 76
        if used + size <= limit:
            kept[name] = content
            used += size
    return Fitting({name: kept[name] for name in files if name in kept}, [name for name in files if name not in kept])


def mail_of(
    desk: Desk, notice: Notice, lines: Lines, templates: Templates, envelope: Envelope, attached: Fitting
) -> bytes:
    """Return the mail as it goes over the wire, in the language of ``desk`` and with the brand of ``templates``."""
    picture = templates.brand.picture()
    values: dict[str, t.Any] = {
        "desk": desk,
        "notice": notice,
        "lines": lines,
        "attached": list(attached.files),
        "left_out": attached.left_out,
        "logo_id": LOGO if picture else "",
    }
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"] = envelope.sender
    message["To"] = envelope.recipient
    # A text of a host or a client must not open a line of its own in the head.
    message["Subject"] = visible(lines.subject.encode("utf-8", "replace").decode("utf-8"))
    message["Date"] = email.utils.format_datetime(
        email.utils.parsedate_to_datetime(email.utils.formatdate(envelope.sent_at, usegmt=True))
    )
    message["Message-ID"] = envelope.message_id
    # No holiday notices in return: RFC 3834.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Keepwell-Client"] = notice.client.id
    message["X-Keepwell-Run"] = notice.run_id
    message.set_content(templates.text("mail/run.txt.j2", **values), cte="quoted-printable")
    message.add_alternative(templates.mail("mail/run.html.j2", **values), subtype="html", cte="quoted-printable")
    if picture:
        # In the mail itself: no reader of mail is asked to fetch anything. A picture as data: is dropped by most.
        kind, subtype = picture.kind.split("/")
        page = t.cast(list[email.message.EmailMessage], message.get_payload())[1]
        page.add_related(picture.content, maintype=kind, subtype=subtype, cid=f"<{LOGO}>", disposition="inline")
    for name, content in attached.files.items():
        kind, subtype = _type(name)
        message.add_attachment(content, maintype=kind, subtype=subtype, filename=name.rpartition("/")[2])
    _fix_boundaries(message, envelope.message_id)
    return message.as_bytes()


def _type(name: str) -> Sequence[str]:
    known = _TYPES.get("." + name.rpartition(".")[2])
    if known:
        return known
    guessed, _encoding = mimetypes.guess_type(name)
    return (guessed or "application/octet-stream").split("/", 1)


def _fix_boundaries(message: email.message.EmailMessage, message_id: str) -> None:
    """Give every part that holds others a boundary of its own: by itself it would be another one every time."""
    stem = "".join(sign for sign in message_id.partition("@")[0] if sign.isalnum())[:48]
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        # Quoted-printable never writes "=_", so no text can hold a boundary.
        part.set_boundary(f"=_{stem}_{number}")
