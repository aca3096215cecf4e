"""Brackets and quotes, counted without the grammar, which mends small mistakes and goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from powershell.source import Problem, Source

_STEP = 4
_CLOSES = {"}": "{", ")": "(", "]": "["}
_WORD_BEFORE = re.compile(r"[\w.\\/:-]$")


class _Reader:
    """Walks through a text and keeps what is open: (bracket or quote, line, indentation of that line)."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.lines = self.text.split("\n")
        self.at = 0
        self.open: list[tuple[str, int, int]] = []

    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def indent(self, line: int) -> int:
        text = self.lines[line - 1]
        return len(text) - len(text.lstrip())

    def problems(self) -> Iterator[Problem]:
        while self.at < len(self.text):
            here = self.text[self.at]
            two = self.text[self.at : self.at + 2]
            if two in ("@'", '@"') and self.text[self.at + 2 :].lstrip(" \t").startswith("\n"):
                ended = self._skip(
                    f"\n{two[1]}@", f"The here-string {two} is never ended by {two[1]}@ at a line's start."
                )
            elif two == "<#":
                ended = self._skip("#>", "The comment <# is never ended by #>.")
            elif here == "#" and not _WORD_BEFORE.search(self.text[max(0, self.at - 1) : self.at]):
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
                continue
            elif here == "'":
                ended = self._quoted()
            elif here == '"':
                self.open.append(('"', self.line(), 0))
                self.at += 1
                yield from self._expandable()
                continue
            elif here == "`":
                self.at += 2
                continue
            else:
                if here in "{([":
                    line = self.line()
                    self.open.append((here, line, self.indent(line)))
                elif here in _CLOSES:
                    yield from self._close(here)
                self.at += 1
                if here == ")" and self.open and self.open[-1][0] == '"':
                    yield from self._expandable()
                continue
            if ended is not None:
                yield ended
                return
        for bracket, line, _indent in self.open[-1:]:
            yield self.source.problem(line, f"This {bracket} is never closed. Close it, or remove it.")

    def _skip(self, end: str, text: str) -> Problem | None:
        found = self.text.find(end, self.at + 2)
        if found < 0:
            return self.source.problem(self.line(), text)
        self.at = found + len(end)
        return None

    def _quoted(self) -> Problem | None:
        """Go past a string in single quotes, in which a quote is written twice."""
        end = self.at + 1
        while True:
            end = self.text.find("'", end)
            if end < 0:
                return self.source.problem(self.line(), "This ' is never closed. Close the string.")
            if self.text[end : end + 2] != "''":
                self.at = end + 1
                return None
            end += 2

    def _expandable(self) -> Iterator[Problem]:
        """Go on in a string in double quotes, to its end or into a $( ) of its own."""
        while self.at < len(self.text):
            here = self.text[self.at]
            if here == "`" or self.text.startswith('""', self.at):
                self.at += 2
            elif here == '"':
                self.open.pop()
                self.at += 1
                return
            elif self.text.startswith("$(", self.at):
                line = self.line()
                self.open.append(("(", line, self.indent(line)))
                self.at += 2
                return
            else:
                self.at += 1
        yield from ()

    def _close(self, bracket: str) -> Iterator[Problem]:
        line = self.line()
        if not self.open or self.open[-1][0] != _CLOSES[bracket]:
            lacking = self.open[-1] if self.open else None
            why = f"; {lacking[0]} of line {lacking[1]} is open" if lacking else "; nothing is open"
            yield self.source.problem(
                line, f"This {bracket} closes nothing{why}. A bracket is missing or one too many."
            )
            # One mistake is said once.
            self.open.clear()
            self.at = len(self.text)
            return
        opened, of_line, indent = self.open.pop()
        begins = line != of_line and self.lines[line - 1].lstrip().startswith(bracket)
        # One step more is how a block is written that is an argument of a call.
        if begins and not indent <= self.indent(line) <= indent + _STEP:
            yield self.source.problem(
                line,
                f"This {bracket} closes {opened} of line {of_line}, which is indented otherwise. A bracket between "
                "them is missing or misplaced, or the lines are: indent both alike.",
            )


def check(source: Source) -> Iterator[Problem]:
    """Every bracket, quote and comment ends, by its own kind, under the line that began it."""
    return _Reader(source).problems()
