"""Every case below cases/checks: the verdicts of one check on recorded or made observations."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import replay

from ansible_collections.keepwell.fleet.plugins.plugin_utils import judge, policy


@pytest.mark.parametrize("path", replay.cases("checks"), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_check_case(path: Path) -> None:
    case = replay.load(path)
    chosen = policy.build([("case", case.get("policy") or {})])
    result = judge.run_check(case["check"], replay.view(case), chosen)
    verdicts = [asdict(verdict) for verdict in result.verdicts]
    assert not replay.differences(case["verdicts"], verdicts), verdicts
