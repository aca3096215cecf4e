"""What editors are told of a client's files: all of it, nothing misspelt, and what the code itself reads."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import client_files
import jsonschema
import pytest
import yaml

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs/schemas/client_files.schema.json").read_text())
EXAMPLE = sorted((ROOT / "inventories/example/group_vars").rglob("*.yml"))
PAGES = ("maintenance-windows", "plan", "delivery", "scheduling", "awx", "watch", "reports", "maintain", "evidence")
BLOCKS = [
    (page, block)
    for page in PAGES
    for block in re.findall(r"^```yaml\n(.*?)^```$", (ROOT / f"docs/{page}.md").read_text(), re.MULTILINE | re.DOTALL)
    if block.lstrip("# ").startswith("keepwell_") or "\nkeepwell_" in block
]
WINDOW = {"rule": {"weekly": ["sun"]}, "start": "22:00", "duration": "4h", "allow": ["patch"]}


def wrong(document: t.Any) -> list[str]:
    """What an editor would underline; days are texts to it."""
    plain = json.loads(json.dumps(document, default=str))
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(plain)]


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_it_knows_every_variable_that_a_file_may_have() -> None:
    known = set(SCHEMA["properties"])
    assert known | client_files.ASKED == set(settings.VARIABLES)
    assert not known & client_files.ASKED


def test_it_shows_what_every_variable_means_as_the_page_says_it() -> None:
    for name, entry in SCHEMA["properties"].items():
        assert entry["description"] == client_files.meanings()[name], name
        assert "](" not in entry["description"], name
    assert SCHEMA["properties"]["keepwell_tiers"]["description"] == (
        "Bundles of services by name, for `keepwell_plan.tier`."
    )
    assert SCHEMA["properties"]["keepwell_brake"]["description"].endswith("See the brake (docs/maintain.md).")


def test_what_may_stand_in_an_inventory_is_not_underlined() -> None:
    limits = {"keepwell_subset": ["packages", "!access"], "keepwell_fail_on": "crit", "keepwell_next": 3}
    assert wrong({**limits, "keepwell_lab": True, "keepwell_now": "2026-11-27T12:00:00Z"}) == []
    assert wrong({"keepwell_fail_on": "critical"})


@pytest.mark.parametrize(
    ("place", "up"),
    [
        ("group_vars/all/x.yml", "../../../../"),
        ("host_vars/web1/x.yml", "../../../../"),
        ("group_vars/x.yml", "../../../"),
        ("host_vars/x.yml", "../../../"),
    ],
)
def test_the_page_says_how_many_folders_up_the_schema_is(place: str, up: str) -> None:
    page = (ROOT / "docs/plan.md").read_text()
    assert f"`{place}`" in page
    assert f"$schema={up}docs" in page or f"`{up}`" in page
    assert ((ROOT / "inventories/acme" / place).parent / up).resolve() == ROOT
    assert 'yaml.customTags: ["!vault scalar"]' in page


@pytest.mark.parametrize("path", EXAMPLE, ids=lambda path: path.name)
def test_the_example_is_right_and_tells_editors_where_the_schema_is(path: Path) -> None:
    text = path.read_text()
    document = yaml.safe_load(text) or {}
    assert wrong(document) == []
    if any(name.startswith("keepwell_") for name in document):
        told = re.search(r"^# yaml-language-server: \$schema=(\S+)$", text, re.MULTILINE)
        assert told is not None
        assert (path.parent / told[1]).resolve() == ROOT / "docs/schemas/client_files.schema.json"


@pytest.mark.parametrize(("page", "block"), BLOCKS)
def test_what_the_pages_show_is_right(page: str, block: str) -> None:
    assert wrong(yaml.safe_load(block)) == [], page


@pytest.mark.parametrize(
    "document",
    [
        {"keepwell_clint": {"id": "acme"}},
        {"keepwell_client": {"id": "Acme!"}},
        {"keepwell_client": {"id": "acme", "nmae": "x"}},
        {"keepwell_exposure": "internl"},
        {"keepwell_plan": {"name": "x", "services": ["patchin"]}},
        {"keepwell_plan": {"name": "x", "sla": {"response": {"p1": 15}}}},
        {"keepwell_tiers": {"care": ["patchin"]}},
        {"keepwell_contract": {"max_hosts": 0}},
        {"keepwell_policy": {"capacty": {}}},
        {"keepwell_policy": {"backup": {"rpo_huors": 4}}},
        {"keepwell_windows": {"w": {**WINDOW, "start": 1320}}},
        {"keepwell_windows": {"w": {**WINDOW, "duration": "4 hours"}}},
        {"keepwell_windows": {"w": {**WINDOW, "allow": ["reboots"]}}},
        {"keepwell_windows": {"w": {**WINDOW, "rule": {"weakly": ["sun"]}}}},
        {"keepwell_windows": {"w": {**WINDOW, "rule": {"monthly": ["5th sun"]}}}},
        {"keepwell_windows": {"w": {**WINDOW, "cutof": "45m"}}},
        {"keepwell_blackouts": [{"name": "x", "from": "2026-12-01", "tpo": "2026-12-02"}]},
        {"keepwell_emergency": {}},
        {"keepwell_exceptions": [{"check": "time.sources", "reason": "x", "approver": "y"}]},
        {"keepwell_schedule": {"night": {"playbook": "asess", "at": "22:00"}}},
        {"keepwell_schedule": {"night": {"playbook": "assess"}}},
        {"keepwell_schedule": {"Night shift": {"playbook": "assess", "at": "22:00"}}},
        {"keepwell_notify": {"desk": {"channel": "mial"}}},
        {"keepwell_notify": {"desk": {"channel": "mail", "to": "a@b.example", "when": "weekly"}}},
        {"keepwell_smtp": {"host": "mail.msp.example"}},
        {"keepwell_awx": {"environment": {"image": "r.example/ee:1"}}},
        {"keepwell_agenda": {"decisions": [{"ask": "x"}]}},
        {"keepwell_brake": {"percent": 0}},
        {"keepwell_probes": {"disk": {}}},
        {"keepwell_emergency_approver": "J. Smit"},
    ],
    ids=json.dumps,
)
def test_a_mistake_is_underlined(document: dict[str, t.Any]) -> None:
    assert wrong(document)


def test_variables_of_ansible_and_of_roles_are_left_alone() -> None:
    assert wrong({"ansible_user": "keepwell", "patching_policy": "security", "vault_smtp": "x"}) == []
