# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Antivirus work in reports: what was scanned, moved, left and put back stands where a reader looks for it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import fleet_maker

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import (
    AntivirusChange,
    Definitions,
    Detected,
    Restored,
    ScanCounts,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle

TEMPLATES = [str(Path(__file__).parents[5] / "roles" / "health_report" / "templates")]
STORED = "01M8E0PYRRTYM1VVGABTQZW279002"


def test_a_report_tells_antivirus_work() -> None:
    run = fleet_maker.make_run(3)
    host = run.header.population[0]
    record = ChangeRecord(
        run_id=run.header.run_id, client=run.header.client.id, host=host, chore="antivirus", outcome="done",
        text="5 files scanned.", started_at=run.header.started_at, ended_at=run.header.started_at,
        antivirus=AntivirusChange(
            definitions=[Definitions(engine="ClamAV", result="updated", disk_before="1", disk_after="2", loaded_before="1", loaded_after="2")],
            scan=ScanCounts(scanner="clamd", whole=False, reached="/home/x", files=5, bytes=2048, found=2, errors=1, unreadable=["/home/y: locked"]),
            detections=[
                Detected(id="Bad/1", name="Bad", path="/home/<b>x", outcome="quarantined", quarantine_id=STORED),
                Detected(id="Bad/2", name="Bad", outcome="left", code="package", text="it belongs to the package foo"),
            ],
            cleared=["Bad/1"], repaired={"clamav-daemon.service": "started: started"},
            restored=[Restored(quarantine_id="X", sha256="0", size=1, owner="", mode="0644", signature="Bad")],
        ),
    )  # fmt: skip
    header = run.header.model_copy(update={"acting": ["antivirus"]})
    made = make_bundle(run.model_copy(update={"header": header, "changes": [record]}), TEMPLATES).files
    page = made["engineer.html"].decode()
    for text in (
        "ClamAV updated: 1 -&gt; 2 on disk, 1 -&gt; 2 loaded",
        "clamd: 5 files (2.0 KiB), 2 with finds, 1 not readable",
        "not all: the time was over at /home/x",
        f"/home/&lt;b&gt;x: Bad, in quarantine as {STORED}",
        "Bad/2: Bad, left in place: it belongs to the package foo",
        "/home/y: locked",
        "clamav-daemon.service: started",
    ):
        assert text in page, text
    row = next(csv.DictReader(io.StringIO(made["changes.csv"].decode())))
    assert row["chore"] == "antivirus" and STORED in row["detections"] and row["detections_over"] == "Bad/1"
    assert row["definitions"].startswith("ClamAV updated") and row["restored"] == "X"
