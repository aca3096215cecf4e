"""Reports show the head of the evidence they were made from, and who signed it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet_runs import host_evidence, record
from sealed_client import IDENTITY, prepared, signed_runs

from ansible_collections.keepwell.fleet.plugins.action import render
from ansible_collections.keepwell.fleet.plugins.plugin_utils import status
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.reading import read_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.seal import read_seal

TEMPLATES = [str(Path(render.__file__).parents[2] / "roles" / "health_report" / "templates")]


def reports(run: Path) -> tuple[str, str]:
    files = make_bundle(read_run(run), TEMPLATES, seal=read_seal(run)).files
    return files["engineer.html"].decode(), files["summary.md"].decode()


def test_the_head_and_the_signer_are_in_page_summary_and_status(tmp_path: Path) -> None:
    told, store = prepared(tmp_path / "files"), Store(tmp_path / "state", "acme")
    [run_id] = signed_runs(store, told, 1)
    head = store.manifest_hash(run_id)
    page, summary = reports(store.run_dir(run_id) / "run.json")
    assert f"<dd><code>{head}</code></dd>" in page
    assert f"<dt>Signed by</dt><dd>{IDENTITY}</dd>" in page
    assert f"Head {head}, signed by keepwell@acme.\n\n|" in summary
    noted = status.result_of(store, store.read_run(run_id))["status"]
    assert (noted["head"], noted["signed_by"]) == (head, IDENTITY)


def test_an_unsigned_run_says_so_and_why(tmp_path: Path) -> None:
    told, store = prepared(tmp_path / "files"), Store(tmp_path / "state", "acme")
    [plain] = signed_runs(store, told.model_copy(update={"signing_key": None}), 1)
    page, summary = reports(store.run_dir(plain) / "run.json")
    assert "<dt>Signed by</dt><dd>nobody</dd>" in page
    assert ", not signed.\n\n|" in summary
    [away] = signed_runs(store, told.model_copy(update={"signing_key": "/none/<b>"}), 1)
    assert "nobody: The signing key /none/&lt;b&gt; does not exist." in reports(store.run_dir(away) / "run.json")[0]


def test_a_run_that_lies_elsewhere_has_no_head(tmp_path: Path) -> None:
    store = Store(tmp_path / "state", "acme")
    run_id = record(store, [host_evidence("web1", {"capacity.space": "ok"})])
    (tmp_path / "run.json").write_bytes((store.run_dir(run_id) / "run.json").read_bytes())
    page, summary = reports(tmp_path / "run.json")
    assert "<dt>Head</dt>" not in page
    assert f"Run {run_id}.\n\n|" in summary


def test_a_damaged_manifest_makes_no_report(tmp_path: Path) -> None:
    store = Store(tmp_path / "state", "acme")
    run_id = record(store, [host_evidence("web1", {"capacity.space": "ok"})])
    (store.run_dir(run_id) / "manifest.json").write_text("{}")
    with pytest.raises(EvidenceError, match=r"No report was made: .*manifest\.json is not a Manifest"):
        read_seal(store.run_dir(run_id) / "run.json")
