# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that is no run of ours ends in one clear sentence: what, where, why, what to do."""

from __future__ import annotations

import json
import re

import fleet_maker
import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError, dump
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.reading import read_run


@pytest.fixture
def document():
    return json.loads(dump(fleet_maker.make_run(3)))


def refused(tmp_path, content: bytes) -> str:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(EvidenceError) as caught:
        read_run(path)
    message = str(caught.value)
    assert message.startswith("No report was made: ")
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 600
    return message


def test_a_good_run_is_read(tmp_path, document):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document))
    assert read_run(path) == fleet_maker.make_run(3)


def test_a_missing_file(tmp_path):
    with pytest.raises(EvidenceError, match=re.escape("there is no ")):
        read_run(tmp_path / "nope.json")


def test_a_folder_instead_of_a_file(tmp_path):
    with pytest.raises(EvidenceError, match="cannot be read"):
        read_run(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not json", b"{", b'{"a": 1', b"\xff\xfe"])
def test_what_is_not_json(tmp_path, content):
    assert "is not JSON" in refused(tmp_path, content)


def test_json_that_is_nested_without_end(tmp_path):
    assert "nested deeper" in refused(tmp_path, b"[" * 100_000)


@pytest.mark.parametrize("content", [b"[]", b"{}", b'"text"', b"null", b'{"schema_version": "1.0", "results": []}'])
def test_json_of_somebody_else(tmp_path, content):
    assert "not the run.json of a Keepwell run" in refused(tmp_path, content)


@pytest.mark.parametrize("version", ["1.1", "2.0", "10.0"])
def test_a_newer_schema(tmp_path, document, version):
    document["schema_version"] = version
    document["something_new"] = True
    message = refused(tmp_path, json.dumps(document).encode())
    assert f"newer Keepwell (schema {version}" in message
    assert "Update the collection" in message


@pytest.mark.parametrize("version", ["", "one", "1", "1.0.0", None, "9" * 9999 + ".0"])
def test_a_version_that_is_none_of_ours(tmp_path, document, version):
    document["schema_version"] = version
    assert "none of Keepwell's" in refused(tmp_path, json.dumps(document).encode())


def test_a_field_that_is_not_ours_or_of_the_wrong_kind(tmp_path, document):
    assert "grade" in refused(tmp_path, json.dumps({**document, "grade": "A"}).encode())
    assert "surprise" in refused(tmp_path, json.dumps({**document, "surprise": 1}).encode())


def test_counts_that_do_not_add_up(tmp_path, document):
    document["counts"]["hosts"]["ok"] = document["counts"]["hosts"].get("ok", 0) + 1
    assert "do not add up" in refused(tmp_path, json.dumps(document).encode())
