# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the owner's page as files: HTML, and PDF where that is asked for and can be made."""

from __future__ import annotations

import gettext
from collections.abc import Collection, Sequence
from dataclasses import replace

from ansible_collections.keepwell.fleet.plugins.plugin_utils.report import pdf
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.brand import Brand
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import texts_for
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import Desk, file_name
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import badges
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.owner.view import owner_view

TEMPLATE = "owner/page.html.j2"
STYLE = "owner/style.css"


def owner_files(
    desk: Desk,
    search_path: Sequence[str],
    formats: Collection[str],
    brand: Brand,
    texts: gettext.NullTranslations | None = None,
) -> tuple[dict[str, bytes], list[str]]:
    """Return the files of the owner's report, in the client's language, and what the reader of the play should know.

    ``texts`` are other texts than the client's.
    """
    own, language, warning = texts_for(desk.run.header.client.locale)
    texts = own if texts is None else texts
    warnings = [warning] if warning else []
    view = owner_view(replace(desk, texts=texts, badges=badges(texts)), language, brand)
    page = Templates(search_path, texts, STYLE, brand).html(TEMPLATE, view=view)
    files: dict[str, bytes] = {}
    if "html" in formats:
        files[file_name(desk.run, "owner", "html")] = page
    if "pdf" in formats:
        name = file_name(desk.run, "owner", "pdf")
        if pdf.available():
            files[name] = pdf.pdf(page)
        else:
            warnings.append(pdf.MISSING.format(name=name))
    return files, warnings
