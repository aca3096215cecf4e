# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: metrics in the text format of Prometheus, for node_exporter's textfile collector. Pure.

https://prometheus.io/docs/instrumenting/exposition_formats/
Gauges without timestamps, which the collector refuses: how old a figure is, is a figure of its own
(``*_timestamp_seconds``), so that its age can be alerted on. Put the text into place with
``documents.write_atomic(path, content, METRICS_MODE)``: the collector may read at any moment, and reads only names that
end in ``.prom``.
"""

from __future__ import annotations

import math
import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# The collector is another user, and metrics hold numbers and names, no texts.
METRICS_MODE: t.Final = 0o644

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass
class Metric:
    """One gauge: its name, what it means, and its values by labels.

    The same name must have the same ``help`` in every file of a collector, so it may not depend on the run.
    """

    name: str
    help: str
    samples: list[tuple[Mapping[str, str], float]] = field(default_factory=list)

    def add(self, value: float, **labels: str) -> None:
        """Add a value."""
        self.samples.append((labels, value))


def text(metrics: Iterable[Metric]) -> bytes:
    """Return metrics as a file. One without values is left out.

    Raises ValueError for a name that Prometheus would refuse, and for two values with the same name and labels: the
    collector would drop the whole file, and with it every alert.
    """
    lines: list[str] = []
    names: set[str] = set()
    for metric in metrics:
        if not _NAME.fullmatch(metric.name) or metric.name in names:
            raise ValueError(f"metric {metric.name!r}: the name is wrong, or there twice")
        names.add(metric.name)
        if metric.samples:
            lines += [f"# HELP {metric.name} {_help(metric.help)}", f"# TYPE {metric.name} gauge"]
            lines += _samples(metric)
    return ("\n".join(lines) + "\n").encode("utf-8") if lines else b""


def _samples(metric: Metric) -> list[str]:
    found: dict[str, str] = {}
    for labels, value in metric.samples:
        wrong = [name for name in labels if not _NAME.fullmatch(name)]
        series = metric.name + _labels(labels)
        if wrong or series in found:
            raise ValueError(f"metric {series}: {f'label {wrong[0]!r} is wrong' if wrong else 'it has two values'}")
        found[series] = _number(value)
    return [f"{series} {value}" for series, value in found.items()]


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_label_value(value)}"' for name, value in labels.items()) + "}"


def _label_value(value: str) -> str:
    """Return a label's value escaped; bytes that are no text (lone surrogates) become question marks."""
    whole = value.encode("utf-8", "replace").decode("utf-8")
    return whole.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _help(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))
