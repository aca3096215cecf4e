# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every word that a client reads goes through a catalogue, every catalogue is whole, and dates are the client's."""

from __future__ import annotations

import gettext
import re
import string
import subprocess
import sys
from datetime import UTC, date
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import backup_maker
import fleet_maker
import pytest
import service_maker
from babel.messages.pofile import read_po

from ansible_collections.keepwell.fleet.plugins.plugin_utils.languages import LANGUAGES, language_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.brand import Brand
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import FOLDER, translations
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import desk_for
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.owner.page import owner_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.wording import Wording

ROOT = Path(__file__).parents[5]
TEMPLATES = [str(ROOT / "roles" / "health_report" / "templates")]
TRANSLATED = [language for language in LANGUAGES if language != "en"]
NOW = fleet_maker.NOW


class Pseudo(gettext.NullTranslations):
    """Marks every text, and makes it half as long again, as a translation does."""

    def gettext(self, message):
        return self._marked(message)

    def ngettext(self, msgid1, msgid2, n):
        return self._marked(msgid1 if n == 1 else msgid2)

    def pgettext(self, context, message):
        return self._marked(message)

    def npgettext(self, context, msgid1, msgid2, n):
        return self._marked(msgid1 if n == 1 else msgid2)

    @staticmethod
    def _marked(message):
        return f"⟦{message}{'~' * (len(message) // 2)}⟧"


def run_of(locale="en", **more):
    run = backup_maker.with_backups(fleet_maker.make_run(14))
    return service_maker.with_service(run, locale=locale, **more)


def seen(page: bytes) -> list[str]:
    """Every text that somebody sees or hears, one by one."""
    body = page.decode().split("</style>")[1]
    words = re.findall(r'(?:aria-label|alt|title)="([^"]*)"', body)
    return [unescape(text).strip() for text in [*re.split(r"<[^>]*>", body), *words] if text.strip()]


def test_no_word_of_the_page_passes_by_the_catalogues():
    run = run_of()
    files, _warnings = owner_files(desk_for(run), TEMPLATES, ["html"], Brand(), Pseudo())
    # What is data: names, what the provider wrote, dates and numbers as the client's language writes them.
    agenda = run.header.agreement.agenda
    own = [entry.ask for entry in agenda.decisions] + [entry.otherwise for entry in agenda.decisions]
    own += [entry.price for entry in agenda.decisions] + [entry.what for entry in agenda.dates]
    own += [entry.what for entry in agenda.promises] + [entry.note for entry in agenda.promises]
    own += [run.header.client.name, run.header.client.timezone, run.header.run_id, "files", "/srv"]
    own += [host.host for host in run.hosts]
    passed = []
    for text in seen(files["owner.html"]):
        # From the inside out: one marked text can hold another.
        while (shorter := re.sub(r"⟦[^⟦⟧]*⟧", "", text)) != text:
            text = shorter
        for known in sorted(own, key=len, reverse=True):
            text = text.replace(known, "") if known else text
        text = re.sub(r"\d+\u00a0[A-Z][a-z]+( \d{4})?|[\d.,]+\u00a0[kMGT]B", "", text)
        if re.search("[^\\W\\d_]{2,}", text):
            passed.append(text)
    assert passed == []
    # The test itself sees what was forgotten.
    assert any("⟦" in text for text in seen(files["owner.html"]))


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("locale", TRANSLATED)
def test_no_english_is_left_in_a_translated_page(locale, empty):
    english = make_bundle(run_of(empty=empty), TEMPLATES, ["owner"], ["html"]).files["owner.html"]
    page = make_bundle(run_of(locale, empty=empty), TEMPLATES, ["owner"], ["html"]).files["owner.html"]
    same = {text for text in seen(page) if " " in text and re.search("[a-z]{3}", text)} & set(seen(english))
    agenda = service_maker._agreement(14, "")["agenda"]
    written = str(agenda)
    named = {text for text in same if ".demolen.example" in text or text == "Bakkerij De Molen B.V."}
    named.add("14 machines")  # Dutch as well
    assert {text for text in same - named if text.strip(" .;:") not in written} == set()


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_has_a_translation_with_the_same_placeholders(language):
    with (FOLDER / f"{language}.po").open("rb") as source:
        catalogue = read_po(source, locale=language, abort_invalid=True)
    assert catalogue.plural_forms == "nplurals=2; plural=(n != 1);"
    messages = [message for message in catalogue if message.id]
    assert len(messages) > 200
    for message in messages:
        assert not message.fuzzy, message.id
        wanted = [message.id] if isinstance(message.id, str) else list(message.id)
        got = [message.string] if isinstance(message.string, str) else list(message.string)
        assert len(got) == len(wanted)
        assert all(text.strip() for text in got), message.id
        names = {name for text in wanted for name in placeholders(text)}
        for text in got:
            # A form for one may say its number in words; none may ask for what there is not.
            assert placeholders(text) <= names, (message.id, text)
            assert placeholders(got[-1]) == placeholders(wanted[-1]), (message.id, got[-1])
            assert text.count("%s") == wanted[-1].count("%s"), (message.id, text)
            assert text[-1:] == wanted[-1][-1:] or text[-1:] not in ".:?;,", (message.id, text)


def placeholders(text: str) -> set[str]:
    if "%(" in text:
        return set(re.findall(r"%\((\w+)\)s", text))
    return {name for _text, name, _format, _conversion in string.Formatter().parse(text) if name}


def test_the_catalogues_hold_the_texts_of_today():
    done = subprocess.run(
        [sys.executable, "tools/messages.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("language", "long", "short", "number", "share", "size"),
    [
        ("en", "3 March 2027", "3 Mar 2027", "1,234.5", "99.9 %", "41.3 GB"),
        ("nl", "3 maart 2027", "3 mrt 2027", "1.234,5", "99,9 %", "41,3 GB"),
        ("de", "3. März 2027", "3. März 2027", "1.234,5", "99,9 %", "41,3 GB"),
        ("it", "3 marzo 2027", "3 mar 2027", "1.234,5", "99,9 %", "41,3 GB"),
    ],
)
def test_dates_and_numbers_are_written_as_in_the_language(language, long, short, number, share, size):
    say = Wording(language, translations(language), ZoneInfo("Europe/Amsterdam"), NOW)
    day = date(2027, 3, 3)
    told = (say.date(day), say.short(day), say.number(1234.56, 1), say.percent(0.99999), say.size(41_399_000_000))
    assert tuple(text.replace("\u00a0", " ") for text in told) == (long, short, number, share, size)


def test_times_are_those_of_the_client_and_nothing_is_rounded_up():
    say = Wording("nl", translations("nl"), ZoneInfo("Europe/Amsterdam"), NOW)
    assert say.moment("2026-07-31T22:30:00Z").replace("\u00a0", " ") == "1 augustus 2026, 00:30"
    assert say.day("2026-12-31T23:30:00Z").replace("\u00a0", " ") == "1 jan 2027"
    assert say.percent(1).replace("\u00a0", " ") == "100 %"
    assert say.percent(0).replace("\u00a0", " ") == "0 %"
    assert [say.length(seconds) for seconds in (59, 3599, 3600, 47 * 3600, 72 * 3600, 13.9 * 86400)] == [
        "0 minuten", "59 minuten", "1 uur", "47 uur", "3 dagen", "13 dagen",
    ]  # fmt: skip
    assert Wording("en", translations("en"), UTC, NOW).machines(1) == "1 machine"


def test_a_locale_names_a_language_in_the_ways_people_write_it():
    assert [language_of(name) for name in ("nl", "nl_NL", "de-AT", "it_IT.UTF-8", "en")] == [
        "nl",
        "nl",
        "de",
        "it",
        "en",
    ]
    assert [language_of(name) for name in ("fr", "", "nederlands", "NL", "../etc")] == [None] * 5
