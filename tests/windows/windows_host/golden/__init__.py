"""Golden documents: what the probes of a version of Windows say of a host that is well.

``<version>/<probe>.json`` holds {recorded, source, at, data}. ``recorded`` is true only for what a real host said;
everything else names in ``source`` the documentation it was put together from. ``at`` is when it was said: times (which
are numbers with a point) and the months that titles of updates begin with are moved to the time of the host.
"""

from __future__ import annotations

import datetime
import functools
import json
import re
import typing as t
from pathlib import Path

HERE = Path(__file__).parent
_TIMES = (1.2e9, 4.0e9)
_MONTH = re.compile(r"^(20\d\d)-(0[1-9]|1[0-2])(?= )")


def data(version: str, probe: str, now: float) -> dict[str, t.Any]:
    """A copy of the golden data of a probe, as if it were said now; empty where there is none."""
    document = _read(version, probe)
    if not document:
        return {}
    at = float(document.get("at", now))
    return t.cast("dict[str, t.Any]", _moved(document["data"], now - at, month(now) - month(at)))


@functools.cache
def _read(version: str, probe: str) -> dict[str, t.Any]:
    path = HERE / version / f"{probe}.json"
    return t.cast("dict[str, t.Any]", json.loads(path.read_text())) if path.is_file() else {}


def _moved(value: t.Any, seconds: float, months: int) -> t.Any:
    if isinstance(value, dict):
        return {name: _moved(inner, seconds, months) for name, inner in value.items()}
    if isinstance(value, list):
        return [_moved(inner, seconds, months) for inner in value]
    if isinstance(value, float) and _TIMES[0] < value < _TIMES[1]:
        return value + seconds
    if isinstance(value, str):
        return _MONTH.sub(lambda found: _named(int(found[1]) * 12 + int(found[2]) - 1 + months), value)
    return value


def month(moment: float) -> int:
    """Months since year 0 of the newest monthly update: they come on the second Tuesday, in the evening by UTC."""
    then = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    first = then.replace(day=1, hour=18, minute=0, second=0, microsecond=0)
    tuesday = first + datetime.timedelta(days=(1 - first.weekday()) % 7 + 7)
    return then.year * 12 + then.month - 1 - (then < tuesday)


def _named(month: int) -> str:
    return f"{month // 12}-{month % 12 + 1:02}"
