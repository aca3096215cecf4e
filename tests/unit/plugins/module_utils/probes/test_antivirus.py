"""What engines print, and what is not it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _clamav, _clamav_detections, _vendor_engines


@given(st.integers(0, 10**6), st.integers(0, 2**33), st.integers(0, 10**7))
def test_every_database_head_is_read_back(version: int, built_at: int, signatures: int) -> None:
    head = f"ClamAV-VDB:11 Nov 2026 08-26 +0000:{version}:{signatures}:90:X:X:maker:{built_at}".encode().ljust(512)
    assert _clamav.parse_header(head + b"body") == {"version": version, "built_at": built_at, "signatures": signatures}


def test_an_old_head_without_epoch_is_dated_by_its_text() -> None:
    head = b"ClamAV-VDB:11 Nov 2026 10-26 +0200:27500:5:90:X:X:maker".ljust(512)
    assert _clamav.parse_header(head)["built_at"] == 1794385560


@given(st.binary(max_size=600))
def test_other_bytes_are_no_database(data: bytes) -> None:
    with pytest.raises(ValueError):
        _clamav.parse_header(b"x" + data)


@pytest.mark.parametrize(
    ("text", "database"),
    [
        ("ClamAV 1.4.3/27500/Wed Nov 11 08:26:00 2026\0", "27500"),
        ("ClamAV 1.4.3\n", None),
        ("ClamAV 0.103.8+dfsg/1/x", "1"),
    ],
)
def test_versions(text: str, database: str | None) -> None:
    assert _clamav.parse_version(text)["database"] == database


def test_a_refused_command_is_no_version() -> None:
    with pytest.raises(ValueError, match="COMMAND UNAVAILABLE"):
        _clamav.parse_version("COMMAND UNAVAILABLE\0")


def test_refusals_count_only_in_the_last_attempt() -> None:
    attempt = "Mon Nov 23 01:00:00 2026 -> ClamAV update process started at x\n"
    refused = "Mon Nov 23 01:00:02 2026 -> ERROR: downloadFile: Unexpected response (429) from https://db/daily.cvd\n"
    assert _clamav.parse_updater_log(attempt + refused)["refused"] == 429
    assert _clamav.parse_updater_log(attempt + refused + attempt)["refused"] is None
    assert _clamav.parse_updater_log(attempt + "daily.cvd version 27429 sigs 403429\n")["refused"] is None
    assert _clamav.parse_updater_log("")["last_lines"] == []


def test_paths_of_detections_do_not_leave_the_host() -> None:
    found = _clamav_detections.parse_detections(
        "Mon Nov 23 03:01:41 2026 -> /home/anna/cv: x.exe: Win.Test-1(00ff:12) FOUND\n"
    )
    assert [entry["name"] for entry in found] == ["Win.Test-1"]
    assert "anna" not in repr(found)


@pytest.mark.parametrize(
    ("text", "rfm", "version"),
    [
        ("rfm-state=false.\n", False, None),
        ("rfm-state=true.\nrfm-reason=Unspecified, code=0xC0000001.\nversion = 5.34.9918.0\n", True, "5.34.9918.0"),
        ("aid is not set, rfm-state is not set, version = 7.20.0-17306.", None, "7.20.0-17306"),
    ],
)
def test_falcon_states(text: str, rfm: bool | None, version: str | None) -> None:
    facts = _vendor_engines.parse_falcon(text)
    assert (facts["rfm"], facts["version"]) == (rfm, version)


def test_falcon_without_a_state_is_an_error() -> None:
    with pytest.raises(ValueError, match="no rfm-state"):
        _vendor_engines.parse_falcon("version = 7.20")


def test_health_of_another_form_is_named() -> None:
    with pytest.raises(ValueError, match="cannot read"):
        _vendor_engines.parse_health("healthy : true\n!!!\n")
    with pytest.raises(ValueError, match="cannot read the time"):
        _vendor_engines.parse_moment("soon")
