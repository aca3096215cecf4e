# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a sample that anybody draws again, and the commands by which an auditor checks a pack.

The order of a sample is that of the SHA-256 of seed, bar and name: no random generator has to be trusted. Pure.
"""

from __future__ import annotations

import gettext
import hashlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import host_file_name
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.models import ChangeEntry, Period
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import visible
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.words import word
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

# What auditors commonly draw from a population of this size.
SAMPLE = 25


@dataclass(frozen=True, slots=True)
class Drawn:
    """One thing to look at: where its evidence is in the pack, and the SHA-256 of that file ("": see its manifest)."""

    name: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Sample:
    """``hosts`` of the population of one run, and ``changes`` of the period."""

    seed: str
    population: int
    hosts: list[Drawn]
    changes_total: int
    changes: list[Drawn]


@dataclass(frozen=True, slots=True)
class Command:
    """A line to paste, and what it says. ``where``: on the control node, or in the unpacked pack."""

    says: str
    line: str
    where: str


def draw(seed: str, names: Iterable[str], number: int = SAMPLE) -> list[str]:
    """Return the sample of ``names``."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed}|{name}".encode("utf-8", "replace")).hexdigest())[
        :number
    ]


def sample(seed: str, run: Run, period: Period, files: Mapping[str, str], texts: gettext.NullTranslations) -> Sample:
    """Return what to look at. ``files`` are those of the run with their SHA-256."""
    run_id = run.header.run_id
    hosts = []
    for host in draw(seed, run.header.population):
        name = f"hosts/{host_file_name(host)}.json"
        hosts.append(Drawn(visible(host), f"runs/{run_id}/{name}", files.get(name, "")))
    paths = {
        f"runs/{entry.run_id}/changes/{host_file_name(entry.host)}.{entry.chore}.json": entry
        for entry in period.changes
    }
    changes = [Drawn(_change(paths[path], texts), path, "") for path in draw(seed, paths)]
    return Sample(seed, len(run.header.population), hosts, len(paths), changes)


def _change(entry: ChangeEntry, texts: gettext.NullTranslations) -> str:
    """Return what a change is called: its host, its chore, and how it ended."""
    chore, end = word(texts, "chore", entry.chore), word(texts, "change", entry.outcome)
    return f"{visible(entry.host)}, {chore}: {end}"


def commands(run: Run, period: Period, sampled: Sample, texts: gettext.NullTranslations) -> list[Command]:
    """Return the lines of "verify this yourself", in the order in which they are done."""
    sealed = [entry for entry in period.runs if entry.head]
    if not sealed:
        return []
    client, last = period.client.id, sealed[-1]
    first_day, last_day = sealed[0].ended_at[:10], last.ended_at[:10]
    found = [
        Command(texts.gettext("makes the pack"), _pack_line(run.header.inventory, first_day, last_day), "control"),
        Command(
            texts.gettext("unpacks it"),
            f"python3 -m zipfile -e {client}-evidence-{first_day}-{last_day}.zip . && cd {client}-evidence",
            "",
        ),
        Command(texts.gettext("is the pack whole?"), "sha256sum --check --quiet SHA256SUMS", "pack"),
        Command(
            texts.gettext("does everything hold, and is it this evidence?"),
            f"python3 verify.py --head {last.head}",
            "pack",
        ),
    ]
    signed = [entry for entry in sealed if entry.signed_by]
    if signed:
        place = f"runs/{signed[-1].run_id}/{verify.MANIFEST}"
        line = (
            f"ssh-keygen -Y verify -n {verify.NAMESPACE} -f {verify.SIGNERS} -I {shlex.quote(signed[-1].signed_by)} "
            f"-s {place}.sig < {place}"
        )
        found.append(Command(texts.gettext("one signature by hand"), line, "pack"))
    found.append(Command(texts.gettext("draws the sample of hosts again"), _draw_line(run, sampled), "pack"))
    return found


def _pack_line(inventory: Sequence[str], first_day: str, last_day: str) -> str:
    words = ["ansible-playbook", "playbooks/evidence_pack.yml"]
    for source in inventory:
        words += ["-i", shlex.quote(source)]
    return " ".join([*words, "-e", f"keepwell_pack_from={first_day}", "-e", f"keepwell_pack_to={last_day}"])


def _draw_line(run: Run, sampled: Sample) -> str:
    program = (
        f'import hashlib, json; run = json.load(open("runs/{run.header.run_id}/run.json", encoding="utf-8")); '
        f'key = lambda name: hashlib.sha256(("{sampled.seed}|" + name).encode()).hexdigest(); '
        f'print(*sorted(run["header"]["population"], key=key)[:{SAMPLE}], sep="\\n")'
    )
    return f"python3 -c {shlex.quote(program)}"
