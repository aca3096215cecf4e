# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the reports of a period of one client from its evidence: for its people, and for an auditor."""

from __future__ import annotations

import os
import re
import time
import typing as t
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils import scheduled, settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import client_folder
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import (
    ControlAction,
    inventory,
    keepwell_variables,
    state_dir,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import dump
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs import errands
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.formats import DIALECTS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import one_client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import find_zone
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period import reading, span
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report import folder as files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor import auditor_files, auditor_paper
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor_pdf import embedded, evidence_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.brand import brand_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import (
    CLIENT,
    READERS,
    SOURCE,
    reader_texts,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates, search_path
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.period import period_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.period_tables import sheets
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.seal import read_seal

DOCUMENT = "period.json"
REPORTS = ("period", "auditor")


class ActionModule(ControlAction):
    """keepwell.fleet.period_report"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "month": {"type": "str", "default": ""},
        "first_day": {"type": "str", "default": ""},
        "last_day": {"type": "str", "default": ""},
        "as_of": {"type": "str", "default": ""},
        "seed": {"type": "str", "default": ""},
        "reports": {"type": "list", "elements": "str", "choices": list(REPORTS), "default": list(REPORTS)},
        "formats": {"type": "list", "elements": "str", "choices": ["html", "pdf"], "default": ["html"]},
        "csv": {"type": "str", "choices": list(DIALECTS), "default": "plain"},
        "destination": {"type": "path"},
        "templates": {"type": "list", "elements": "path", "default": []},
        "brand": {"type": "dict", "default": {}},
        "language": {"type": "str", "choices": list(READERS), "default": SOURCE},
    }

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return {changed, folder, files, changed_files, client, first_day, last_day, runs, msg}."""
        one_client(self._loader, task_vars)
        if not re.fullmatch(r"[A-Za-z0-9._-]{0,64}", arguments["seed"]):
            raise settings.SettingsError(["keepwell_seed must be up to 64 letters, digits, and . _ -"])
        own = keepwell_variables(self._templar, task_vars)
        client = settings.client(own.get("keepwell_client"), inventory(task_vars))
        now, _simulated = settings.now(own, time.time())
        asked = span.Asked(arguments["month"], arguments["first_day"], arguments["last_day"], arguments["as_of"])
        days = span.days(asked, find_zone(client.timezone) or span.UTC, now)
        store = Store(state_dir(own, task_vars), client.id)
        made = reading.read(store, days, now)
        seal = read_seal(made.path)
        base = client_folder(inventory(task_vars))
        path, brand = search_path(arguments["templates"], base), brand_of(arguments["brand"], base)
        registers = {DOCUMENT: dump(made.period), **sheets(made.period, arguments["csv"])}
        wanted = dict(registers)
        warnings: list[str] = []
        if "period" in arguments["reports"] and "html" in arguments["formats"]:
            texts, warning = reader_texts(CLIENT, client.locale)
            warnings += [warning] if warning else []
            templates = Templates(path, texts, brand=brand)
            wanted |= period_files(made.run, made.period, templates, texts, seal, sorted(wanted))
        if "auditor" in arguments["reports"]:
            texts, warning = reader_texts(arguments["language"], client.locale)
            warnings += [warning] if warning else []
            templates = Templates(path, texts, brand=brand)
            told = (made.run, made.period, templates, texts, seal, arguments["seed"], DOCUMENT)
            if "html" in arguments["formats"]:
                wanted |= auditor_files(*told)
            if "pdf" in arguments["formats"]:
                paper, said = auditor_paper(*told, embedded(made.run, evidence_of(made.path), registers))
                wanted |= paper
                warnings += said
        folder = store.root / "reports" / f"period-{days.first}-{days.last}"
        if arguments["destination"]:
            folder = Path(os.path.abspath(arguments["destination"]))
        differing = files.differing(folder, wanted)
        check_mode = bool(self._task.check_mode)
        if not check_mode:
            entry = scheduled.entry(own, own.get("keepwell_schedule") or {})
            errands.note(store, "period_report", entry, now)
            files.write(folder, {name: wanted[name] for name in differing})
        message = files.message(len(differing), len(wanted), folder, check_mode=check_mode)
        self._display.display(message)
        return {
            "changed": bool(differing),
            "folder": str(folder),
            "files": sorted(wanted),
            "changed_files": sorted(differing),
            "client": client.id,
            "first_day": days.first.isoformat(),
            "last_day": days.last.isoformat(),
            "runs": len(made.period.runs),
            "msg": message,
            **({"warnings": list(dict.fromkeys(warnings))} if warnings else {}),
        }
