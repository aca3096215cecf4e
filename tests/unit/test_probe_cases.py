"""Every recorded machine below cases/probes: what the probe makes of it is what the case says."""

from __future__ import annotations

from pathlib import Path

import pytest
import replay


@pytest.mark.parametrize("path", replay.cases("probes"), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_probe_case(path: Path) -> None:
    case = replay.load(path)
    record = replay.probe_record(case)
    assert record.get("trace") is None, record.get("trace")
    wanted = {"status": "ok", **case["expect"]}
    assert not replay.differences(wanted, record)
