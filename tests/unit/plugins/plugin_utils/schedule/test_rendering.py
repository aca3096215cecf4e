"""What systemd and cron are given: whole files, as they stand in ``cases/schedule``, and as systemd itself reads them."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import choosing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.options import Options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import cron, jobs, model, systemd, times
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

GOLDEN = Path(__file__).parents[3] / "cases" / "schedule"
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
SITE = jobs.Site(
    client="acme",
    project="/opt/keep well",
    playbooks="/opt/keep well/playbooks",
    program="/opt/keep well/.venv/bin/ansible-playbook",
    helpers="/opt/keep well/roles/scheduler/files",
    inventory=["/opt/keep well/inventories/acme"],
    state_dir="/var/lib/keepwell",
    user="keepwell",
    config="/opt/keep well/ansible.cfg",
    vault_file="/etc/keepwell/acme.vault",
    alert_command=("/usr/local/bin/tell", "100%", "$HOME"),
    alert_mail="ops@example.com",
    metrics=("/var/lib/node exporter",),
)
SCHEDULE = """
watch:    {playbook: watch, every: 5m}
morning:  {playbook: assess, at: "05:10"}
nightly:  {playbook: maintain, at: "22:00", days: [thu, tue], act: [patching, disk_cleanup], splay: 10m, limit: "web:!db1"}
month:    {playbook: report, at: "06:00", month_days: [15, 1]}
rest:     {playbook: assess, every: 6h, enabled: false}
"""


def built(text: str = SCHEDULE) -> dict[str, model.Entry]:
    found, problems = model.build(yaml.safe_load(text), AMSTERDAM, 2026)
    assert problems == []
    return found


def rendered(kind: str) -> dict[str, str]:
    if kind == "systemd":
        return systemd.render(built(), SITE, "Europe/Amsterdam")
    return cron.render(built(), SITE, "Europe/Amsterdam", AMSTERDAM if kind == "cron" else ZoneInfo("UTC"), 2026)


@pytest.mark.parametrize("kind", ["systemd", "cron", "cron-utc"])
def test_files_are_as_they_stand_in_the_cases(kind: str) -> None:
    """KEEPWELL_GOLDEN=write writes them anew; look at the difference then."""
    files = {path.rsplit("/", 1)[1]: text for path, text in rendered(kind).items()}
    folder = GOLDEN / kind
    if os.environ.get("KEEPWELL_GOLDEN") == "write":
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text)
    assert files == {path.name: path.read_text() for path in folder.iterdir()}


def test_only_the_overview_of_all_clients_may_write_beside_the_clients_folder() -> None:
    found = built("fleet: {playbook: fleet_overview, at: '06:30'}\nmonth: {playbook: period_report, at: '06:00'}")
    units = {path.rsplit("/", 1)[1]: text for path, text in systemd.render(found, SITE, "Europe/Amsterdam").items()}
    own = "ReadWritePaths=/var/lib/keepwell/acme\n"
    assert own in units["keepwell-acme-month.service"]
    assert own in units["keepwell-acme-fleet.service"]
    assert ["_fleet" in units[f"keepwell-acme-{name}.service"] for name in ("fleet", "month")] == [True, False]
    assert "fleet_overview.yml" in units["keepwell-acme-fleet.service"]


def test_every_file_names_its_client() -> None:
    for kind in ("systemd", "cron"):
        assert {jobs.owner(text) for text in rendered(kind).values()} == {"acme"}
    assert jobs.owner("[Unit]\n# Keepwell, client acme: no") is None


def test_nothing_enabled_makes_no_file() -> None:
    off = {name: entry.model_copy(update={"enabled": False}) for name, entry in built().items()}
    assert systemd.render(off, SITE, "UTC") == {}
    assert cron.render(off, SITE, "UTC", None, 2026) == {}
    assert systemd.timers(off, "acme") == []


def test_work_that_acts_is_never_caught_up() -> None:
    units = rendered("systemd")
    caught_up = {path for path, text in units.items() if "Persistent=true" in text}
    assert {path.rsplit("-", 1)[1] for path in caught_up} == {"morning.timer", "month.timer"}


def test_runs_that_act_exclude_each_other_and_those_that_look_only_themselves() -> None:
    found = built()
    assert jobs.lock(SITE, "nightly", found["nightly"]) == "/var/lib/keepwell/acme/schedule.lock"
    assert jobs.lock(SITE, "watch", found["watch"]) == "/var/lib/keepwell/acme/schedule.watch.lock"


def test_chores_are_asked_for_so_that_what_a_host_says_itself_holds() -> None:
    text = (
        "all: {playbook: maintain, at: '22:00', act: [patching]}\n"
        "one: {playbook: patch, at: '23:00', act: [patching]}\n"
        "look: {playbook: maintain, at: '20:00'}\n"
        "peek: {playbook: patch, at: '21:00'}\n"
        "morning: {playbook: assess, at: '05:00'}"
    )
    found = built(text)
    commands = {name: jobs.command(SITE, name, entry) for name, entry in found.items()}
    told = {name: json.loads(argv[argv.index("--extra-vars") + 1]) for name, argv in commands.items()}
    asked = {name: {key: it for key, it in said.items() if key.endswith("_act")} for name, said in told.items()}
    assert asked == {
        "all": {"maintain_act": ["patching"]},
        "one": {"patching_act": True},
        "look": {"maintain_act": []},
        "peek": {"patching_act": False},
        "morning": {},
    }
    # So a group that is to stay as it is does stay: -e would overrule it.
    kept = {"patching": Options(act=False)}
    wish = choosing.read({"maintain_act": told["all"]["maintain_act"]})
    assert choosing.acting({"web1": wish}, {"web1": kept}, {"patching": ["web1"]}) == {}
    # And what a file wants in every run is not done by one that only looks.
    eager = {"patching": Options(act=True)}
    wish = choosing.read({"maintain_act": told["look"]["maintain_act"]})
    assert choosing.acting({"web1": wish}, {"web1": eager}, {"patching": ["web1"]}) == {}


def test_no_secret_and_no_path_to_one_is_an_argument() -> None:
    arguments = jobs.command(SITE, "nightly", built()["nightly"])
    assert arguments[-2:] == ["--vault-id", "acme@/opt/keep well/roles/scheduler/files/vault.sh"]
    assert not [argument for argument in arguments if "/etc/keepwell" in argument]


# --- systemd's own word


def need_systemd() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have systemd-analyze")
        pytest.skip("needs systemd-analyze")
    return program


@pytest.mark.parametrize("beat", model.BEATS)
def test_systemd_means_the_same_moments_by_a_beat(beat: int) -> None:
    text = f"{beat // 60}m" if beat < 3600 else f"{beat // 3600}h"
    same_moments(model.Entry.model_validate({"playbook": "assess", "every": text}))


@pytest.mark.parametrize("more", [{}, {"days": ["sun", "wed"]}, {"month_days": [1, 28]}])
@pytest.mark.parametrize("at", ["00:00", "04:05", "23:59"])
def test_systemd_means_the_same_moments_by_a_time(at: str, more: dict[str, t.Any]) -> None:
    same_moments(model.Entry.model_validate({"playbook": "assess", "at": at, **more}))


def same_moments(entry: model.Entry) -> None:
    """Across both changes of the clock, what systemd would do is what is expected."""
    for begin in ("2026-03-28 12:00:00", "2026-10-24 12:00:00"):
        since = datetime.datetime.fromisoformat(f"{begin}+00:00")
        done = subprocess.run(
            [need_systemd(), "calendar", "--iterations=5", f"--base-time={begin} UTC", systemd.on_calendar(entry, AMSTERDAM.key)],
            env={"TZ": "UTC", "PATH": os.environ["PATH"], "LANG": "C"}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        told = re.findall(r"(?:Next elapse|Iter\. #\d+): \w+ (\S+ \S+) UTC", done.stdout)
        found = [datetime.datetime.fromisoformat(f"{text}+00:00").timestamp() for text in told]
        assert len(found) == 5, done.stdout
        planned = times.expected({"x": entry}, AMSTERDAM, since.timestamp() + 1, found[-1] + 1)
        assert found == [entry.at for entry in planned]


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units in a folder, with what they start."""
    root = tmp_path / "opt"
    site = {**SITE.__dict__, "alert_command": ["/bin/true", "100%", "$HOME"]}
    for key in ("project", "playbooks", "helpers"):
        site[key] = str(root / key)
        (root / key).mkdir(parents=True)
    site["program"] = str(root / "ansible-playbook")
    for path in (root / "ansible-playbook", root / "helpers" / "alert.sh"):
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    folder = tmp_path / "units"
    folder.mkdir()
    for path, text in systemd.render(built(), jobs.Site(**{**site, "user": "root"}), "Europe/Amsterdam").items():
        (folder / Path(path).name).write_text(text)
    return folder


def test_systemd_finds_nothing_to_complain_of(units: Path) -> None:
    names = [str(path) for path in sorted(units.iterdir()) if "@" not in path.name]
    done = subprocess.run(
        [need_systemd(), "verify", "--man=no", "--recursive-errors=no", *names, str(units / "keepwell-acme-alert@x.service")],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "keepwell" in line]
    assert ours == []


def test_a_service_that_can_be_broken_into_can_do_little(units: Path) -> None:
    done = subprocess.run(
        [need_systemd(), "security", "--offline=true", "--no-pager", str(units / "keepwell-acme-nightly.service")],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert level, done.stdout + done.stderr
    assert float(level[1]) < 3.5, done.stdout


# --- cron


def test_a_line_for_cron_is_one_line_and_not_too_long() -> None:
    for kind in ("cron", "cron-utc"):
        [text] = rendered(kind).values()
        assert text.endswith("\n")
        for line in text.splitlines():
            assert re.match(r'#|[A-Z_]+="|[\d,*]+ [\d,*]+ [\d,*]+ \* [\d,*]+ keepwell ', line), line
            assert not re.search(r"(?<!\\)%", line) or line.startswith("#")
    long = jobs.Site(**{**SITE.__dict__, "project": "/" + "x" * 900})
    with pytest.raises(SettingsError, match=r"keepwell_schedule.watch: its line for cron has \d+ characters"):
        cron.render(built(), long, "Europe/Amsterdam", AMSTERDAM, 2026)


@pytest.mark.parametrize(("key", "name"), [("config", "ANSIBLE_CONFIG"), ("vault_file", "KEEPWELL_VAULT_FILE")])
def test_a_path_with_a_quotation_mark_is_refused_for_cron_and_quoted_for_systemd(key: str, name: str) -> None:
    site = jobs.Site(**{**SITE.__dict__, key: '/etc/my "own"/file'})
    with pytest.raises(SettingsError, match=f"{name}: '/etc/my \"own\"/file' has a quotation mark"):
        cron.render(built(), site, "Europe/Amsterdam", AMSTERDAM, 2026)
    assert systemd.render(built(), site, "Europe/Amsterdam")


CRON_ENTRIES = [
    {"every": "5m"}, {"every": "12m"}, {"every": "1h"}, {"every": "6h"}, {"every": "24h"},
    {"at": "22:00"}, {"at": "00:15"}, {"at": "05:10", "days": ["tue", "sun"]}, {"at": "06:45", "month_days": [1, 25]},
]  # fmt: skip


@pytest.mark.parametrize("node", ["UTC", "Etc/UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kathmandu", None])
@pytest.mark.parametrize("entry", CRON_ENTRIES, ids=str)
def test_cron_of_any_node_begins_at_the_expected_moments(node: str | None, entry: dict[str, t.Any]) -> None:
    """Minute by minute over both changes of the clock; jobs with a star in hours go by the clock as it is."""
    wanted = model.Entry.model_validate({"playbook": "assess", **entry})
    zone = ZoneInfo(node) if node else None
    [text] = cron.render({"x": wanted}, SITE, AMSTERDAM.key, zone, 2026).values()
    line = text.splitlines()[-1]
    fields, guard = line.split(" keepwell ", 1)
    clock = zone or ZoneInfo("Asia/Kolkata")
    for month, day in ((3, 27), (10, 23)):
        since = datetime.datetime(2026, month, day, tzinfo=datetime.UTC).timestamp()
        until = since + 5 * 86400
        fired = [at for at in range(int(since), int(until), 60) if starts(fields, at, clock) and lets(guard, at)]
        assert fired == [planned.at for planned in times.expected({"x": wanted}, AMSTERDAM, since, until)], line


def starts(fields: str, at: float, zone: ZoneInfo) -> bool:
    local = datetime.datetime.fromtimestamp(at, zone)
    clock = (local.minute, local.hour, local.day, local.month, local.isoweekday())
    return all(
        field == "*" or value in map(int, field.split(",")) for field, value in zip(fields.split(), clock, strict=True)
    )


def lets(command: str, at: float) -> bool:
    """What the shell would make of the line's own condition."""
    found = re.match(r'case "\$\(TZ=(\S+) date \+(\S+)\)" in (\S+)\) ', command)
    if not found:
        assert not command.startswith("case")
        return True
    zone, form, answers = found.groups()
    told = datetime.datetime.fromtimestamp(at, ZoneInfo(zone)).strftime(form.replace("\\", ""))
    return any(re.fullmatch(answer, told) for answer in answers.split("|"))


def test_a_splay_is_the_same_every_night_and_within_its_limit() -> None:
    entry = built()["nightly"]
    assert 0 <= cron.delay("acme", "nightly", entry) <= 600
    assert len({cron.delay(f"client{number}", "nightly", entry) for number in range(50)}) > 30
