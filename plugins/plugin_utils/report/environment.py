# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the templates' surroundings: sandboxed, escaping, strict, translatable."""

from __future__ import annotations

import base64
import functools
import gettext
import hashlib
import os
import re
import types
import typing as t
from collections.abc import Sequence
from pathlib import Path

from jinja2 import BytecodeCache, FileSystemLoader, StrictUndefined, TemplateError
from jinja2.bccache import Bucket
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.brand import Brand
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import SOURCE, language_in
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.charts import COLUMN, ROW
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import css_variables
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.wording import decimal
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.words import word

# The collection's own templates, the last place to look.
_TEMPLATES = Path(__file__).parents[3] / "roles" / "health_report" / "templates"
# Marks that mean something inside a line, everywhere.
_INLINE = re.compile(r"([\\`*_\[\]|~])")
# What opens a heading, a list or a rule when a value stands at the start of an item.
_LEADING = re.compile(r"^(\s*)([#+=-]|\d{1,9}(?=[.)]))")


def search_path(extra: Sequence[str], base: str = "") -> list[str]:
    """Return the template folders in order; relative ones begin at ``base``.

    A folder that is not there is a mistake, not an empty override.
    """
    folders = [os.path.normpath(os.path.join(base, folder)) for folder in extra]
    for folder in folders:
        if not os.path.isdir(folder):
            raise EvidenceError(
                f"No report was made: the template folder {folder} does not exist. Correct 'templates' or make it."
            )
    return [*folders, str(_TEMPLATES)]


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, which remembers its verdicts: they depend on type and name alone, and a page asks very often."""

    def __init__(self, **options: t.Any) -> None:
        super().__init__(**options)
        self._verdicts: dict[tuple[type, str], bool] = {}

    def is_safe_attribute(self, obj: t.Any, attr: str, value: t.Any) -> bool:
        key = (type(obj), attr)
        known = self._verdicts.get(key)
        if known is None:
            known = self._verdicts[key] = super().is_safe_attribute(obj, attr, value)
        return known


class _Compiled(BytecodeCache):
    """Templates as they were compiled in this process, by the hash of their source. For environments of one kind."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], types.CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._code[bucket.key, bucket.checksum] = bucket.code


# What a template of one's own can end with: Jinja's own errors, and those of the sums and the text in it.
_FAILS = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError, MemoryError, OSError)
# What is compiled depends on how values are put in, and not on the texts of a language.
_HTML, _MARKDOWN, _TEXT = _Compiled(), _Compiled(), _Compiled()


class Templates:
    """The templates of one report run: ``search_path`` is looked through in order, the first hit wins."""

    def __init__(
        self,
        search_path: Sequence[str],
        texts: gettext.NullTranslations,
        sheet: str = "style.css",
        brand: Brand | None = None,
    ) -> None:
        """``sheet`` is the style sheet of the pages, ``brand`` whose pages they are: every template is told of it."""
        self.brand = brand or Brand()
        loader = FileSystemLoader([str(folder) for folder in search_path])
        self._html = _environment(loader, texts, _HTML, autoescape=True)
        self._markdown = _environment(loader, texts, _MARKDOWN, autoescape=False, finalize=markdown_escape)
        self._text = _environment(loader, texts, _TEXT, autoescape=False)
        self._sheet = sheet
        self._always = {
            "language": language_in(texts),
            "provider": self.brand.name,
            "accent": self.brand.colour,
            "logo": self.brand.logo_data(),
        }
        self._look: tuple[Markup, str] | None = None

    def html(self, name: str, **values: t.Any) -> bytes:
        """Return a page. Its style sheet and the policy that admits it alone are given to the template."""
        style, policy = self._style()
        return self._render(self._html, name, {"style": style, "csp": policy, **values})

    def markdown(self, name: str, **values: t.Any) -> bytes:
        """Return a Markdown text; every value in it is escaped."""
        return self._render(self._markdown, name, values)

    def text(self, name: str, **values: t.Any) -> str:
        """Return a plain text, for what shows every character as it is."""
        return self._render(self._text, name, values).decode("utf-8")

    def mail(self, name: str, **values: t.Any) -> str:
        """Return the HTML of a mail: its style stands in the tags, for many readers of mail drop a style sheet."""
        return self._render(self._html, name, values).decode("utf-8")

    def _style(self) -> tuple[Markup, str]:
        if self._look is None:
            try:
                source, _name, _fresh = self._html.loader.get_source(self._html, self._sheet)  # type: ignore[union-attr]
            except _FAILS as exc:
                raise _broken(self._sheet, exc) from exc
            grid = f":root{{--column:{COLUMN}px;--row:{ROW}px}}\n"
            style = css_variables() + self.brand.css() + grid + source.strip() + "\n"
            if "</" in style or re.search(r"@import|url\((?!#|[\"']?data:)", style):
                raise EvidenceError(
                    f"No report was made: {self._sheet} holds '</', '@import' or a link to another file. A report "
                    f"is one file that asks for nothing; put the rules into {self._sheet} itself."
                )
            self._look = (Markup(style), content_security_policy(style))  # noqa: S704 - checked just above
        return self._look

    def _render(self, environment: _Sandbox, name: str, values: dict[str, t.Any]) -> bytes:
        try:
            # Lone surrogates (bytes of a host that were no text) have no UTF-8 form.
            return environment.get_template(name).render({**self._always, **values}).encode("utf-8", "replace")
        except _FAILS as exc:
            raise _broken(name, exc) from exc


def content_security_policy(style: str) -> str:
    """Return the policy under which a page may use this style sheet and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def markdown_escape(value: t.Any) -> t.Any:
    """Return text that shows as itself in Markdown, in a table too; other values as they are."""
    if not isinstance(value, str):
        return value
    text = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _INLINE.sub(r"\\\1", text)
    # Bare addresses become links by themselves in most dialects.
    text = text.replace("://", "&#58;//").replace("www.", "www&#46;")
    return _LEADING.sub(_escape_leading, text)


def _escape_leading(match: re.Match[str]) -> str:
    mark = match.group(2)
    # A digit has no backslash form; as an entity it opens no list.
    return match.group(1) + (f"&#{ord(mark[0])};{mark[1:]}" if mark[0].isdigit() else f"\\{mark}")


def _environment(
    loader: FileSystemLoader, texts: gettext.NullTranslations, compiled: _Compiled, **options: t.Any
) -> _Sandbox:
    environment = _Sandbox(
        loader=loader,
        bytecode_cache=compiled,
        # A report is made of the templates as they were when it was begun.
        auto_reload=False,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
    environment.install_gettext_translations(texts, newstyle=True)  # type: ignore[attr-defined]
    # For tags around what evidence says in its own words: who hears a page has to hear them in English.
    environment.globals["said"] = Markup("" if language_in(texts) == SOURCE else f' lang="{SOURCE}"')  # noqa: S704 - ours
    environment.filters["decimal"] = functools.partial(_decimal, texts)
    environment.filters["word"] = functools.partial(_word, texts)
    return environment


def _decimal(texts: gettext.NullTranslations, value: t.Any) -> str:
    """The filter ``decimal``: a number with the decimal sign of the reader's language."""
    return decimal(language_in(texts), str(value))


def _word(texts: gettext.NullTranslations, said: str, kind: str) -> str:
    """The filter ``word``: a word of evidence in the reader's language."""
    return word(texts, kind, said)


def _broken(name: str, exc: Exception) -> EvidenceError:
    line = getattr(exc, "lineno", None)
    place = f", line {line}" if line else ""
    where = name
    told = f"{exc or type(exc).__name__}"
    if isinstance(exc, TemplateError):
        where, told = getattr(exc, "name", None) or name, str(exc.message)
    return EvidenceError(
        f"No report was made: the template {where}{place} failed: {' '.join(told.split())}. "
        "Correct it, or take its folder out of 'templates' to use the collection's own."
    )
