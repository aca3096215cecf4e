"""Cron tables, scripts and versions: the tool's name is kept, the command line never."""

from __future__ import annotations

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _backup_jobs, backups


def test_tools_are_whole_words_outside_of_comments() -> None:
    text = "# restic\n/usr/bin/borg create\nresticprofile run\nmy-kopia-x\npg_dumpall | gzip\n"
    assert _backup_jobs.tools_in(text) == ["borg", "pg_dumpall", "resticprofile"]


@pytest.mark.parametrize(
    ("line", "with_user", "expected"),
    [
        ("15 2 * * * root /usr/bin/restic backup", True, [("15 2 * * *", "/usr/bin/restic backup")]),
        ("*/5 0-6 1,15 JAN mon-fri borgmatic", False, [("*/5 0-6 1,15 JAN mon-fri", "borgmatic")]),
        ("@reboot root x", True, [("@reboot", "x")]),
        ("PATH=/bin", True, []),
        ("MAILTO = root", True, []),
    ],
)
def test_cron_lines(line: str, with_user: bool, expected: list[tuple[str, str]]) -> None:
    assert _backup_jobs.parse_crontab(line + "\n", with_user) == expected


def test_an_unreadable_cron_line_does_not_show_its_command() -> None:
    with pytest.raises(ValueError, match="no schedule") as caught:
        _backup_jobs.parse_crontab("restic --password-command 's3cret'\n", False)
    assert "s3cret" not in str(caught.value)


def test_versions() -> None:
    assert backups.parse_version("restic 0.14.0 compiled with go1.19.8") == "0.14.0"
    with pytest.raises(ValueError, match="no version"):
        backups.parse_version("usage:")


def test_databases_by_process_name() -> None:
    assert backups.databases_in({"postgres": 6, "mariadbd": 1, "nginx": 2}) == {"postgresql": 6, "mysql": 1}
