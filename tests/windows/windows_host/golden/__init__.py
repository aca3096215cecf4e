"""Golden documents: what the probes of a version of Windows say of a host that is well.

``<version>/<probe>.json`` holds {recorded, source, data}. ``recorded`` is true only for what a real host said;
everything else names in ``source`` the documentation it was put together from.
"""

from __future__ import annotations

import copy
import functools
import json
import typing as t
from pathlib import Path

HERE = Path(__file__).parent


def data(version: str, probe: str) -> dict[str, t.Any]:
    """A copy of the golden data of a probe; empty where there is none."""
    return copy.deepcopy(_read(version, probe))


@functools.cache
def _read(version: str, probe: str) -> dict[str, t.Any]:
    path = HERE / version / f"{probe}.json"
    return t.cast("dict[str, t.Any]", json.loads(path.read_text())["data"]) if path.is_file() else {}
