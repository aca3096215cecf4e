# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make reports and exports of a run: read run.json, render, put the files that differ into place.

Works on the control node alone. Nothing but the run and the templates goes in: no facts, no host variables, no clock.
"""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path

from ansible import constants

from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import client_folder
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import ControlAction, inventory
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.formats import DIALECTS, FORMATS, USUAL_FORMATS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report import folder as files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor_pdf import evidence_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.brand import brand_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import REPORTS, USUAL_REPORTS, make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import READERS, SOURCE, reader_texts
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import is_provisional
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import search_path
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.reading import read_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.seal import read_seal
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

# A page of HTML says nothing as a diff; these do.
_DIFFABLE = (".md", ".csv", ".prom")
_DIFF_LIMIT: int = constants.MAX_FILE_SIZE_FOR_DIFF
# Which page to open first, where there are several.
_FIRST = ("engineer", "owner", "auditor")


class ActionModule(ControlAction):
    """keepwell.fleet.render"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "run": {"type": "path", "required": True},
        "destination": {"type": "path"},
        "reports": {"type": "list", "elements": "str", "choices": list(REPORTS), "default": list(USUAL_REPORTS)},
        "formats": {"type": "list", "elements": "str", "choices": list(FORMATS), "default": list(USUAL_FORMATS)},
        "csv": {"type": "str", "choices": list(DIALECTS), "default": "plain"},
        "templates": {"type": "list", "elements": "path", "default": []},
        "brand": {"type": "dict", "default": {}},
        "language": {"type": "str", "choices": list(READERS), "default": SOURCE},
        "latest": {"type": "bool", "default": False},
    }

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return {changed, folder, files, index, run_id, client, provisional, msg}."""
        base = client_folder(inventory(task_vars))
        source = Path(os.path.abspath(arguments["run"]))
        run = read_run(source)
        folder = _folder(arguments["destination"], source, run)
        texts, warning = reader_texts(arguments["language"], run.header.client.locale)
        bundle = make_bundle(
            run,
            search_path(arguments["templates"], base),
            arguments["reports"],
            arguments["formats"],
            texts,
            seal=read_seal(source),
            dialect=arguments["csv"],
            brand=brand_of(arguments["brand"], base),
            evidence=evidence_of(source) if "auditor" in arguments["reports"] else None,
        )
        differing = files.differing(folder, bundle.files)
        follows = arguments["latest"] and not arguments["destination"] and not is_provisional(run)
        link = _outdated_link(folder) if follows else None
        if not self._task.check_mode:
            files.write(folder, {name: bundle.files[name] for name in differing})
            if link:
                _point(link, folder)
        pages = [name for stem in _FIRST for name in bundle.files if re.fullmatch(rf"{stem}(\.partial)?\.html", name)]
        result: dict[str, t.Any] = {
            "changed": bool(differing or link),
            "folder": str(folder),
            "index": str(folder / pages[0]) if pages else "",
            "files": sorted(bundle.files),
            "changed_files": sorted(differing),
            "run_id": run.header.run_id,
            "client": run.header.client.id,
            "provisional": is_provisional(run),
            "msg": files.message(len(differing), len(bundle.files), folder, check_mode=bool(self._task.check_mode)),
        }
        # The owner's page may have said it already.
        if warnings := list(dict.fromkeys([*([warning] if warning else []), *bundle.warnings])):
            result["warnings"] = warnings
        if self._task.diff and differing:
            result["diff"] = [_diff(folder / name, old, bundle.files[name]) for name, old in sorted(differing.items())]
        return result


def _folder(destination: str | None, source: Path, run: Run) -> Path:
    """Return where the files go: as asked, or reports/<date>-<run id> beside the client's runs."""
    if destination:
        return Path(os.path.abspath(destination))
    if source.parent.parent.name != "runs":
        raise EvidenceError(
            f"No report was made: {source} does not lie in <client>/runs/<run id>/, so there is no usual place for "
            "its reports. Say where they should go with 'destination'."
        )
    # Run ids sort by time, so these names do too.
    return source.parents[2] / "reports" / f"{run.header.started_at[:10]}-{source.parent.name}"


def _outdated_link(folder: Path) -> Path | None:
    """Return the client's link ``latest`` if it should point to ``folder`` and does not; it never goes back in time."""
    link = folder.parent.parent / "latest"
    if not link.is_symlink():
        if link.exists():
            raise EvidenceError(
                f"No report was made: {link} should be a link to the latest report, but is something else. "
                "Move it away, or set 'latest' to false."
            )
        return link
    return link if os.path.basename(os.readlink(link)) < folder.name else None


def _point(link: Path, folder: Path) -> None:
    """Point ``link`` to ``folder`` in one step. Relative, so that the state directory can be moved."""
    draft = link.with_name(f".latest-{os.getpid()}")
    try:
        draft.unlink(missing_ok=True)
        draft.symlink_to(Path("reports") / folder.name)
        os.replace(draft, link)
    except OSError as exc:
        raise EvidenceError(
            f"The report is in {folder}, but {link} could not be set: {exc.strerror}. Correct the rights of "
            f"{link.parent} and run again."
        ) from exc


def _diff(path: Path, old: bytes | None, new: bytes) -> dict[str, t.Any]:
    if path.suffix not in _DIFFABLE or max(len(old or b""), len(new)) > _DIFF_LIMIT:
        was = "new" if old is None else f"{len(old)} bytes before"
        return {"prepared": f"{path}: {len(new)} bytes, {was}\n"}
    return {
        "before_header": str(path) if old is not None else "/dev/null",
        "after_header": str(path),
        "before": (old or b"").decode("utf-8", "replace"),
        "after": new.decode("utf-8"),
    }
