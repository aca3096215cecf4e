# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tree is what it says: links, dependencies, documentation, and which file may run on which machine."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FLEET = ROOT / "collections" / "ansible_collections" / "keepwell" / "fleet"
LINKS = ("README.md", "galaxy.yml", "meta", "playbooks", "plugins", "roles")
PLUGINS = ROOT / "plugins"
MODULES = sorted(path for path in (PLUGINS / "modules").glob("*.py") if path.stem != "__init__")
ROLES = sorted(path.parents[1].name for path in (ROOT / "roles").glob("*/tasks/main.yml"))
ON_HOSTS = sorted((PLUGINS / "module_utils").rglob("*.py"))
OURS = "ansible_collections.keepwell.fleet.plugins."
LATER = {
    "__future__.annotations", "asyncio.run", "contextvars", "dataclasses", "graphlib", "importlib.metadata",
    "importlib.resources", "tomllib", "zoneinfo",
}  # fmt: skip
# Folders of one machine, in any file that is handed on.
MACHINE_PATHS = re.compile(r"/work/(main|shared|\.library)|/tmp/kw/")


def git(*arguments: str) -> str:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def tracked() -> list[Path]:
    return [ROOT / name for name in git("ls-files", "-z").split("\0") if name]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def load(name: str) -> t.Any:
    return yaml.safe_load((ROOT / name).read_text())


def imports(tree: ast.AST) -> Iterator[str]:
    """Full names of all that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{name.name}" for name in node.names)


# --- the collection inside the project


@pytest.mark.parametrize("name", LINKS)
def test_the_collection_is_made_of_links_into_the_project(name: str) -> None:
    link = FLEET / name
    assert link.is_symlink(), f"{relative(link)} is no link; was it checked out with core.symlinks=false?"
    assert link.resolve() == ROOT / name
    assert git("ls-files", "--stage", relative(link)).startswith("120000 ")


def test_the_collection_has_nothing_else() -> None:
    assert sorted(path.name for path in FLEET.iterdir()) == sorted(LINKS)


def test_galaxy_dependencies_are_those_of_requirements_yml() -> None:
    wanted = {entry["name"]: entry["version"] for entry in load("requirements.yml")["collections"]}
    assert load("galaxy.yml")["dependencies"] == wanted


def test_the_oldest_ansible_core_is_the_same_everywhere() -> None:
    oldest = re.search(r"^ansible-core>=(\d+\.\d+)", (ROOT / "requirements.txt").read_text(), re.M)
    assert oldest
    assert load("meta/runtime.yml")["requires_ansible"] == f">={oldest[1]}.0"


# --- who runs where


@pytest.mark.parametrize("path", ON_HOSTS, ids=relative)
def test_what_runs_on_hosts_is_python_3_6(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 6))
    for name in imports(tree):
        assert name not in LATER, f"Python 3.6 has no {name}"


@pytest.mark.parametrize("path", ON_HOSTS, ids=relative)
def test_what_runs_on_hosts_needs_nothing_but_python_and_its_own_folder(path: Path) -> None:
    for name in imports(ast.parse(path.read_text())):
        assert name.startswith(OURS + "module_utils") or name.split(".")[0] in sys.stdlib_module_names, name


def test_modules_use_no_control_node_code() -> None:
    for path in MODULES:
        assert not [name for name in imports(ast.parse(path.read_text())) if "plugin_utils" in name], relative(path)


IMPURE = {"ansible", "jinja2", "os", "pathlib", "random", "shutil", "socket", "sqlalchemy", "subprocess", "tempfile"}
IMPURE_CALLS = {"open", "input", "print", "now", "utcnow", "today", "read_text", "write_text"}
PURE = sorted(
    [
        *(PLUGINS / "plugin_utils" / "checks").glob("*.py"),
        *(PLUGINS / "plugin_utils" / name for name in ("forecast.py", "windows.py", "sla.py")),
    ]
)


@pytest.mark.parametrize("path", [path for path in PURE if path.exists()], ids=relative)
def test_what_judges_is_pure(path: Path) -> None:
    """No Ansible, no files, no clock, no templates: the same observation always gives the same verdict."""
    tree = ast.parse(path.read_text())
    for name in imports(tree):
        assert name.split(".")[0] not in IMPURE, name
        assert name != "time", "the time is an argument"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert called not in IMPURE_CALLS, f"line {node.lineno}: {called}()"


# --- documentation


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_module_is_documented(path: Path) -> None:
    texts = {
        target.id: node.value.value
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for name in ("DOCUMENTATION", "EXAMPLES", "RETURN"):
        assert yaml.safe_load(texts[name]), f"{name} is empty"
    assert yaml.safe_load(texts["DOCUMENTATION"])["module"] == path.stem


def test_every_action_has_the_module_that_documents_it() -> None:
    actions = {path.stem for path in (PLUGINS / "action").glob("*.py")} - {"__init__"}
    assert actions <= {path.stem for path in MODULES}


def ansible_doc(*arguments: str) -> dict[str, t.Any]:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-doc")), "--json", *arguments],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_ansible_doc_shows_every_module_and_says_which_run_on_the_control_node() -> None:
    names = [f"keepwell.fleet.{path.stem}" for path in MODULES]
    shown = ansible_doc("-t", "module", *names)
    assert sorted(shown) == sorted(names)
    for name, module in shown.items():
        assert module["examples"], name
        assert module["return"], name
        has_action = (PLUGINS / "action" / f"{name.rpartition('.')[2]}.py").exists()
        claims_action = module["doc"].get("attributes", {}).get("action", {}).get("support") == "full"
        assert has_action == claims_action, name


def test_ansible_doc_shows_every_role() -> None:
    shown = ansible_doc("-t", "role", "--list", "keepwell.fleet")
    assert sorted(shown) == [f"keepwell.fleet.{role}" for role in ROLES]
    for name, role in shown.items():
        assert role["entry_points"], name


def test_ansible_doc_shows_the_callback() -> None:
    assert "keepwell.fleet.summary" in ansible_doc("-t", "callback", "keepwell.fleet.summary")


# --- what the texts say

TEXTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "roles").glob("*/README.md")])


@pytest.mark.parametrize("path", TEXTS, ids=relative)
def test_texts_name_make_targets_and_files_that_exist(path: Path) -> None:
    text = path.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    used = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", text))
    assert used <= targets, used - targets
    for playbook in re.findall(r"playbooks/[a-z_]+\.yml", text):
        assert (ROOT / playbook).exists(), playbook
    for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
        assert (path.parent / link).exists(), link


def test_architecture_explains_every_folder() -> None:
    """Each folder that the repository has is in docs/architecture.md, and the other way round."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    explained = {name.rstrip("/") for name in re.findall(r"^\| `([^`]+/)`", text, re.M)}
    folders = {Path(name) for name in git("ls-files").splitlines()}
    top = {path.parts[0] for path in folders if len(path.parts) > 1}
    plugins = {f"plugins/{path.parts[1]}" for path in folders if path.parts[0] == "plugins" and len(path.parts) > 2}
    inside = {str(path.parent) for path in folders if path.is_relative_to("plugins/plugin_utils")}
    assert explained >= (top - {"plugins"}) | plugins | inside
    assert not [name for name in explained if not (ROOT / name).is_dir()]


def test_nothing_names_the_machine_it_was_written_on() -> None:
    for path in tracked():
        if path.is_symlink() or not path.is_file() or path == Path(__file__):
            continue
        found = MACHINE_PATHS.search(path.read_bytes().decode("utf-8", "replace"))
        assert not found, f"{relative(path)}: {found[0] if found else ''}"


@pytest.mark.parametrize("path", sorted((ROOT / "extensions/molecule").rglob("*.yml")), ids=relative)
def test_no_scenario_looks_in_a_way_that_cannot_fail(path: Path) -> None:
    """``set -e`` does not end a script for a command with a bare ``!`` before it; in parentheses it does."""
    bare = [line.strip() for line in path.read_text().splitlines() if line.strip().startswith("! ")]
    assert bare == []
