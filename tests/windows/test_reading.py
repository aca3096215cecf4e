"""What is read out of the PowerShell that arrives: specs, chores, probes, operations."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import ansible
import pytest
import windows_host.models  # noqa: F401 - registers the models
import yaml
from windows_host import arguments, execution, registry, spec
from windows_host.host import WindowsHost
from windows_host.manifest import NotUnderstood, Request, decode

PROJECT = Path(__file__).parents[2]
# A path, because a collection that Python imports by itself is one that Ansible's loader refuses from then on.
COLLECTION = Path(ansible.__file__).parents[1] / "ansible_collections" / "ansible" / "windows"
AGENT_PS1 = (PROJECT / "plugins" / "modules" / "agent.ps1").read_text()
AGENT_PSM1 = """
function Get-KeepwellPaintingAgent {
    return @{
        title = 'Painting'
        operations = @{
            look = { param($Request) @{ wet = $true } }
            paint = { param($Request) Start-KeepwellPaint -Request $Request }
        }
        needed = @{ paint = @('colour', 'where'); look = @() }
        reading = @('look')
    }
}
"""


def ansible_documentation(page: Path) -> str:
    """The text of DOCUMENTATION in a module's Python."""
    for statement in ast.parse(page.read_text()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "DOCUMENTATION":
            return str(ast.literal_eval(statement.value))
    raise AssertionError(page)


def test_specs_of_a_whole_collection_are_read_and_agree_with_its_documentation() -> None:
    modules = sorted(COLLECTION.glob("plugins/modules/*.ps1"))
    read = {path.stem: spec.read(path.read_text()) for path in modules}
    assert len(read) > 50
    differ = []
    for name, found in read.items():
        page = COLLECTION / "plugins" / "modules" / f"{name}.py"
        if found is None or not page.is_file():
            continue
        documented = yaml.safe_load(ansible_documentation(page))
        if set(found.get("options", {})) != set(documented.get("options") or {}):
            differ.append(name)
    # Its options are those of the resource that it is told.
    assert differ == ["win_dsc"]
    assert spec.merges((COLLECTION / "plugins/modules/win_uri.ps1").read_text())
    assert not spec.merges(AGENT_PS1)


@pytest.mark.parametrize("module", sorted((PROJECT / "plugins" / "modules").glob("*.ps1")), ids=lambda path: path.name)
def test_the_specs_of_this_project_are_one_literal(module: Path) -> None:
    found = spec.read(module.read_text())
    assert found is not None
    assert not spec.opaque(found)
    assert found["supports_check_mode"] is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$spec = @{ a = Get-Date }", "Get-Date"),
        ("$spec = @{ a = \"x$y\" + 'b' }", "+"),
    ],
)
def test_what_is_no_literal_is_said(text: str, said: str) -> None:
    assert [name for name in spec.opaque(spec.read(text)) if said in name]


def test_arguments_are_converted_completed_and_refused_in_depth() -> None:
    told: dict[str, t.Any] = {
        "options": {
            "jobs": {"type": "list", "elements": "dict", "options": {"name": {"type": "str", "required": True}}},
            "count": {"type": "int", "default": 3, "aliases": ["number"]},
            "state": {"type": "str", "choices": ["on", "off"], "default": "off"},
            "why": {"type": "str"},
        },
        "required_if": [["state", "on", ["why"]]],
        "mutually_exclusive": [["jobs", "why"]],
    }
    assert arguments.check("x", told, {"number": "4", "jobs": [{"name": 1}]}) == {
        "jobs": [{"name": "1"}],
        "count": 4,
        "state": "off",
        "why": None,
    }
    refused = {
        "missing required arguments: name found in jobs": {"jobs": [{}]},
        "Unsupported parameters for (x) module: nam found in jobs": {"jobs": [{"nam": "a"}]},
        "state is on but all of the following are missing: why": {"state": "on"},
        "parameters are mutually exclusive: jobs, why": {"jobs": [{"name": "a"}], "why": "b"},
        "unable to convert to int": {"count": "many"},
    }
    for sentence, given in refused.items():
        with pytest.raises(arguments.Refused) as caught:
            arguments.check("x", told, given)
        assert sentence in str(caught.value)


@pytest.fixture
def painting(monkeypatch: pytest.MonkeyPatch) -> WindowsHost:
    """A host on which the chore painting has two operations in PowerShell and two models, of which one is nowhere."""
    for name, reads in (("look", True), ("paint", False), ("scrape", False)):
        model = registry.OperationModel(lambda _host, asked: {"done": asked["operation"]}, reads)
        monkeypatch.setitem(registry.operations, ("painting", name), model)
    return WindowsHost("win01")


def ask(host: WindowsHost, operation: str, check_mode: bool = False, **fields: t.Any) -> dict[str, t.Any]:
    text = AGENT_PS1.replace("$agents = @{", "$agents = @{\n    painting = 'Get-KeepwellPaintingAgent'\n", 1)
    text = text.replace("'antivirus', ", "'antivirus', 'painting', ", 1)
    given = {"chore": "painting", "request": {"operation": operation, **fields}}
    came = {"ansible_collections.keepwell.fleet.plugins.module_utils.painting.agent.psm1": AGENT_PSM1}
    return execution.module(host, Request("module", execution.AGENT, given, check_mode, text, came))


def test_an_operation_is_what_powershell_and_model_both_know(painting: WindowsHost) -> None:
    assert ask(painting, "look", check_mode=True)["answer"] == {"done": "look"}
    assert ask(painting, "paint")["answer"] == {"error": "bad_request", "text": "The request lacks colour, where."}
    assert ask(painting, "paint", colour="red", where="wall")["changed"] is True
    assert ask(painting, "paint", check_mode=True)["msg"] == "paint changes the host, and this is check mode."
    assert ask(painting, "scrape")["answer"] == {"error": "bad_request", "text": "Unknown operation 'scrape'."}
    assert not painting.problems


def test_a_model_that_differs_from_its_powershell_is_a_problem(
    painting: WindowsHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.operations, ("painting", "look"), registry.OperationModel(lambda _h, _r: {}, False))
    ask(painting, "look")
    monkeypatch.delitem(registry.operations, ("painting", "paint"))
    ask(painting, "paint")
    assert painting.problems == [
        "win01: agent.psm1 and the model of painting/look differ in whether it only reads",
        "win01: nobody has modelled the operation painting/paint",
    ]


PROBE_PSM1 = """
function Get-KeepwellWeatherFacts {
    param($Machine, $Parameters)
    $wind = Get-KeepwellWind
    return @{
        rain = $true
        wind = Get-KeepwellWind -Machine $Machine
        days = @(Get-KeepwellDay | ForEach-Object -Process { @{ warm = $_ } })
    }
}
function Get-KeepwellWind {
    if ($calm) { return $null }
    return @{ speed = 3; from = 'west' }
}
"""


def test_a_model_of_a_probe_has_the_keys_of_its_powershell(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (PROJECT / "plugins" / "modules" / "assess.ps1").read_text()
    start = text.index("$probes = @{")
    text = (
        text[:start]
        + "$probes = @{ weather = @{ collect = 'Get-KeepwellWeatherFacts'; limit_s = 5 } }\n"
        + text[text.index("try {", start) :]
    )
    good = {"rain": False, "wind": {"speed": 1, "from": "east"}, "days": []}
    told = {
        "": good,
        "weather lacks ['days'] and has ['snow']": {"rain": False, "wind": None, "snow": 1},
        "weather.wind lacks ['from'] and has []": {**good, "wind": {"speed": 1}},
    }
    for problem, data in told.items():
        host = WindowsHost("win01", probes={"weather": data})
        request = Request(
            "module",
            "keepwell.fleet.assess",
            {"subset": ["weather"]},
            text=text,
            utilities={"weather.psm1": PROBE_PSM1},
        )
        record = execution.module(host, request)["observation"]["probes"]["weather"]
        assert record["data"] == data
        assert (problem in "".join(host.problems)) if problem else not host.problems


def test_every_model_has_a_source_and_there_is_one_of_each() -> None:
    assert all(registry.sources.values())
    with pytest.raises(ValueError, match="has a model already"):
        registry.module("ansible.windows.win_ping", source="none")(lambda _host, _request: {})


def test_what_is_no_manifest_is_not_guessed() -> None:
    with pytest.raises(NotUnderstood, match="cannot be read"):
        decode("", ["{}", "\0\0\0\0", "{}"])
    host = WindowsHost("win01")
    reply = execution.run(host, "", ["{}", "\0\0\0\0", "{}"])
    assert reply.rc == 1
    assert "cannot be decoded" in host.problems[0]
