# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metrics as the textfile collector of node_exporter wants them."""

from __future__ import annotations

import re

import fleet_maker
import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import write_atomic
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.prometheus import METRICS_MODE, Metric, text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.run_metrics import metrics_file

LINE = re.compile(r'([a-z][a-z0-9_]*)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (\S+)')


def test_help_and_type_come_once_before_the_values() -> None:
    metric = Metric("keepwell_things", "How many \\ things\nthere are.")
    metric.add(3, client="acme", state="ok")
    metric.add(0.5, client="acme", state="act")
    assert text([metric, Metric("keepwell_nothing", "Left out.")]).decode() == (
        "# HELP keepwell_things How many \\\\ things\\nthere are.\n"
        "# TYPE keepwell_things gauge\n"
        'keepwell_things{client="acme",state="ok"} 3\n'
        'keepwell_things{client="acme",state="act"} 0.5\n'
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('a"b', 'a\\"b'),
        ("a\\b", "a\\\\b"),
        ("a\nb", "a\\nb"),
        ("büro 🖨️", "büro 🖨️"),
        ("\ud800", "?"),
        ("a\x00b", "a\x00b"),
    ],
)
def test_labels_are_escaped(value: str, shown: str) -> None:
    metric = Metric("keepwell_things", "Things.")
    metric.add(1, host=value)
    assert text([metric]).decode().splitlines()[2] == f'keepwell_things{{host="{shown}"}} 1'


@pytest.mark.parametrize(
    ("value", "shown"), [(1.0, "1"), (1.5, "1.5"), (float("inf"), "+Inf"), (1795399200.0, "1795399200"), (True, "1")]
)
def test_numbers_are_whole_where_they_are(value: float, shown: str) -> None:
    metric = Metric("keepwell_things", "Things.")
    metric.add(value)
    assert text([metric]).decode().endswith(f"keepwell_things {shown}\n")


def test_what_the_collector_would_refuse_is_refused_here() -> None:
    twice = Metric("keepwell_things", "Things.")
    twice.add(1, client="acme")
    twice.add(2, client="acme")
    wrong = Metric("keepwell_things", "Things.")
    wrong.add(1, **{"le-bel": "x"})
    for metrics in ([twice], [wrong], [Metric("keepwell-things", "")], [Metric("a", ""), Metric("a", "")]):
        with pytest.raises(ValueError, match="metric"):
            text(metrics)


@pytest.mark.parametrize("arguments", [{"count": 0}, {"count": 14}, {"count": 14, "hostile": True}])
def test_every_line_of_a_run_can_be_read(arguments: dict) -> None:
    run = fleet_maker.make_run(**arguments)
    seen: dict[str, float] = {}
    helped: list[str] = []
    for line in metrics_file(run, hosts=True).decode().removesuffix("\n").split("\n"):
        if line.startswith("# "):
            helped += [line.split(" ")[2]] if line.startswith("# HELP ") else []
            continue
        match = LINE.fullmatch(line)
        assert match, line
        assert match[1] == helped[-1]
        assert (match[1] + (match[2] or "")) not in seen
        seen[match[1] + (match[2] or "")] = float(match[3])
    assert len(helped) == len(set(helped))
    total = sum(value for series, value in seen.items() if series.startswith("keepwell_results{"))
    assert total == run.counts.results.total
    by_host = sum(value for series, value in seen.items() if series.startswith("keepwell_host_results{"))
    by_check = sum(value for series, value in seen.items() if series.startswith("keepwell_check_results{"))
    assert by_host == by_check == total
    assert [series for series, value in seen.items() if series.startswith("keepwell_grade{") and value] == (
        [f'keepwell_grade{{client="demolen",grade="{run.grade.letter}"}}'] if run.grade.letter else []
    )


def test_the_names_do_not_depend_on_the_run() -> None:
    def series(count: int, seed: int) -> set[str]:
        lines = metrics_file(fleet_maker.make_run(count, seed=seed)).decode().splitlines()
        return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}

    assert series(14, 84) == series(30, 7)


def test_the_file_is_replaced_whole_and_readable_for_the_collector(tmp_path) -> None:
    path = tmp_path / "keepwell-acme.prom"
    path.write_text("old")
    write_atomic(path, b"new\n", METRICS_MODE)
    assert path.read_bytes() == b"new\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in tmp_path.iterdir()] == ["keepwell-acme.prom"]
