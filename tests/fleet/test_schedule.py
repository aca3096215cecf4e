"""A host of the lab as control node: what systemd and cron really start, once, at the client's time, and what is left.

Two clients, acme with systemd and shop with cron, both on the clock of Amsterdam while the host's own is UTC.
"""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from harness import PROJECT
from lab.hosts import Host, Lab, Wanted

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.xdist_group("lab")]

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
ENVIRONMENT = Path(sys.prefix).resolve()
PYTHON = Path(sys.base_prefix).resolve()
MOUNTED = [ENVIRONMENT, *([PYTHON] if Path("/usr") != PYTHON else [])]
STATE = "/var/lib/keepwell"
TOLD = "/srv/told"
UNITS = "/etc/systemd/system"
SECRET = "correct horse"
PREPARE = f"""
# As systemd does on a machine of its own: what it mounts for a unit's credentials has to reach the unit.
mount --make-rshared /
useradd --system --create-home keepwell
install -d -o keepwell -g keepwell -m 0750 {STATE} {TOLD}
for folder in {" ".join(str(parent) for path in MOUNTED for parent in path.parents)}; do chmod o+x $folder; done
cat >/usr/sbin/sendmail <<'X'
#!/bin/sh
cat >>{TOLD}/mail
X
cat >/usr/local/bin/told <<'X'
#!/bin/sh
echo "$KEEPWELL_CLIENT $KEEPWELL_UNIT $*" >>{TOLD}/calls
X
chmod 755 /usr/sbin/sendmail /usr/local/bin/told
install -d -m 0755 /etc/keepwell
for name in vault bank.vault shop.vault; do echo '{SECRET}' >/etc/keepwell/$name; chmod 0400 /etc/keepwell/$name; done
chown keepwell /etc/keepwell/shop.vault
printf '[Timer]\\nOnCalendar=daily\\n' >{UNITS}/keepwell-mine.timer
"""


@dataclass
class Control:
    """The control node."""

    host: Host
    due: datetime.datetime

    def play(self, playbook: str, client: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a playbook as root."""
        return self.host.run(
            f"cd /opt/keepwell && LANG=C.UTF-8 NO_COLOR=1 ANSIBLE_CONFIG=/opt/keepwell/ansible.cfg "
            f"{ENVIRONMENT}/bin/ansible-playbook playbooks/{playbook}.yml -i /srv/clients/{client} "
            f"-e keepwell_state_dir={STATE} --vault-id {client}@/etc/keepwell/vault {' '.join(arguments)} 2>&1",
            check=check,
            timeout=240,
        )

    def schedule(self, client: str, *arguments: str) -> str:
        return self.play("schedule", client, *arguments).stdout

    def install(self, client: str, *arguments: str) -> str:
        return self.schedule(client, "-e scheduler_act=true", *arguments)

    def declare(self, client: str, **more: t.Any) -> None:
        """Write the client's files; but for acme, one of its variables is encrypted."""
        near = f"{self.due:%H:%M}"
        variables = {
            "keepwell_client": {"id": client, "name": client.title(), "timezone": "Europe/Amsterdam"},
            "keepwell_plan": {"name": "Care", "services": ["monitoring", "disk_cleanup"]},
            "keepwell_schedule": {
                "look": {"playbook": "assess", "at": near},
                # There is no run to report on yet: it fails.
                "fails": {"playbook": "report", "at": near},
                "room": {"playbook": "disk_cleanup", "at": near, "act": ["disk_cleanup"]},
                "rest": {"playbook": "assess", "every": "24h", "enabled": False},
            },
            "scheduler_kind": "cron" if client == "shop" else "systemd",
            "scheduler_vault_file": "" if client == "acme" else f"/etc/keepwell/{client}.vault",
            "scheduler_alert_command": ["/usr/local/bin/told", "100%", "$HOME"],
            "scheduler_alert_mail": "ops@example.com",
            **more,
        }
        exposure = "internal" if client == "acme" else "{{ vault_exposure }}"
        hosts = {"all": {"hosts": {"self": {"ansible_connection": "local", "keepwell_exposure": exposure}}}}
        folder = f"/srv/clients/{client}"
        for path, content in {"hosts.yml": hosts, "group_vars/all/all.yml": variables}.items():
            text = yaml.safe_dump(content, sort_keys=False)
            self.host.run(f"mkdir -p {folder}/group_vars/all; cat >{folder}/{path} <<'END'\n{text}END")
        if client == "acme":
            return
        vault = f"{folder}/group_vars/all/vault.yml"
        self.host.run(
            f"echo 'vault_exposure: internal' >{vault} && LANG=C.UTF-8 {ENVIRONMENT}/bin/ansible-vault encrypt "
            f"--vault-id {client}@/etc/keepwell/vault {vault} && chmod 644 {vault}"
        )

    def runs(self, client: str) -> list[dict[str, t.Any]]:
        """The headers of a client's runs, oldest first."""
        text = self.host.run(f"cd {STATE}/{client}/runs 2>/dev/null && cat */run.json || true").stdout
        return [json.loads(line)["header"] for line in text.splitlines()]

    def findings(self, client: str) -> dict[str, str]:
        """What the newest run says of the schedule, by object."""
        text = self.host.run(f"cd {STATE}/{client}/runs && cat $(ls | tail -1)/hosts/self.json").stdout
        results = json.loads(text)["result"]["results"]
        [result] = [result for result in results if result["check"] == "availability.schedule"]
        return {finding.get("object", ""): finding["state"] for finding in result.get("findings", ())}

    def show(self, unit: str, prop: str) -> str:
        return self.host.run(f"systemctl show --value --property={prop} {unit}").stdout.strip()


def until(condition: t.Callable[[], t.Any], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(1)


@pytest.fixture(scope="module")
def control(lab: Lab) -> Control:
    """The control node with both clients' schedules installed, after the time at which everything was due."""
    mounts = [f"{PROJECT}:/opt/keepwell:ro", *(f"{path}:{path}:ro" for path in MOUNTED)]
    options = [word for mount in mounts for word in ("--volume", mount)]
    # What a control node on a machine of its own has: systemd may make the namespaces of its hardening.
    options += ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"]
    lab.start([Wanted("control", "debian-12-control", tuple(options), before=PREPARE, refresh=False)])
    now = datetime.datetime.now(AMSTERDAM)
    made = Control(lab.hosts["control"], now)
    for client in ("acme", "shop"):
        made.declare(client)
    shown = {client: made.schedule(client) for client in ("acme", "shop")}
    assert "keepwell-acme-look.timer is missing" in shown["acme"]
    assert "+OnCalendar=" in shown["acme"]
    assert (
        made.host.run(f"ls {UNITS}/keepwell-acme* /etc/cron.d/keepwell* {STATE}/acme 2>/dev/null || true").stdout == ""
    )
    # Installing both takes some seconds; then a whole minute begins.
    made.due = datetime.datetime.now(AMSTERDAM).replace(second=0, microsecond=0) + datetime.timedelta(minutes=2)
    for client in ("acme", "shop"):
        made.declare(client)
        made.install(client)
    assert datetime.datetime.now(AMSTERDAM) < made.due, "installing took too long for this test"
    for client in ("acme", "shop"):
        made.host.start_in_background(f"runuser -u keepwell -- flock {STATE}/{client}/schedule.lock sleep 100000")
    until(lambda: datetime.datetime.now(AMSTERDAM) >= made.due, 180, "the time")
    return made


def test_a_second_time_changes_nothing(control: Control) -> None:
    for client in ("acme", "shop"):
        output = control.install(client)
        assert "changed=0" in output, output
        assert "all as written" in output
        assert "changed=0" in control.schedule(client, "--check", "-e scheduler_act=true")


@pytest.mark.parametrize("client", ["acme", "shop"])
def test_a_run_begins_by_itself_at_the_clients_time(control: Control, client: str) -> None:
    until(lambda: control.runs(client), 90, "a run that nobody started")
    [run] = control.runs(client)
    begun = datetime.datetime.fromisoformat(run["started_at"])
    assert datetime.timedelta(0) <= begun - control.due < datetime.timedelta(seconds=60)
    assert run["trigger"]["user"] == "keepwell"
    assert run["trigger"]["origin"] == ("timer" if client == "acme" else "unattended")
    # Concluded, sealed and reported, within what the unit may write; and the schedule itself is as it is written.
    until(
        lambda: control.host.run(f"test -e {STATE}/{client}/status.json", check=False).returncode == 0, 90, "a report"
    )
    assert control.findings(client) == {}
    if client == "acme":
        until(lambda: control.show("keepwell-acme-look.service", "ActiveState") == "inactive", 30, "the end of the run")
        assert control.show("keepwell-acme-look.service", "Result") == "success"


@pytest.mark.parametrize("client", ["acme", "shop"])
def test_a_run_that_acts_waits_for_none_and_does_not_collide(control: Control, client: str) -> None:
    """The lock is held by the test since before the time: the run ended at once, and nothing failed."""
    until(lambda: control.runs(client), 90, "the run beside it")
    assert not [run for run in control.runs(client) if run.get("acting")]
    if client == "acme":
        assert control.show("keepwell-acme-room.service", "ExecMainStatus") == "75"
        assert control.show("keepwell-acme-room.service", "Result") == "success"
        # systemd itself joins a second start to the first.
        for _twice in range(2):
            control.host.run("systemctl start --no-block keepwell-acme-look.service; sleep 0.5")
        until(lambda: len(control.runs(client)) == 2, 60, "one more run")
        until(lambda: control.show("keepwell-acme-look.service", "ActiveState") == "inactive", 90, "its end")
        assert len(control.runs(client)) == 2
    assert f"keepwell-{client}-room" not in control.host.run(f"cat {TOLD}/calls").stdout


@pytest.mark.parametrize("client", ["acme", "shop"])
def test_a_run_that_fails_is_told(control: Control, client: str) -> None:
    told = f"{client} keepwell-{client}-fails{'.service' if client == 'acme' else ''} 100% $HOME"
    until(lambda: told in control.host.run(f"cat {TOLD}/calls 2>/dev/null || true").stdout, 90, told)
    until(
        lambda: f"keepwell-{client}-fails" in control.host.run(f"cat {TOLD}/mail 2>/dev/null || true").stdout,
        30,
        "a mail",
    )
    mail = control.host.run(f"cat {TOLD}/mail").stdout
    assert "ops@example.com" in mail
    if client == "acme":
        journal = control.host.run("journalctl --priority err --unit 'keepwell-acme-alert@*' --output cat").stdout
        assert re.search(r"acme: keepwell-acme-fails\.service failed \(exit-code, 2\)\. Look: journalctl", journal)
    else:
        assert "keepwell-shop-fails failed: exit code 2" in mail
        assert "keepwell-shop-fails failed: exit code 2" in control.host.run("journalctl --output cat").stdout


def test_systemd_hands_over_the_vault_password(control: Control) -> None:
    """The account itself cannot read the file that it comes from."""
    assert control.host.run("runuser -u keepwell -- cat /etc/keepwell/bank.vault", check=False).returncode != 0
    control.declare("bank")
    control.install("bank")
    control.host.run("systemctl start keepwell-bank-look.service", timeout=240)
    assert len(control.runs("bank")) == 1
    control.install("bank", "-e scheduler_state=absent")


def test_secrets_are_on_no_command_line_and_in_no_log(control: Control) -> None:
    written = control.host.run(f"cat {UNITS}/keepwell-* /etc/cron.d/keepwell-*; journalctl --output cat").stdout
    assert SECRET not in written


def test_systemd_itself_has_nothing_to_say_against_the_units(control: Control) -> None:
    done = control.host.run(
        f"systemd-analyze verify --man=no {UNITS}/keepwell-acme-*.timer 2>&1 | grep keepwell || true"
    )
    assert done.stdout == ""
    done = control.host.run("systemd-analyze security --no-pager keepwell-acme-room.service")
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert level
    assert float(level[1]) < 3.5


def test_what_somebody_changes_is_a_finding_and_is_mended(control: Control) -> None:
    control.host.run(
        f"systemctl disable --now --quiet keepwell-acme-room.timer; rm {UNITS}/keepwell-acme-fails.service; "
        f"echo '# mine' >>{UNITS}/keepwell-acme-look.service; "
        f"head -1 {UNITS}/keepwell-acme-look.timer >{UNITS}/keepwell-acme-old.timer; systemctl daemon-reload"
    )
    control.host.run("systemctl start keepwell-acme-look.service", timeout=240)
    assert control.findings("acme") == {
        "keepwell-acme-fails.service": "act",
        "keepwell-acme-room.timer": "act",
        "keepwell-acme-look.service": "watch",
        "keepwell-acme-old.timer": "watch",
    }
    shown = control.schedule("acme")
    for text in ("fails.service is missing", "room.timer is neither enabled nor active", "old.timer is left over"):
        assert text in shown
    assert "-# mine" in shown
    control.install("acme")
    assert "all as written" in control.schedule("acme")
    assert control.host.run(f"test -e {UNITS}/keepwell-acme-old.timer", check=False).returncode != 0


def test_another_scheduler_takes_over_and_leaves_no_second_start(control: Control) -> None:
    vault = "-e scheduler_vault_file=/etc/keepwell/vault"
    refused = control.play(
        "schedule", "acme", "-e scheduler_act=true -e scheduler_kind=cron", vault, check=False
    ).stdout
    assert "/etc/keepwell/vault has to exist" in " ".join(refused.split())
    control.install("acme", "-e scheduler_kind=cron")
    assert control.host.run(f"ls {UNITS} | grep keepwell-acme || true").stdout == ""
    assert control.host.run("test -e /etc/cron.d/keepwell-acme", check=False).returncode == 0
    control.install("acme")
    assert control.host.run("test -e /etc/cron.d/keepwell-acme", check=False).returncode != 0
    assert control.show("keepwell-acme-look.timer", "ActiveState") == "active"


def test_a_file_of_somebody_else_is_in_the_way(control: Control) -> None:
    control.host.run(f"echo '[Timer]' >{UNITS}/keepwell-acme-own.timer")
    control.declare("acme", keepwell_schedule={"own": {"playbook": "assess", "every": "1h"}})
    output = control.play("schedule", "acme", "-e scheduler_act=true", check=False).stdout
    assert "keepwell-acme-own.timer was not made by Keepwell" in " ".join(output.split())
    assert control.host.run(f"cat {UNITS}/keepwell-acme-own.timer").stdout == "[Timer]\n"
    control.host.run(f"rm {UNITS}/keepwell-acme-own.timer")


def test_removal_leaves_nothing_of_the_client_and_all_of_others(control: Control) -> None:
    control.declare("acme")
    control.install("acme")
    shop = control.host.run("cat /etc/cron.d/keepwell-shop").stdout
    assert "is left over" in control.schedule("acme", "-e scheduler_state=absent")
    assert control.show("keepwell-acme-look.timer", "ActiveState") == "active"
    control.install("acme", "-e scheduler_state=absent")
    left = control.host.run(
        "find /etc /var/lib/systemd /run/systemd -name '*keepwell-acme*'; systemctl list-units --all 'keepwell-acme*' --no-legend"
    )
    assert left.stdout.strip() == ""
    assert control.host.run(f"test -e {STATE}/acme/schedule.json", check=False).returncode != 0
    assert control.host.run("cat /etc/cron.d/keepwell-shop").stdout == shop
    assert control.host.run(f"test -e {UNITS}/keepwell-mine.timer", check=False).returncode == 0
    assert control.runs("acme"), "evidence stays"
    assert "changed=0" in control.install("acme", "-e scheduler_state=absent")
    control.install("shop", "-e scheduler_state=absent")
    assert control.host.run("ls /etc/cron.d | grep keepwell || true").stdout == ""
