"""What may stand where: functions in module utils, names that say whose they are, and nothing that writes by chance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tree_sitter import Node

from powershell.requires import exports, fits
from powershell.source import Problem, Source, around, child, functions, of_kind, text_of

# Return what they made, whether somebody wants it or not.
_TALKERS = ("new-item", "new-itemproperty", "new-psdrive", "register-scheduledtask", "set-scheduledtask")
_TALKING_METHODS = ("append", "appendline", "remove", "createdirectory", "invokeverb")
# Of these, Add returns something too.
_TALKING_CLASSES = ("arraylist", "hashset", "sortedset", "stringbuilder", "stringcollection")
# Commands of a module's own lines that write nothing.
_SILENT = (
    "set-strictmode", "import-module", "start-sleep", "remove-item", "set-content", "set-item", "set-itemproperty",
    "out-null",
)  # fmt: skip
_SILENT_METHODS = ("exitjson", "failjson", "warn", "deprecate", "dispose", "close")


def module_util(source: Source) -> Iterator[Problem]:
    """A .psm1 holds functions alone, whose names say that they are Keepwell's."""
    if not source.is_module_util:
        return
    body = source.root.named_children
    for node in [
        inner for each in body for inner in (each.named_children if each.type == "statement_list" else [each])
    ]:
        if node.type in ("function_statement", "comment", "empty_statement"):
            continue
        if node.type == "pipeline" and text_of(node).lower().startswith("export-modulemember"):
            continue
        yield source.problem(
            node,
            "A .psm1 holds functions alone: work that outlives its connection takes along their text alone. "
            "Move this into a function.",
        )
    defined = functions(source.root)
    for name, node in defined.items():
        if "keepwell" not in name.lower():
            yield source.problem(
                node,
                f"Function {name} does not say whose it is: module utils share one space. Put Keepwell into its name.",
            )
    for name, node in (exports(source) or {}).items():
        if not any(fits(each, name) for each in defined):
            yield source.problem(node, f"{name} is exported and not defined here. Define it, or leave it out.")
    exported = exports(source)
    for name, node in defined.items():
        if exported is not None and not any(fits(name, each) for each in exported):
            yield source.problem(
                node,
                f"{name} is not exported: work that outlives its connection, and what runs beside, takes along "
                "exported functions alone. Export it.",
            )
    for node in of_kind(source.root, "variable"):
        if text_of(node).lower().lstrip("${").startswith(("script:", "global:")):
            yield source.problem(
                node,
                f"{text_of(node)} lives in the module, and functions are taken along without it. Pass a parameter.",
            )


def once(sources: Iterable[Source]) -> Iterator[Problem]:
    """All functions of module utils share one space, so no two have one name."""
    seen: dict[str, tuple[Source, Node]] = {}
    for source in sources:
        if source.is_module_util:
            for name, node in functions(source.root).items():
                first = seen.setdefault(name.lower(), (source, node))
                if first[0] is not source:
                    line = first[1].start_point.row + 1
                    yield source.problem(
                        node, f"{name} is also in {first[0].name}:{line}, and the later one wins. Name one otherwise."
                    )


def output(source: Source) -> Iterator[Problem]:
    """Only ExitJson and FailJson write; what else returns something is taken or thrown away."""
    for statement in of_kind(source.root, "pipeline"):
        block = statement.parent
        if block is None or block.type != "statement_list" or _taken(statement):
            continue
        chain = child(statement, "pipeline_chain")
        last = chain.named_children[-1] if chain and chain.named_children else None
        if last is None:
            continue
        name = _called(last)
        inside = around(statement, "function_statement", "script_block_expression")
        if source.is_module and inside is None:
            if not _writes_nothing(last, name):
                yield source.problem(
                    statement,
                    f"{_cut(statement)} may write, and Ansible reads all that is written. Begin it with $null =.",
                )
        elif _talks(last, name, inside or source.root) and not _is_last(statement):
            yield source.problem(
                statement,
                f"{_cut(statement)} returns something, which the function then returns too. Begin it with $null =.",
            )


def _cut(statement: Node) -> str:
    return repr(" ".join(text_of(statement).split())[:60])


def _taken(statement: Node) -> bool:
    """True when something takes what a statement writes: an assignment, @( ), $( ), a pipeline."""
    above = statement.parent
    while above is not None and above.type not in ("function_statement", "script_block_expression"):
        if above.type in ("assignment_expression", "array_expression", "sub_expression"):
            return True
        above = above.parent
    return child(statement, "assignment_expression") is not None


def _called(node: Node) -> str:
    if node.type == "command":
        return text_of(node.child_by_field_name("command_name")).lower()
    call = next((each for each in node.children if each.type == "invocation_expression"), None)
    if call is None or node.type != "unary_expression":
        return ""
    names = [each for each in call.children if each.type == "member_name"]
    return f".{text_of(names[-1]).lower()}" if names else ""


def _writes_nothing(node: Node, name: str) -> bool:
    if node.type == "command":
        return name in _SILENT
    text = text_of(node).lower()
    return name.lstrip(".") in _SILENT_METHODS or text.startswith("[void]") or text.endswith(("++", "--"))


def _talks(node: Node, name: str, scope: Node) -> bool:
    if node.type == "command":
        return name in _TALKERS
    if name.lstrip(".") in _TALKING_METHODS and name:
        return not (name == ".remove" and _made_as(node, scope, "@{"))
    return name == ".add" and _made_as(node, scope, *_TALKING_CLASSES)


def _made_as(node: Node, scope: Node, *classes: str) -> bool:
    """True when the variable that a method is called of was made as one of these in the same function."""
    variable = next(of_kind(node, "variable"), None)
    for made in of_kind(scope, "assignment_expression"):
        if text_of(made.children[0]).lower() == text_of(variable).lower():
            return any(each in text_of(made.children[-1]).lower() for each in classes)
    return False


def _is_last(statement: Node) -> bool:
    """True for the last statement of a function or script block: what it returns may be meant."""
    after = statement.next_named_sibling
    while after is not None and after.type in ("empty_statement", "comment"):
        after = after.next_named_sibling
    block = statement.parent
    above = block.parent if block else None
    return after is None and above is not None and above.type == "script_block_body"
