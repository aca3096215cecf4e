# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every page and every message speaks the language of its reader: no word of ours passes by the catalogues."""

from __future__ import annotations

import functools
import gettext
import re
from html import unescape

import backup_maker
import fleet_maker
import period_maker
import pytest
import work_maker
from page_reader import TEMPLATES

from ansible_collections.keepwell.fleet.plugins.plugin_utils import languages, verdicts
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports import chat, mail, notice
from ansible_collections.keepwell.fleet.plugins.plugin_utils.languages import LANGUAGES, WRITINGS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.models import Period
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor import auditor_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor_controls import FRAMEWORKS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.brand import Brand
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import translations
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import desk_for
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.engineer import engineer_view
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.fleet import Member, fleet_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.hosts import host_view
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.period import period_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.words import WORDS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

PAGES = ("engineer", "split", "work", "backups", "hosts", "summary", "auditor", "period", "fleet", "mail", "text", "chat")
TRANSLATED = [language for language in LANGUAGES if language != "en"]
# What is written the same for everybody: names of formats and programs, units, files, zones, standards.
SAME = (
    r"\b[\w./-]+\.(?:json|csv|md|prom|html|py|yml|toml)\b|changes/|SHA-256|SHA256SUMS|\bUTC\b|Europe/Amsterdam|python3|ssh-keygen"
    r"|sha256sum|allowed_signers|Keepwell|keepwell|AWX|awx|become|→ \w+|\b\d+\.\d+\.\d+\b|[\d.,]+ (?:[KMGT]i)?B(?:/s)?\b|[\d.,]+ s\b|\[Keepwell\]"
)
ENVELOPE = mail.Envelope("<a@b.example>", "keepwell@msp.example", "ann@bakery.example", fleet_maker.NOW)


class Pseudo(gettext.NullTranslations):
    """Marks every text, and makes it half as long again, as a translation does."""

    def info(self):
        return {"language": "xx"}

    def gettext(self, message):
        return f"⟦{message}{'~' * (len(message) // 2)}⟧"

    def ngettext(self, msgid1, msgid2, n):
        return self.gettext(msgid1 if n == 1 else msgid2)

    def pgettext(self, context, message):
        return self.gettext(message)

    def npgettext(self, context, msgid1, msgid2, n):
        return self.gettext(msgid1 if n == 1 else msgid2)


@pytest.fixture
def _pseudo(monkeypatch):
    nobody = languages.Writing(("⟦m⟧",) * 12, ("⟦m⟧",) * 12, "{day} {month} {year}", "{day} {month}", "·", " ")
    monkeypatch.setitem(WRITINGS, "xx", nobody)


@functools.cache
def run_of(kind: str) -> Run:
    run = fleet_maker.make_run(14)
    if kind in ("work", "summary", "hosts"):
        run = work_maker.with_work(run)
    return backup_maker.with_backups(run) if kind in ("backups", "summary") else run


@functools.cache
def period_of() -> tuple[Run, Period]:
    return period_maker.made(14, 5)


@functools.cache
def spoken(kind: str, language: str) -> list[str]:
    return pages(kind, translations(language))


def pages(kind: str, texts: gettext.NullTranslations) -> list[str]:
    """Return what a reader gets, as HTML, Markdown or text."""
    templates = Templates(TEMPLATES, texts, brand=Brand(name="Acme IT"))
    run, period = period_of()
    if kind in ("engineer", "split", "work", "backups", "hosts"):
        desk = desk_for(run_of(kind), texts, split=kind in ("split", "hosts"))
        view = engineer_view(desk, ["run.json"])
        if kind != "hosts":
            return [templates.html("engineer/page.html.j2", view=view).decode()]
        views = [host_view(desk, host) for host in desk.run.hosts]
        return [templates.html("engineer/host_page.html.j2", view=view, host=host).decode() for host in views]
    if kind == "summary":
        return [make_bundle(run_of(kind), TEMPLATES, ["engineer"], ["md"], texts).files["summary.md"].decode()]
    if kind == "auditor":
        return [page.decode() for page in auditor_files(run, period, templates, texts)[0].values()]
    if kind == "period":
        return [page.decode() for page in period_files(run, period, templates, texts, None, []).values()]
    if kind == "fleet":
        members = [Member("demolen", run), Member("bakery", None, trouble="")]
        return [page.decode() for page in fleet_files(members, templates, texts, fleet_maker.NOW).values()]
    desk = desk_for(run_of("summary"), texts)
    told = notice.notice_of(desk)
    lines = chat.lines_of(desk, told)
    if kind == "chat":
        return ["\n".join((lines.subject, lines.partial, lines.verdict, lines.hosts, lines.results, *lines.facts, *lines.problems, lines.more, lines.foot))]
    values = {"desk": desk, "notice": told, "lines": lines, "attached": ["run.json"], "left_out": [], "logo_id": ""}
    if kind == "mail":
        return [templates.mail("mail/run.html.j2", **values)]
    return [templates.text("mail/run.txt.j2", **values)]


@functools.cache
def evidence() -> list[str]:
    """Return what runs and a period say themselves: names, and sentences that checks and chores wrote down."""
    documents = [*period_of(), *(run_of(kind) for kind in ("engineer", "work", "backups", "summary"))]
    found: set[str] = set()

    def walk(value, key=""):
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, list):
            for entry in value:
                walk(entry, key)
        elif isinstance(value, dict):
            for name, entry in value.items():
                if key in ("services", "probes", "sources", "versions", "skipped", "restored", "withheld", "repaired", "items", "cves"):
                    found.add(str(name))
                # Ours, with a translation: whoever shows them as they are in evidence is found.
                if name not in ("title", "verdict", "pillar", "state", "previous_state", "underlying", "status", "origin", "outcome", "standing", "ended", "improve", "acting"):
                    walk(entry, name)

    for document in documents:
        walk(document.model_dump(mode="json"))
        for check in getattr(document, "checks", []):
            found.discard(check.advice)
    # "running" is also what a probe says of a service.
    found -= {word for words in WORDS.values() for word in words} - {"running"}
    return sorted((text for text in found if len(text) > 2), key=len, reverse=True)


def seen(page: str) -> list[str]:
    """Every text that somebody sees or hears, one by one, without what is to be typed."""
    if "<style>" in page:
        page = page.split("</style>")[1]
    page = re.sub(r"<(code|pre)\b.*?</\1>", " ", page, flags=re.DOTALL)
    page = without_marked(page)
    words = re.findall(r'(?:aria-label|alt|title)="([^"]*)"', page)
    return [unescape(text).strip() for text in [*re.split(r"<[^>]*>|\n", page), *words] if text.strip()]


def standards() -> list[str]:
    """Return what standards call themselves and their controls, in the language in which they were published."""
    controls = [control for framework in FRAMEWORKS for control in framework.controls]
    names = [framework.name for framework in FRAMEWORKS]
    return [*names, *(control.words for control in controls), *(control.id for control in controls)]


def as_shown(own: list[str]) -> re.Pattern[str]:
    """Return what finds these texts in a page, which replaces line ends and puts its own end to a sentence."""
    shown = {form for text in own for form in (text, " ".join(text.split()), text.rstrip("."), text[:1].upper() + text[1:])}
    return re.compile("|".join(re.escape(text) for text in sorted(shown, key=len, reverse=True) if text))


def without_marked(text: str) -> str:
    """Return a text without what went through the catalogues: from the inside out, for it can hold more of the same."""
    while (shorter := re.sub(r"⟦[^⟦⟧]*⟧", " ", text)) != text:
        text = shorter
    return text


def left(text: str, known: re.Pattern[str]) -> str:
    """Return what of a text is neither marked nor evidence."""
    return re.sub(SAME, " ", known.sub(" ", text))


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.usefixtures("_pseudo")
def test_no_word_passes_by_the_catalogues(kind):
    own = [*evidence(), *standards(), "Acme IT", "bakery"]
    known = as_shown(own)
    passed = []
    for page in pages(kind, Pseudo()):
        assert "⟦" in page
        if kind == "summary":
            page = re.sub(r"\\([\\`*_\[\]|~#+=-])", r"\1", unescape(page))
        passed += [text for text in seen(page) if re.search(r"[^\W\d_]{3,}", left(text, known))]
    assert [left(text, known).strip() for text in passed] == []


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("language", TRANSLATED)
def test_no_english_sentence_of_ours_is_left(language, kind):
    """Texts that are the same in both languages are evidence, names, or words that both have."""
    # Checks of the tests have titles and advice that no catalogue knows.
    made = [text for check in run_of("engineer").checks for text in (check.title, check.advice)]
    known = as_shown([*evidence(), *made, *standards()])
    english = {text for page in spoken(kind, "en") for text in seen(page)}
    other = {text for page in spoken(kind, language) for text in seen(page)}
    assert {text for text in english & other if len(re.findall(r"[^\W\d_]{3,}", left(text, known))) > 1} == set()


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_says_which_language_it_has(kind):
    if kind in ("summary", "text", "chat"):
        return
    for language in LANGUAGES:
        assert all(f'<html lang="{language}">' in page for page in spoken(kind, language))


@pytest.mark.parametrize("kind", ["engineer", "work", "hosts", "period"])
def test_who_hears_a_page_hears_evidence_in_english(kind):
    for page in spoken(kind, "en"):
        assert page.count('lang="en"') == 1
    assert any('lang="en"' in page for page in spoken(kind, "de"))
    observed = max((problem.observed for problem in run_of("engineer").problems), key=len)
    if kind == "engineer":
        assert f'lang="en">{observed}<' in unescape(spoken(kind, "it")[0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_the_same_bytes_twice_and_their_numbers_those_of_english(language):
    for kind in ("engineer", "period", "auditor", "mail"):
        once, twice = spoken(kind, language), pages(kind, translations(language))
        assert once == twice
        numbers = re.findall(r'<b class="count">(\d+)</b>', once[0])
        assert numbers == re.findall(r'<b class="count">(\d+)</b>', spoken(kind, "en")[0])


@pytest.mark.parametrize("kind", ["engineer", "work", "backups"])
def test_the_verdict_is_evidence_in_english_and_the_same_numbers_elsewhere(kind):
    run = run_of(kind)
    assert desk_for(run).verdict == run.verdict
    for language in TRANSLATED:
        said = desk_for(run, translations(language)).verdict
        assert re.findall(r"\d+", said) == re.findall(r"\d+", verdicts.of_run(run, gettext.NullTranslations()))
        assert said != verdicts.of_run(run, gettext.NullTranslations())
