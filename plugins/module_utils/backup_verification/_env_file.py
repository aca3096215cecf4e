# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: read a file of lines KEY=value as systemd reads its EnvironmentFile (systemd.exec(5)).

Errors name the line and never what is in it. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
# In double quotes a backslash before others of these stays what it is.
_ESCAPED = '"\\`$'
_BLANK = " \t\r"


def parse(text, path):
    """{name: value} of the text of such a file. Raises AgentError (bad_credentials) with path and line."""
    found = {}
    position, line = 0, 1
    while position < len(text):
        start = line
        while position < len(text) and text[position] in _BLANK + "\n":
            line += text[position] == "\n"
            start = line
            position += 1
        if position >= len(text):
            break
        if text[position] in "#;":
            position = _end_of_comment(text, position)
            line = 1 + text.count("\n", 0, position)
            continue
        equals = text.find("=", position)
        name = text[position:equals].strip() if equals >= 0 else ""
        if not _NAME.match(name):
            raise AgentError("bad_credentials", "%s, line %d: this is not NAME=value." % (path, start))
        value, position = _value(text, equals + 1, path, start)
        found[name] = value
        line = 1 + text.count("\n", 0, position)
    return found


def _end_of_comment(text, position):
    """A comment ends with its line; a backslash at the end makes the next line part of it."""
    while position < len(text) and text[position] != "\n":
        position += 2 if text[position] == "\\" else 1
    return position


def _value(text, position, path, line):
    """(The value that begins here, where the line ends)."""
    value, kept = "", 0
    while position < len(text) and text[position] in _BLANK:
        position += 1
    while position < len(text) and text[position] != "\n":
        letter = text[position]
        if letter in "\"'":
            part, position = _in_quotes(text, position, path, line)
            value += part
            kept = len(value)
        elif letter == "\\":
            follows = text[position + 1 : position + 2]
            value += "" if follows == "\n" else follows
            kept = len(value)
            position += 2
        else:
            value += letter
            kept = kept if letter in _BLANK else len(value)
            position += 1
    # Blanks at the end are not part of it.
    return value[:kept], position


def _in_quotes(text, position, path, line):
    """(What is between the quotes that begin here, where they end)."""
    quote, value = text[position], ""
    position += 1
    while position < len(text) and text[position] != quote:
        follows = text[position + 1 : position + 2]
        if quote == '"' and text[position] == "\\" and follows:
            value += follows if follows in _ESCAPED else "" if follows == "\n" else "\\" + follows
            position += 2
        else:
            value += text[position]
            position += 1
    if position >= len(text):
        raise AgentError("bad_credentials", "%s, line %d: the quotes do not end." % (path, line))
    return value, position + 1
