"""Every variable that is read was given a value: a misspelt one is $null, and says nothing."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from powershell.source import Problem, Source, around, of_kind, parameters, text_of, walk

_AUTOMATIC = frozenset(
    {
        "_", "psitem", "args", "input", "this", "null", "true", "false", "error", "matches", "lastexitcode", "pid",
        "pwd", "home", "host", "psversiontable", "pscmdlet", "psboundparameters", "psscriptroot", "pscommandpath",
        "myinvocation", "executioncontext", "stacktrace", "erroractionpreference", "progresspreference",
        "warningpreference", "verbosepreference", "debugpreference", "informationpreference", "whatifpreference",
        "confirmpreference", "?", "^", "$", "ofs", "switch", "foreach", "psculture", "psuiculture", "shellid",
        "event", "eventargs", "sender",
    }
)  # fmt: skip
_DRIVES = ("env:", "function:", "variable:", "alias:")
_SCOPES = ("using:", "local:", "private:", "script:", "global:")
_NAMES_VARIABLE = ("-outvariable", "-errorvariable", "-warningvariable", "-informationvariable", "-pipelinevariable")


def check(source: Source) -> Iterator[Problem]:
    """Function by function; those of a module may read what the module's own lines assign."""
    outer = [node for node in of_kind(source.root, "function_statement") if around(node, "function_statement") is None]
    inside = {node.id for function in outer for node in walk(function)}
    lines = [node for node in walk(source.root) if node.id not in inside]
    shared = set() if source.is_module_util else _assigned(lines)
    for scope in [lines, *(list(walk(function)) for function in outer)]:
        known = shared | _assigned(scope)
        for node in scope:
            name = _name(node)
            if name and name not in known and name not in _AUTOMATIC:
                yield source.problem(
                    node, f"{text_of(node)} has no value here: nothing assigns it. Is it misspelt, or a parameter?"
                )


def _name(node: Node) -> str | None:
    """Return the name of a variable in lower case, without its scope; None for what is none."""
    text = text_of(node)
    if node.type != "variable" or (text.startswith("@") and not text[1:].isidentifier()):
        return None
    name = text.lstrip("$@").strip("{}").lower()
    if name.startswith(_DRIVES):
        return None
    for scope in _SCOPES:
        name = name.removeprefix(scope)
    return name or None


def _assigned(nodes: list[Node]) -> set[str]:
    found: set[str | None] = set()
    for node in nodes:
        if node.type == "left_assignment_expression":
            found.update(_targets(node))
        elif node.type == "foreach_statement":
            found.add(_name(next(each for each in node.children if each.type == "variable")))
        elif node.type in ("param_block", "function_parameter_declaration"):
            found.update(_name(each) for each in parameters(node))
        elif node.type == "command_parameter" and text_of(node).lower() in _NAMES_VARIABLE:
            after = node.next_named_sibling
            while after is not None and after.type == "command_argument_sep":
                after = after.next_named_sibling
            found.add(text_of(after).strip("'\"+").lower())
    return {name for name in found if name}


def _targets(left: Node) -> Iterator[str | None]:
    """Return the variables that an assignment gives a value: not those whose member or element it sets."""
    waiting = [left]
    while waiting:
        node = waiting.pop()
        if node.type == "variable":
            yield _name(node)
        elif node.type not in ("member_access", "element_access"):
            waiting.extend(node.named_children)
