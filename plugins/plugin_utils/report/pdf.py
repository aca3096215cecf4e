# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a page as PDF, by WeasyPrint where that is installed. The same page gives the same bytes.

What a page asks for beside itself is refused, whatever its template says: a report is no way to the files of the
control node.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError

MISSING = (
    "{name} was not made: WeasyPrint is not installed here. The page is complete as HTML. Install "
    "requirements-pdf.txt into the environment of Ansible, or leave pdf out of the formats."
)


def available() -> bool:
    """True when PDFs can be made here."""
    return importlib.util.find_spec("weasyprint") is not None


def pdf(page: bytes) -> bytes:
    """Return an HTML page as tagged PDF (PDF/UA-1). Raises EvidenceError when the libraries it needs are broken."""
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
    identifier = hashlib.sha256(page).digest()[:16]
    written: bytes = document.write_pdf(pdf_variant="pdf/ua-1", pdf_identifier=identifier)
    return written
