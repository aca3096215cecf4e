"""Golden documents: what the probes of a version of Windows say of a host that is well.

``<version>.json`` holds {recorded, source, probes: {name: data}}. ``recorded`` is true only for what a real host said;
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
    return t.cast("dict[str, t.Any]", copy.deepcopy(document(version).get("probes", {}).get(probe, {})))


@functools.cache
def document(version: str) -> dict[str, t.Any]:
    """The whole document of a version; empty where there is none."""
    path = HERE / f"{version}.json"
    return t.cast("dict[str, t.Any]", json.loads(path.read_text())) if path.is_file() else {}
