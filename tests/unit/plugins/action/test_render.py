# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""keepwell.fleet.render: what it writes, when it says "changed", and how it fails."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from unittest.mock import MagicMock

import fleet_maker
import pytest
import yaml
from ansible.errors import AnsibleError

from ansible_collections.keepwell.fleet.plugins.action.render import ActionModule
from ansible_collections.keepwell.fleet.plugins.plugin_utils import run_document
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import dump
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.command import fleet_command

FILES = ["engineer.html", "findings.csv", "metrics.prom", "owner.html", "results.csv", "run.json", "summary.md"]


def put(state: Path, run: run_document.Run) -> Path:
    """Write a run into a state directory and return its run.json."""
    path = state / "demolen" / "runs" / run.header.run_id / "run.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(dump(run))
    return path


def later(run: run_document.Run, run_id: str, day: str) -> run_document.Run:
    header = run.header.model_copy(update={"run_id": run_id, "started_at": f"{day}T03:00:00Z"})
    return run.model_copy(update={"header": header})


def render(check=False, diff=False, **arguments):
    """Run the action as a task would."""
    task = MagicMock(
        args={k: str(v) if isinstance(v, Path) else v for k, v in arguments.items()},
        check_mode=check,
        diff=diff,
        async_val=0,
        delegate_to=None,
    )
    connection = MagicMock()
    connection._shell.tmpdir = None
    action = ActionModule(task, connection, MagicMock(), MagicMock(), MagicMock(), MagicMock())
    result = action.run(task_vars={})
    assert not connection.exec_command.called
    assert not connection.put_file.called
    return result


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in folder.rglob("*")}


@pytest.fixture
def source(tmp_path):
    return put(tmp_path, fleet_maker.make_run(14))


def test_it_writes_every_file_and_says_where(source, tmp_path):
    result = render(run=source)
    folder = tmp_path / "demolen" / "reports" / "2026-11-23-01KARN3T5V7X9Z1B3D5F7H9K2M"
    assert result["changed"] is True
    assert result["folder"] == str(folder)
    assert result["index"] == str(folder / "engineer.html")
    assert result["files"] == result["changed_files"] == sorted(path.name for path in folder.iterdir()) == FILES
    assert (result["client"], result["run_id"], result["provisional"]) == (
        "demolen",
        "01KARN3T5V7X9Z1B3D5F7H9K2M",
        False,
    )
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o640}
    assert (folder / "run.json").read_bytes() == source.read_bytes()


def test_a_second_time_nothing_is_touched(source, tmp_path):
    render(run=source, latest=True)
    before = snapshot(tmp_path)
    result = render(run=source, latest=True)
    assert result["changed"] is False
    assert result["changed_files"] == []
    assert snapshot(tmp_path) == before


def test_only_the_file_that_differs_is_written_again(source, tmp_path):
    folder = Path(render(run=source)["folder"])
    (folder / "summary.md").write_text("edited")
    (folder / "notes.txt").write_text("somebody's own")
    result = render(run=source)
    assert result["changed_files"] == ["summary.md"]
    assert (folder / "notes.txt").read_text() == "somebody's own"


def test_check_mode_writes_nothing_and_says_what_it_would(source, tmp_path):
    before = snapshot(tmp_path)
    result = render(run=source, latest=True, check=True, diff=True)
    assert snapshot(tmp_path) == before
    assert result["changed"] is True
    assert result["changed_files"] == FILES
    assert "would be written" in result["msg"]
    assert {Path(d.get("after_header", d.get("prepared", "").split(":")[0])).name for d in result["diff"]} == set(FILES)


def test_a_diff_shows_text_by_line_and_pages_by_size(source, tmp_path):
    folder = Path(render(run=source)["folder"])
    (folder / "summary.md").write_text("before\n")
    (folder / "engineer.html").write_text("before\n")
    page, text = render(run=source, diff=True)["diff"]
    assert "bytes, 7 bytes before" in page["prepared"]
    assert text["before"] == "before\n"
    assert text["after"].startswith("# Keepwell: Bakkerij De Molen B.V.")


def test_formats_and_destination_are_obeyed(source, tmp_path):
    result = render(run=source, formats=["csv"], destination=tmp_path / "out", latest=True)
    assert result["files"] == ["findings.csv", "results.csv"]
    assert result["index"] == ""
    assert sorted(os.listdir(tmp_path / "out")) == ["findings.csv", "results.csv"]
    assert not (tmp_path / "demolen" / "latest").exists()


def test_latest_follows_and_never_goes_back(tmp_path):
    run = fleet_maker.make_run(2)
    old = put(tmp_path, later(run, "01KAR0000000000000000000AA", "2026-11-22"))
    new = put(tmp_path, later(run, "01KAS0000000000000000000AA", "2026-11-24"))
    link = tmp_path / "demolen" / "latest"
    render(run=old, latest=True)
    assert os.readlink(link) == "reports/2026-11-22-01KAR0000000000000000000AA"
    render(run=new, latest=True)
    assert os.readlink(link) == "reports/2026-11-24-01KAS0000000000000000000AA"
    render(run=old, latest=True)
    assert (link / "engineer.html").exists()
    assert os.readlink(link) == "reports/2026-11-24-01KAS0000000000000000000AA"


@pytest.mark.parametrize(
    "update", [{"partial": ["--limit was given"]}, {"status": "interrupted"}, {"status": "running"}]
)
def test_a_run_that_does_not_cover_everything_never_becomes_latest(tmp_path, update):
    run = fleet_maker.make_run(2, partial=tuple(update.get("partial", ())))
    run = run.model_copy(update={"status": update.get("status", "complete")})
    result = render(run=put(tmp_path, run), latest=True)
    assert result["provisional"] is True
    assert all(".partial." in name for name in result["files"])
    assert not (tmp_path / "demolen" / "latest").is_symlink()


def test_something_else_in_the_place_of_latest_is_not_removed(source, tmp_path):
    (tmp_path / "demolen" / "latest").mkdir()
    with pytest.raises(AnsibleError, match=r"should be a link"):
        render(run=source, latest=True)
    assert not (tmp_path / "demolen" / "reports").exists()


def test_a_client_template_wins_and_the_rest_stays_ours(source, tmp_path):
    client, company = tmp_path / "client", tmp_path / "company"
    for folder, words in ((client, "the client's"), (company, "the company's")):
        (folder / "partials").mkdir(parents=True)
        (folder / "partials" / "accepted.html.j2").write_text(
            f"<p>{words} own {{{{ view.desk.run.header.client.name }}}}</p>"
        )
    (company / "style.css").write_text("body { color: var(--text) }")
    page = Path(render(run=source, templates=[str(client), str(company)])["index"]).read_text()
    assert "<p>the client's own Bakkerij De Molen B.V.</p>" in page
    assert "body { color: var(--text) }" in page
    assert ".heat" not in page.split("</style>")[0]
    assert "Heat map" in page


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("partials/accepted.html.j2", "{{ view.no_such_thing }}", "no_such_thing"),
        ("partials/accepted.html.j2", "a\n{% if %}", "partials/accepted.html.j2, line 2"),
        ("partials/accepted.html.j2", "{{ ''.__class__.__mro__ }}", "unsafe"),
        ("style.css", "@import 'https://example.invalid/x.css';", "asks for nothing"),
        ("style.css", "p { background: url(https://example.invalid/x.png) }", "asks for nothing"),
        ("style.css", "</style><script>", "asks for nothing"),
    ],
)
def test_a_broken_template_is_named(source, tmp_path, name, text, words):
    path = tmp_path / "own" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(AnsibleError, match="No report was made") as caught:
        render(run=source, templates=[str(tmp_path / "own")])
    assert words in str(caught.value)
    assert not (tmp_path / "demolen" / "reports").exists()


def test_a_template_folder_that_is_not_there_is_a_mistake(source, tmp_path):
    with pytest.raises(AnsibleError, match=r"template folder .* does not exist"):
        render(run=source, templates=[str(tmp_path / "nope")])


def test_a_run_elsewhere_needs_a_destination(tmp_path):
    path = tmp_path / "run.json"
    path.write_bytes(dump(fleet_maker.make_run(1)))
    with pytest.raises(AnsibleError, match=r"Say where they should go with 'destination'"):
        render(run=path)
    assert render(run=path, destination=tmp_path / "out")["changed"] is True


def test_a_destination_that_cannot_be_written_is_named(source, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AnsibleError, match=r"in the way and cannot be read|could not be written"):
        render(run=source, destination=tmp_path / "file")


def test_evidence_of_somebody_else_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("{}")
    with pytest.raises(AnsibleError, match=r"not the run\.json of a Keepwell run"):
        render(run=path)


def test_an_unknown_report_is_refused(source):
    with pytest.raises(AnsibleError, match="engineer"):
        render(run=source, reports=["astrologer"])


def test_a_time_zone_nobody_knows_is_a_warning(tmp_path):
    run = fleet_maker.make_run(1)
    client = run.header.client.model_copy(update={"timezone": "Mars/Olympus"})
    run = run.model_copy(update={"header": run.header.model_copy(update={"client": client})})
    assert "Mars/Olympus" in render(run=put(tmp_path, run))["warnings"][0]


def test_the_documentation_describes_the_arguments():
    module = Path(__file__).parents[4] / "plugins" / "modules" / "render.py"
    text = module.read_text().split('DOCUMENTATION = r"""')[1].split('"""')[0]
    described = {
        name: {key: value for key, value in option.items() if key != "description"}
        for name, option in yaml.safe_load(text)["options"].items()
    }
    assert described == ActionModule.ARGUMENTS


def test_the_role_reports_on_the_control_node_whatever_the_connection(tmp_path):
    run = fleet_maker.make_run(2)
    source = put(tmp_path, run)
    play = tmp_path / "play.yml"
    play.write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.include_role: {name: keepwell.fleet.health_report}\n"
        f"      vars: {{health_report_run: {source}, health_report_latest: 'yes'}}\n"
    )
    root = Path(__file__).parents[4]
    # "localhost," is reached by SSH, and there is no such server: the report must not need it.
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", str(play)]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(root / "ansible.cfg")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "demolen" / "latest" / "engineer.html").exists()


@pytest.mark.parametrize("command", ["echo '{{.Names}}' \"it's\" a\\\\b", "printf '%s ' {# x #}; echo creates=/"])
def test_the_line_in_the_report_does_what_it_says(command, tmp_path):
    line = fleet_command(command, ["localhost"], ["localhost,"])
    assert line is not None
    words = shlex.split(line.line)
    words[1:1] = ["-c", "local", "-e", "ansible_python_interpreter=/usr/bin/python3"]
    words.remove("-b")
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "adhoc", *words[1:]],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    wanted = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert done.stdout.partition(">>\n")[2].strip() == wanted.strip(), done.stdout + done.stderr
