"""What holds for every throw-away server, whichever database it is of."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _server


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_nothing_is_given_away_through_a_link(tmp_path: Path) -> None:
    """The folder in which it lies belongs to the server's user already, who may swap names there."""
    secret, given = tmp_path / "secret", tmp_path / "data"
    secret.write_text("root's")
    given.symlink_to(secret)
    tools: t.Any = type("Tools", (), {"machine": None})()
    server = _server.Server(tools, {}, str(tmp_path))
    server.give(str(given))
    assert secret.stat().st_uid == 0
    assert given.lstat().st_uid != 0
