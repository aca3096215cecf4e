# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the translations of reports, read from the very files that translators edit."""

from __future__ import annotations

import functools
import gettext
import io
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from ansible_collections.keepwell.fleet.plugins.plugin_utils.languages import LANGUAGES, language_of

FOLDER = Path(__file__).parents[3] / "roles" / "health_report" / "languages"
# Messages are written in it; it has no catalogue.
SOURCE = "en"
# Instead of a language: that of the client.
CLIENT = "client"
# What can be asked for.
READERS = (*LANGUAGES, CLIENT)


@functools.cache
def translations(language: str) -> gettext.NullTranslations:
    """Return the texts of one of the languages. Nothing compiled lies about that could be older than its source."""
    if language == SOURCE:
        return gettext.NullTranslations()
    with (FOLDER / f"{language}.po").open("rb") as source:
        catalogue = read_po(source, locale=language, abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def reader_texts(language: str, locale: str) -> tuple[gettext.NullTranslations, str]:
    """Return texts for a reader and a warning: in ``language``, or for ``client`` in that of the client's locale."""
    if language != CLIENT:
        return translations(language), ""
    texts, _language, warning = texts_for(locale)
    return texts, warning


def language_in(texts: gettext.NullTranslations) -> str:
    """Return the language in which texts are: what their catalogue says of itself."""
    return texts.info().get("language", SOURCE)


def texts_for(locale: str) -> tuple[gettext.NullTranslations, str, str]:
    """Return texts and language for a client's locale and, when reports do not speak it, a warning (then English)."""
    language = language_of(locale)
    if language is None:
        return translations(SOURCE), SOURCE, f"Reports do not speak '{locale}'; this one is in English."
    return translations(language), language, ""
