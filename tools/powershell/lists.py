"""Lists stay lists: PowerShell takes what a function returns apart, and one is no list, and none is nothing.

``return @(...)`` of one element is that element, and of none nothing; ``return $null`` is one element in ``@( )``; and
nothing at all is written into JSON as ``{}`` by Windows PowerShell 5.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tree_sitter import Node

from powershell import requires
from powershell.source import ROOT, Problem, Source, around, child, functions, of_kind, text_of

_LOOPS = ("foreach_statement", "for_statement", "while_statement", "do_statement")
_PASSES_ON = (
    "pipeline_chain", "pipeline", "statement_list", "statement_block", "if_statement", "else_clause", "elseif_clauses",
    "elseif_clause", "unary_expression", "parenthesized_expression", "assignment_value", *_LOOPS,
)  # fmt: skip


def check(source: Source, root: Path = ROOT) -> Iterator[Problem]:
    """What is made of what functions of this project return."""
    known = {name.lower(): node for name, node in functions(source.root).items()}
    known = {**requires.provided(source, root), **known}
    for command in of_kind(source.root, "command"):
        name = text_of(child(command, "command_name"))
        function = known.get(name.lower())
        if function is None or not _stands_alone(command):
            continue
        place = _place(command)
        if place == "array_expression":
            yield from _in_list(source, command, name, function)
        elif (place == "hash_entry" or _sets_member(command)) and _may_be_nothing(function):
            yield source.problem(
                command,
                f"{name} may return nothing, which PowerShell 5.1 writes into JSON as {{}}. Put it into @( ), or let "
                "it return $null.",
            )
        elif place in ("hash_entry", "assignment_expression") and any(map(_is_list, _returned(function))):
            yield source.problem(
                command,
                f"{name} returns a list, which is taken apart: one is no list here, and none is nothing. Put it into "
                "@( ), or let it return , @( ).",
            )


def _in_list(source: Source, command: Node, name: str, function: Node) -> Iterator[Problem]:
    returned = [text_of(each).lower() for each in _returned(function)]
    if "$null" in returned:
        yield source.problem(
            command,
            f"{name} may return $null, which is one element of @( ). Let it return nothing, or leave $null out.",
        )
    if any(each.startswith(",") for each in returned):
        yield source.problem(
            command, f"{name} returns a list as one thing: in @( ) it is a list in a list. Leave @( ) out."
        )


def _stands_alone(command: Node) -> bool:
    """True when nothing else of its pipeline sees what the command returns."""
    chain = command.parent
    return chain is not None and chain.type == "pipeline_chain" and len(chain.named_children) == 1


def _place(command: Node) -> str:
    """Return what takes what the command returns, as it is: an array, an entry of a hashtable, an assignment."""
    above = command.parent
    while above is not None and above.type in _PASSES_ON:
        above = above.parent
    return above.type if above is not None else ""


def _sets_member(command: Node) -> bool:
    """True when what the command returns becomes an entry of something by ``.name =`` or ``[name] =``."""
    assigned = around(command, "assignment_expression", "script_block_expression", "function_statement")
    if _place(command) != "assignment_expression" or assigned is None:
        return False
    return any(of_kind(assigned.children[0], "member_access", "element_access"))


def _returned(function: Node) -> list[Node]:
    """Return what stands behind each ``return`` of a function itself."""
    found = []
    for node in _returns(function):
        what = child(node, "pipeline")
        while what is not None and len(what.named_children) == 1 and what.type in ("pipeline", "pipeline_chain"):
            what = what.named_children[0]
        if what is not None:
            found.append(what)
    return found


def _returns(function: Node) -> Iterator[Node]:
    for node in of_kind(function, "flow_control_statement"):
        if text_of(node).lower().startswith("return"):
            inside = around(node, "function_statement", "script_block_expression")
            if inside is not None and inside.id == function.id:
                yield node


def _is_list(returned: Node) -> bool:
    return len(returned.named_children) == 1 and returned.named_children[0].type == "array_expression"


def _may_be_nothing(function: Node) -> bool:
    """True when a ``return`` says nothing, or what would write comes last and may not be reached."""
    if any(child(node, "pipeline") is None for node in _returns(function)):
        return True
    written = next(of_kind(function, "statement_list"), None)
    statements = [node for node in written.named_children if node.type != "comment"] if written else []
    if not statements:
        return False
    last = statements[-1]
    return last.type in _LOOPS or (last.type == "if_statement" and child(last, "else_clause") is None)
