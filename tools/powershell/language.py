"""What a file may be written in: Windows PowerShell 5.1 that every reader understands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from powershell.source import BYTE_ORDER_MARK, Problem, Source, child, of_kind, text_of, walk

_NEWER_NODES = {
    "ternary_expression": ("? :", "if and else"),
    "ternary_argument_expression": ("? :", "if and else"),
    "null_coalesce_expression": ("??", "if ($null -eq ...)"),
    "null_coalesce_argument_expression": ("??", "if ($null -eq ...)"),
}
_NEWER_VARIABLES = ("iswindows", "islinux", "ismacos", "iscoreclr", "psstyle", "enabledexperimentalfeatures")
# A number with a suffix or base that 5.1 does not know: 1u, 5n, 0b11, 3uy.
_NEWER_NUMBER = re.compile(r"(?i)^(0b[01]+|(0x)?[0-9a-f]*[0-9](u|n|uy|ul|us|y|s))$")
_MAYBE_MEMBER = re.compile(r"[\w})\]]\?[.\[]")
# Without -LiteralPath these take a path for a pattern: "[1]" then names another file, or none.
_PATTERNS = frozenset(
    f"{verb}-{noun}"
    for verb, nouns in {
        "get": ("item", "childitem", "content", "acl", "itemproperty", "filehash", "authenticodesignature"),
        "set": ("item", "content", "acl", "itemproperty"),
        "remove": ("item", "itemproperty"),
        "clear": ("item", "content", "itemproperty"),
        "copy": ("item",),
        "move": ("item",),
        "rename": ("item",),
        "add": ("content",),
        "test": ("path",),
        "resolve": ("path",),
        "unblock": ("file",),
    }.items()
    for noun in nouns
)
_NEWER_ESCAPE = re.compile(r"(?<!`)(?:``)*`(e|u\{)")


def encoding(source: Source) -> Iterator[Problem]:
    """5.1 reads a file without a byte order mark in the system's code page."""
    if not source.data.startswith(BYTE_ORDER_MARK):
        for number, line in enumerate(source.data.split(b"\n"), start=1):
            if not line.isascii():
                what = next(letter for letter in line.decode("utf-8", errors="replace") if not letter.isascii())
                yield source.problem(
                    number,
                    f"{what!r} is not ASCII, and PowerShell 5.1 reads a file without byte order mark in the system's "
                    "code page. Write ASCII, or [char]0x....",
                )
    if b"\r" in source.data:
        ended = source.data[: source.data.index(b"\r")].count(b"\n") + 1
        yield source.problem(ended, "A carriage return: lines of this project end in LF alone, on every system.")
    if source.data and not source.data.endswith(b"\n"):
        yield source.problem(source.data.count(b"\n") + 1, "The last line has no end. End it.")


def grammar(source: Source) -> Iterator[Problem]:
    """The grammar reads all of it. What it cannot read though it is right is written otherwise."""
    wrong = [node for node in walk(source.root) if node.is_missing or node.type == "ERROR"]
    if not wrong:
        return
    # The grammar gives up on all that is around a mistake; the shortest piece is nearest to it.
    node = min(wrong, key=lambda each: (each.is_missing, each.end_byte - each.start_byte))
    if _MAYBE_MEMBER.search(source.text.split("\n")[node.start_point.row]):
        yield source.problem(
            node, "?. and ?[ ] need PowerShell 7, and hosts have 5.1. Ask with if ($null -ne ...) first."
        )
    elif node.is_missing:
        yield source.problem(node, f"{node.type} is missing here.")
    else:
        cut = " ".join(text_of(node).split())[:60]
        yield source.problem(
            node,
            f"Cannot be read from {cut!r} on. If PowerShell reads it, write it in a plainer way: what cannot be "
            "read is not checked.",
        )


def newer(source: Source) -> Iterator[Problem]:
    """Nothing that came with PowerShell 6 or 7."""
    for node in walk(source.root):
        found = _newer(node)
        if found:
            yield source.problem(node, f"{found[0]} needs PowerShell 7, and hosts have 5.1. Instead: {found[1]}.")


def _newer(node: Node) -> tuple[str, str] | None:
    text = text_of(node)
    if node.type in _NEWER_NODES:
        return _NEWER_NODES[node.type]
    if node.type == "assignment_operator" and text == "??=":
        return "??=", "if ($null -eq ...)"
    if node.type == "pipeline_chain_tail":
        return text, "a statement of its own, and if ($?) or $LASTEXITCODE"
    if node.type == "block_name" and text.lower() == "clean":
        return "A clean block", "try and finally"
    if node.type in ("foreach_parameter", "parallel_statement", "inlinescript_statement", "sequence_statement"):
        return text.split()[0], "a runspace pool"
    if node.type == "variable":
        name = text.strip("${}").lower()
        if name in _NEWER_VARIABLES:
            return text, "what Windows says of itself, by CIM"
    if node.type in ("integer_literal", "command_name", "generic_token") and _NEWER_NUMBER.match(text):
        return f"The number {text}", "a cast such as [uint32]"
    if node.type in ("expandable_string_literal", "expandable_here_string_literal") and _NEWER_ESCAPE.search(text):
        return "The escape `e or `u{}", "[char]0x...."
    return None


def plain(source: Source) -> Iterator[Problem]:
    """No code made of text, nothing to a console, nothing from another file."""
    for node in of_kind(source.root, "command"):
        operator = child(node, "command_invocation_operator")
        if text_of(operator) == ".":
            yield source.problem(
                node,
                "A script is read into this one by '.'. Put functions into a .psm1 and name it with #AnsibleRequires.",
            )
        if any(of_kind(node, "stop_parsing", "verbatim_command_argument")):
            yield source.problem(node, "--% hands on text that nobody checks. Pass each argument as one of an array.")
    for node in of_kind(source.root, "invocation_expression"):
        target = text_of(node.children[0]).lower()
        if target in ("[console]", "[system.console]", "$host.ui", "[scriptblock]") or target.startswith("$host.ui"):
            yield source.problem(
                node, f"{text_of(node.children[0])} is refused: nobody reads a console here, and text is no code."
            )


def literal(source: Source) -> Iterator[Problem]:
    """A path is a path: who names files may put brackets into their names."""
    for node in of_kind(source.root, "command"):
        name, words = text_of(child(node, "command_name")), text_of(node).lower()
        if name.lower() in _PATTERNS and "-literalpath" not in words and " @" not in words:
            yield source.problem(node, f"{name} takes [ and ] in a path for a pattern. Name it with -LiteralPath.")
