# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: make the message of a run for a receiver: bytes that wait in the spool until it is sent.

Everything comes from the run and the templates; what is made once for a run is made once for all its receivers.
"""

from __future__ import annotations

import email.utils
import functools
import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.receivers import (
    CALENDAR,
    AnyReceiver,
    Mail,
    Slack,
    Smtp,
    Teams,
    Webhook,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports import chat, mail, notice
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.formats import Dialect
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report import pdf
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.brand import Brand
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import SOURCE, reader_texts
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk, desk_for, file_name
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

CALENDAR_FILE = "windows.ics"
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class _Told:
    """A run in the language of some receivers."""

    desk: Desk
    notice: notice.Notice
    lines: chat.Lines
    templates: Templates


class Composer:
    """Makes messages of one run. ``calendar`` gives the client's coming windows as a file, b"" when there are none.

    ``brand`` is whose messages they are, ``language`` that of the engineer's report: of files, and of chats that say
    no other.
    """

    def __init__(
        self,
        run: Run,
        search_path: Sequence[str],
        calendar: Callable[[], bytes],
        brand: Brand | None = None,
        language: str = SOURCE,
    ) -> None:
        self._run = run
        self._search_path = search_path
        self._brand = brand or Brand()
        self._language = language
        self._calendar = functools.cache(calendar)
        self._files = functools.cache(self._make_files)
        self._told = functools.cache(self._tell)

    def message(
        self, receiver: AnyReceiver, recipient: str, key: str, smtp: Smtp | None, now: float, *, attach: bool = True
    ) -> bytes:
        """Return the bytes of a message; without ``attach`` a mail only names its files.

        Raises EvidenceError when a template fails.
        """
        if isinstance(receiver, Webhook):
            # For programs: as evidence has it, whatever people read.
            return self._told(SOURCE).notice.body()
        if isinstance(receiver, Slack):
            return chat.slack(self._told(receiver.language or self._language).lines)
        if isinstance(receiver, Teams):
            return chat.teams(self._told(receiver.language or self._language).lines)
        if isinstance(receiver, Mail) and smtp is not None:
            return self._mail(receiver, recipient, key, smtp, now, attach=attach)
        raise TypeError(f"no message is made for channel {receiver.channel}")

    def missing(self, receiver: AnyReceiver) -> list[str]:
        """Return a sentence for each kind of file that a receiver asks for and that cannot be made here."""
        if isinstance(receiver, Mail) and "pdf" in receiver.attach and not pdf.available():
            return [pdf.MISSING.format(name=file_name(self._run, "owner", "pdf"))]
        return []

    def _mail(self, receiver: Mail, recipient: str, key: str, smtp: Smtp, now: float, *, attach: bool) -> bytes:
        domain = email.utils.parseaddr(smtp.sender)[1].rpartition("@")[2]
        envelope = mail.Envelope(f"<{key}@{domain}>", smtp.sender, recipient, now)
        formats = tuple(kind for kind in receiver.attach if kind != CALENDAR)
        files = dict(self._files(formats, receiver.csv)) if formats else {}
        if CALENDAR in receiver.attach and (content := self._calendar()):
            files[CALENDAR_FILE] = content
        attached = mail.fitting(files, int(receiver.attach_limit_mb * _MEGABYTE) if attach else 0)
        told = self._told(receiver.language)
        return mail.mail_of(told.desk, told.notice, told.lines, told.templates, envelope, attached)

    def _tell(self, language: str) -> _Told:
        texts, _warning = reader_texts(language, self._run.header.client.locale)
        desk = desk_for(self._run, texts)
        found = notice.notice_of(desk)
        return _Told(desk, found, chat.lines_of(desk, found), Templates(self._search_path, texts, brand=self._brand))

    def _make_files(self, formats: tuple[str, ...], dialect: str) -> dict[str, bytes]:
        texts, _warning = reader_texts(self._language, self._run.header.client.locale)
        made = make_bundle(
            self._run,
            self._search_path,
            formats=formats,
            texts=texts,
            dialect=t.cast(Dialect, dialect),
            brand=self._brand,
        )
        return made.files
