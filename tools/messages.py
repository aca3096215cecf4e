"""Bring the catalogues of translations up to date with the texts of all reports and messages.

``python tools/messages.py`` adds new texts, without a translation, and drops those that are gone; ``--check`` says what
a catalogue lacks (exit code 1). Nothing is compiled: reports read the catalogues as they are.
"""

from __future__ import annotations

import io
import sys
import typing as t
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_file
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.keepwell.fleet.plugins.plugin_utils import assessment
from ansible_collections.keepwell.fleet.plugins.plugin_utils.languages import LANGUAGES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor_controls import FRAMEWORKS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import SOURCE
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.words import WORDS

FOLDER = ROOT / "roles" / "health_report" / "languages"
TEMPLATES = ROOT / "roles" / "health_report" / "templates"
UTILS = ROOT / "plugins" / "plugin_utils"
# What somebody reads who did not choose the language. Evidence, and what is said in a terminal, are in English.
PYTHON = (
    *sorted((UTILS / "report").rglob("*.py")),
    *sorted((UTILS / "exports").glob("*.py")),
    UTILS / "antivirus" / "telling.py",
    UTILS / "verdicts.py",
    UTILS / "maintenance_windows" / "ics.py",
)
JINJA = tuple(sorted(TEMPLATES.rglob("*.j2")))
# Short names that the code gives the functions of gettext.
KEYWORDS = {**DEFAULT_KEYWORDS, "gettext_": None, "say": None, "pgettext_": ((1, "c"), 2)}
# The same in all of these languages. Said here, for the data of libraries changes: Italian has three forms in some.
PLURALS = "nplurals=2; plural=(n != 1);"
HEADER = "# Translations of reports and messages. Edit the texts here, then run `make messages`.\n"


def template() -> Catalog:
    """All messages, without translations."""
    found = Catalog()
    for path in PYTHON:
        _add(found, path, "python")
    for path in JINJA:
        _add(found, path, "jinja2.ext:babel_extract")
    for check in assessment.check_infos():
        found.add(check.title, locations=[("docs/checks.md", 0)], context="check")
        found.add(check.advice, locations=[("docs/checks.md", 0)], context="advice")
    for framework in FRAMEWORKS:
        if framework.note:
            found.add(
                framework.note, locations=[("plugins/plugin_utils/report/auditor_controls.py", 0)], context="framework"
            )
    for kind, said in WORDS.items():
        for word in said:
            found.add(word, locations=[("plugins/plugin_utils/report/words.py", 0)], context=kind)
    return found


def _add(catalogue: Catalog, path: Path, method: t.Any) -> None:
    name = str(path.relative_to(ROOT))
    if method != "python":
        from jinja2.ext import babel_extract as method
    # As templates are rendered: there a per cent sign in a text is written twice.
    for _line, message, _comments, context in extract_from_file(
        method, path, keywords=KEYWORDS, options={"newstyle_gettext": "true"}
    ):
        catalogue.add(message, locations=[(name, 0)], context=context)


def current(language: str) -> Catalog:
    """The catalogue of a language as it lies there."""
    path = FOLDER / f"{language}.po"
    if not path.exists():
        return _empty(language)
    with path.open("rb") as source:
        return read_po(source, locale=language, abort_invalid=True)


def _empty(language: str) -> Catalog:
    catalogue = Catalog(locale=language)
    catalogue.mime_headers = [("Plural-Forms", PLURALS)]
    return catalogue


def text(language: str, messages: Catalog) -> bytes:
    """The catalogue of a language with these messages and the translations that it has."""
    old = current(language)
    fresh = _empty(language)
    for message in messages:
        if message.id:
            known = old.get(message.id, message.context)
            string = known.string if known and not known.fuzzy else None
            fresh.add(message.id, string, locations=message.locations, context=message.context)
    stream = io.BytesIO()
    write_po(stream, fresh, width=100, omit_header=True, include_lineno=False, sort_output=True)
    fields = (f"Language: {language}", "Content-Type: text/plain; charset=utf-8", f"Plural-Forms: {PLURALS}")
    head = HEADER + 'msgid ""\nmsgstr ""\n' + "".join(f'"{field}\\n"\n' for field in fields) + "\n"
    return head.encode() + stream.getvalue()


def missing(language: str) -> list[str]:
    """Texts without a translation."""
    found = []
    for message in current(language):
        forms = [message.string] if isinstance(message.string, str) else list(message.string)
        if message.id and (message.fuzzy or not all(forms)):
            found.append(str(message.id))
    return found


def main() -> int:
    """Write or compare."""
    messages = template()
    failed = False
    for language in LANGUAGES:
        if language == SOURCE:
            continue
        path = FOLDER / f"{language}.po"
        wanted = text(language, messages)
        if "--check" in sys.argv[1:]:
            stale = not path.exists() or path.read_bytes() != wanted
            if stale:
                print(f"{path.relative_to(ROOT)} is out of date: run `make messages`.")
            failed = failed or stale
        elif not path.exists() or path.read_bytes() != wanted:
            path.write_bytes(wanted)
            print(f"wrote {path.relative_to(ROOT)}")
        for message in missing(language):
            print(f"{path.relative_to(ROOT)}: no translation of {message!r}")
            failed = failed or "--check" in sys.argv[1:]
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
