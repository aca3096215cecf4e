# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what is wrong with a survey of AWX, and with answers to it. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence

TYPES = ("text", "textarea", "password", "multiplechoice", "multiselect", "integer", "float")
_CHOOSING = ("multiplechoice", "multiselect")
_NEEDED = ("question_name", "variable", "required")
Question = Mapping[str, t.Any]


def lint(spec: t.Any) -> Iterator[str]:
    """Yield what AWX would refuse in a survey, sentences without an end."""
    if not isinstance(spec, Mapping) or not spec.get("spec"):
        yield "a survey has no question"
        return
    for key in ("name", "description"):
        if key not in spec:
            yield f"{key} has to be said"
    known: set[str] = set()
    for number, question in enumerate(spec["spec"]):
        where = f"question {number} ({question.get('variable') or 'without a variable'})"
        for key in _NEEDED:
            if key not in question:
                yield f"{where} has no {key}"
        if question.get("variable") in known:
            yield f"{where} has the variable of another"
        known.add(str(question.get("variable")))
        yield from (f"{where} {problem}" for problem in _of_one(question))


def _of_one(question: Question) -> Iterator[str]:
    kind = question.get("type")
    if kind not in TYPES:
        yield (
            f"has no type; it should be one of {', '.join(TYPES)}"
            if kind is None
            else (f"has the type '{kind}', which is none of {', '.join(TYPES)}")
        )
        return
    choices = _choices(question)
    if kind in _CHOOSING and not choices:
        yield "has no choices"
        return
    default = question.get("default")
    if default in (None, ""):
        return
    yield from (f"has a default that {problem}" for problem in _wrong(question, default))


def _choices(question: Question) -> list[str]:
    given = question.get("choices") or []
    return given.split("\n") if isinstance(given, str) else [str(choice) for choice in given]


def answered(spec: t.Any, answers: Mapping[str, t.Any], asks_for_more: t.Any = False) -> Iterator[str]:
    """Yield what AWX would refuse in answers to a survey (None: there is none), sentences without an end."""
    questions: Sequence[Question] = spec.get("spec") or () if isinstance(spec, Mapping) else ()
    known = {str(question.get("variable")): question for question in questions}
    for variable, question in known.items():
        if variable in answers:
            yield from (f"the answer to {variable} {problem}" for problem in _wrong(question, answers[variable]))
        elif question.get("required") and question.get("default") in (None, ""):
            yield f"{variable} is not answered, and the survey requires it"
    if not asks_for_more:
        for variable in answers:
            if variable not in known:
                yield f"nobody asks for {variable}; AWX would refuse it"


def _wrong(question: Question, value: t.Any) -> Iterator[str]:
    kind = question.get("type")
    if kind == "multiplechoice" and value not in _choices(question):
        yield f"is none of its choices: {value!r}"
    elif kind == "multiselect":
        given = value.split("\n") if isinstance(value, str) else value
        yield from (f"is none of its choices: {word!r}" for word in given if word not in _choices(question))
    elif kind in ("integer", "float"):
        yield from _wrong_number(question, value)
    elif kind in ("text", "textarea", "password"):
        if not isinstance(value, str):
            yield f"should be a text, not {value!r}"
        else:
            yield from _out_of_bounds(question, len(value), f"{len(value)} characters long")


def _wrong_number(question: Question, value: t.Any) -> Iterator[str]:
    allowed = (int,) if question["type"] == "integer" else (int, float)
    if not isinstance(value, allowed) or isinstance(value, bool):
        yield f"should be {'a whole number' if question['type'] == 'integer' else 'a number'}, not {value!r}"
    else:
        yield from _out_of_bounds(question, value, str(value))


def _out_of_bounds(question: Question, size: float, shown: str) -> Iterator[str]:
    least, most = question.get("min"), question.get("max")
    if least is not None and size < least:
        yield f"is {shown}; the least is {least}"
    if most is not None and size > most:
        yield f"is {shown}; the most is {most}"
