# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a page as PDF, by WeasyPrint where that is installed. The same page gives the same bytes.

What a page asks for beside itself is refused, whatever its template says: a report is no way to the files of the
control node.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.util
import logging
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError

MISSING = (
    "{name} was not made: WeasyPrint is not installed here. The page is complete as HTML. Install "
    "requirements-pdf.txt into the environment of Ansible, or leave pdf out of the formats."
)


def available() -> bool:
    """True when PDFs can be made here."""
    return importlib.util.find_spec("weasyprint") is not None


@dataclass(frozen=True, slots=True)
class Embedded:
    """A file within a PDF. ``relationship`` is what it is to the page (ISO 32000-2, 14.13): Source, Data, Supplement.

    ``at`` is the moment that its date tells, so that the same evidence gives the same bytes.
    """

    name: str
    content: bytes
    relationship: t.Literal["Source", "Data", "Supplement"]
    says: str
    at: datetime.datetime


def pdf(page: bytes) -> bytes:
    """Return an HTML page as tagged PDF (PDF/UA-1). Raises EvidenceError when the libraries it needs are broken."""
    return _written(page, (), pdf_variant="pdf/ua-1")


def archive(page: bytes, embedded: Sequence[Embedded]) -> bytes:
    """Return an HTML page as PDF for keeping (PDF/A-3u, tagged), with files embedded. Raises EvidenceError like pdf."""
    return _written(page, embedded, pdf_variant="pdf/a-3u", pdf_tags=True)


def _written(page: bytes, embedded: Sequence[Embedded], **options: t.Any) -> bytes:
    try:
        import weasyprint
        from weasyprint.urls import URLFetcher
    except OSError as exc:
        raise EvidenceError(
            f"No PDF was made: WeasyPrint cannot load a library of the system ({exc}). Install Pango "
            "(Debian: libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0), or leave pdf out of the formats."
        ) from exc
    # It warns of every rule of the style sheet that is for screens.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    fetcher = URLFetcher(allowed_protocols=("data",))
    document = weasyprint.HTML(string=page.decode("utf-8"), url_fetcher=fetcher)
    attachments = [
        weasyprint.Attachment(
            string=entry.content,
            name=entry.name,
            description=entry.says,
            created=entry.at,
            modified=entry.at,
            relationship=entry.relationship,
        )
        for entry in embedded
    ]
    identifier = hashlib.sha256(page).digest()[:16]
    written: bytes = document.write_pdf(
        pdf_identifier=identifier, attachments=attachments, finisher=_name_once, **options
    )
    return written


def _name_once(_document: t.Any, made: t.Any) -> None:
    """Name every embedded file once among the document's own: WeasyPrint finds them in two places."""
    if "AF" in made.catalog:
        made.catalog["AF"][:] = dict.fromkeys(made.catalog["AF"])
