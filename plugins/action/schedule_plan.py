# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Say what the control node should have of a client's schedule, and what is different. Changes nothing."""

from __future__ import annotations

import datetime
import os
import sys
import time
import typing as t
from collections.abc import Sequence
from pathlib import Path

from ansible import constants

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings, validation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.client_action import ClientAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    keepwell_variables,
    named,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.receivers import Textfile
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import dump
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import cron, drift, installed, systemd
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.drift import Installed
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.jobs import FLOCK, Site
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import FLEET, Schedule
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.options import NAME, REGISTERED, Options, one_line

_HELPERS = Path(__file__).resolve().parents[2] / "roles" / "scheduler" / "files"
_STAMPS = "/var/lib/systemd/timers"
_WANTS = f"{systemd.FOLDER}/timers.target.wants"


class ActionModule(ClientAction):
    """keepwell.fleet.schedule_plan"""

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the files and timers that are wanted, what has to go, and every difference as a sentence."""
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        sources, hosts = self.whole_client(task_vars)
        checked = validation.look(task_vars, sources, hosts, now)
        checked.refuse()
        told = next(iter(checked.told.values()))
        chosen = self._options(task_vars)
        schedule = told.schedule if chosen.state == "present" else {}
        site = _site(told, chosen, sources, state_dir(own, task_vars), _metrics(told, own), task_vars)
        _refuse_lost_playbooks(schedule, site)
        zone, year = told.client.timezone, datetime.datetime.fromtimestamp(now, datetime.UTC).year
        timers: list[str] = []
        if chosen.kind == "cron":
            files = cron.render(schedule, site, zone, installed.local_zone(), year)
        else:
            files = systemd.render(schedule, site, zone)
            timers = systemd.timers(schedule, site.client)
        wanted = Installed(
            node=installed.node(),
            kind=chosen.kind,
            written=drift.digest(told.schedule, zone),
            files=drift.hashes(files),
            timers=timers,
        )
        found = installed.look(timers)
        in_the_way = drift.foreign(list(files), found, site.client)
        if in_the_way:
            raise settings.SettingsError(in_the_way)
        differences = drift.differences(wanted, found, site.client)
        remove = [path for path in found.owned(site.client) if path not in files]
        self._show(told.client.name, chosen, [difference.text for difference in differences], len(files))
        return {
            "changed": False,
            "client": site.client,
            "folder": site.folder,
            "files": [{"path": path, "content": text} for path, text in files.items()],
            "timers": timers,
            "remove": remove,
            "stop": [Path(path).name for path in remove if path.endswith(".timer")],
            "traces": [trace for path in remove if path.endswith(".timer") for trace in _traces(Path(path).name)],
            "record": {"path": f"{site.folder}/schedule.json", "content": dump(wanted).decode() if files else ""},
            "make_folders": [folder for folder in _folders(schedule, site) if files and not os.path.isdir(folder)],
            "needs": _needs(site, _folders(schedule, site)),
            "systemd": installed.runs_systemd(),
            "differences": [difference.text for difference in differences],
            "msg": f"{len(files)} files, {len(differences)} differences",
        }

    def _options(self, task_vars: dict[str, t.Any]) -> Options:
        names = [name for name in map(str, task_vars) if name.startswith(f"{NAME}_") and name not in REGISTERED]
        values = {name: named(name, lambda name: self._templar.template(task_vars[name])) for name in names}
        return options.read(NAME, Options, values, REGISTERED)

    def _show(self, client: str, chosen: Options, differences: list[str], files: int) -> None:
        if not differences:
            what = f"{files} files for {chosen.kind}, all as written" if files else "nothing is scheduled here"
            self._display.display(f"✓ {client}: {what}.")
        for text in differences:
            self._display.display(f"▲ {client}: {text}")


def _metrics(told: settings.Settings, own: dict[str, t.Any]) -> list[str]:
    """Return the folders of node_exporter that runs of this client write into."""
    folders = {entry.directory for entry in told.notify.receivers.values() if isinstance(entry, Textfile)}
    if own.get("keepwell_metrics_file"):
        folders.add(os.path.dirname(str(own["keepwell_metrics_file"])))
    return sorted(folders)


def _site(
    told: settings.Settings,
    chosen: Options,
    sources: list[str],
    state: str,
    metrics: list[str],
    task_vars: dict[str, t.Any],
) -> Site:
    playbooks = os.path.realpath(str(task_vars.get("playbook_dir", ".")))
    site = Site(
        client=told.client.id,
        project=os.path.dirname(playbooks),
        playbooks=playbooks,
        program=str(Path(sys.executable).with_name("ansible-playbook")),
        helpers=str(_HELPERS),
        inventory=sources,
        state_dir=state,
        user=chosen.user,
        config=os.path.realpath(constants.CONFIG_FILE) if constants.CONFIG_FILE else "",
        vault_file=chosen.vault_file,
        local_sudo=chosen.local_sudo,
        alert_command=chosen.alert_command,
        alert_mail=chosen.alert_mail,
        metrics=metrics,
    )
    for path in (site.project, site.program, site.helpers, site.state_dir, site.config, *metrics, *sources):
        try:
            one_line(path)
        except ValueError as exc:
            raise settings.SettingsError([f"The path {path!r} {exc}: no unit can name it."]) from exc
    return site


def _refuse_lost_playbooks(schedule: Schedule, site: Site) -> None:
    lost = [
        f"keepwell_schedule.{name}.playbook: there is no {site.playbooks}/{entry.playbook}.yml."
        for name, entry in schedule.items()
        if entry.enabled and not os.path.exists(f"{site.playbooks}/{entry.playbook}.yml")
    ]
    if lost:
        raise settings.SettingsError(lost)


def _folders(schedule: Schedule, site: Site) -> list[str]:
    """Return the folders of the state directory that runs write into."""
    overview = any(entry.enabled and entry.playbook == FLEET for entry in schedule.values())
    return [site.folder, *([site.overview] if overview else [])]


def _traces(timer: str) -> list[str]:
    """Return what systemd itself keeps of a timer."""
    return [f"{_STAMPS}/stamp-{timer}", f"{_WANTS}/{timer}"]


def _needs(site: Site, folders: Sequence[str]) -> list[dict[str, str]]:
    """Return what the account has to be able to do: run, read, and write what an earlier run has left."""
    sources = [source for source in site.inventory if os.path.exists(source)]
    kept = [*folders, f"{site.folder}/runs", f"{site.folder}/history.sqlite3", *site.metrics]
    return [
        *({"test": "-x", "path": path} for path in (FLOCK, site.program, f"{site.helpers}/alert.sh")),
        *({"test": "-r", "path": path} for path in (site.playbooks, site.config, *sources) if path),
        *({"test": "-w", "path": path} for path in kept if os.path.exists(path)),
    ]
