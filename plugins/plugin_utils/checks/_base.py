# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a check is.

A check is a pure function: what was observed, the policy, what was known before and the time go in, verdicts come
out. No Ansible, no files, no clock, no Jinja. Runs on the control node.
"""

from __future__ import annotations

import fnmatch
import typing as t
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

if t.TYPE_CHECKING:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Unverified
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import KnownDataset
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.drift import Standing

State = t.Literal["ok", "watch", "act", "crit", "unknown", "accepted"]
STATES: tuple[State, ...] = ("ok", "watch", "act", "crit", "unknown", "accepted")
# Worst last. `unknown` outranks `watch`: what nobody could see may be worse than a yellow light.
SEVERITY: tuple[State, ...] = ("ok", "accepted", "watch", "unknown", "act", "crit")
# Statuses of a source that would have told more.
UNREAD = ("error", "timeout", "denied")
Pillar = t.Literal[
    "availability",
    "patching",
    "antivirus",
    "backup",
    "capacity",
    "services",
    "hardware",
    "network",
    "time",
    "certificates",
    "lifecycle",
    "access",
]
DAY = 86400.0
HOUR = 3600.0


def worst(states: Iterable[State]) -> State:
    """Return the worst of some states; ``ok`` when there are none."""
    return max(states, key=SEVERITY.index, default="ok")


class Section(BaseModel):
    """One pillar's part of the policy. Every field has a default and names its source in ``description``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def threshold(default: t.Any, source: str, **limits: t.Any) -> t.Any:
    """Declare a policy value: its default, where that comes from, and pydantic limits such as ``gt=0``."""
    return Field(default=default, description=source, **limits)


@dataclass(frozen=True)
class Verdict:
    """What a check says of one object.

    ``object`` is stable (a mount point, a unit, a fingerprint), never a value, a time or a text; "" is the host.
    ``observed`` and ``expected`` are short texts with units, made for a table. ``summary`` is one plain sentence.
    ``command`` is what an engineer runs on the host next (one line, read-only unless ``advice`` says otherwise).
    ``since`` is when the host itself says that it began, ``deadline`` when policy wants it done (epoch seconds).
    ``data`` holds the numbers behind the texts (plain JSON).
    """

    state: State
    object: str = ""
    observed: str = ""
    expected: str = ""
    summary: str = ""
    advice: str = ""
    command: str = ""
    since: float | None = None
    age_basis: str = ""
    deadline: float | None = None
    data: Mapping[str, t.Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ProbeRecord:
    """One probe's answer: ``status`` is ok, error, timeout, absent or denied."""

    status: str
    data: Mapping[str, t.Any]
    sources: Mapping[str, Mapping[str, str]]
    detail: str = ""

    def unread(self, *patterns: str) -> dict[str, str]:
        """Sources that match one of these patterns (``fnmatch``) and failed or were refused, with their status.

        One that is absent is not among them: what is not there cannot be read, and often need not be.
        """
        return {
            name: entry["status"]
            for name, entry in sorted(self.sources.items())
            if entry.get("status") in UNREAD and any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        }

    def denied(self, *names: str) -> bool:
        """True when one of these sources could not be read for lack of rights."""
        return any(self.sources.get(name, {}).get("status") == "denied" for name in names)

    def status_of(self, source: str) -> str:
        """Status of a source; ``ok`` when nothing was noted against it."""
        return self.sources.get(source, {}).get("status", "ok")


class History(t.Protocol):
    """What earlier runs knew of this host. Times are epoch seconds."""

    def first_seen(self, kind: str, name: str) -> float | None:
        """When a sighting of this kind and name first appeared and has stayed since; None when it is new."""

    def series(self, metric: str, name: str) -> list[tuple[float, float]]:
        """Points (time, value) of a metric of an object, oldest first, up to 90 days."""

    def previous(self, probe: str) -> Mapping[str, t.Any] | None:
        """Data of a probe in the previous run that reached this host, or None."""

    def previous_at(self) -> float | None:
        """When that previous run observed this host."""

    def boots(self) -> list[tuple[str, float]]:
        """Known (boot id, first seen), oldest first."""


class NoHistory:
    """The history of a host nobody has seen before."""

    def first_seen(self, kind: str, name: str) -> float | None:
        return None

    def series(self, metric: str, name: str) -> list[tuple[float, float]]:
        return []

    def previous(self, probe: str) -> Mapping[str, t.Any] | None:
        return None

    def previous_at(self) -> float | None:
        return None

    def boots(self) -> list[tuple[str, float]]:
        return []


@dataclass(frozen=True)
class View:
    """All that a check may look at."""

    host: str
    now: float
    probes: Mapping[str, ProbeRecord]
    history: History = field(default_factory=NoHistory)
    privileged: bool = False
    # Seconds by which the host's clock is ahead of the control node's; None when it could not be measured.
    clock_offset_s: float | None = None
    # What the control node saw on the way: become refused, transport used, time it took.
    contact: Mapping[str, t.Any] = field(default_factory=dict)
    exposure: t.Literal["internet", "internal", "isolated"] = "internet"
    # What was declared to come back, with all that is known of it; and backups that are left out with a reason.
    backups: tuple[KnownDataset, ...] = ()
    unverified: tuple[Unverified, ...] = ()
    # How the client's schedule stood on the control node; None where it has none.
    schedule: Standing | None = None
    # The host runs Windows: what is meant is the same, what an engineer types there is another command.
    windows: bool = False

    def command(self, elsewhere: str, windows: str) -> str:
        """Return what a person is told of this host's system: a command, a place, what to do."""
        return windows if self.windows else elsewhere

    def data(self, probe: str) -> Mapping[str, t.Any]:
        """Data of a probe that answered; the framework has already seen to it that needed probes did."""
        return self.probes[probe].data

    def record(self, probe: str) -> ProbeRecord:
        """The whole record of a probe."""
        return self.probes[probe]


Judge = Callable[[View, t.Any], Iterable[Verdict]]
Applies = Callable[[View, t.Any], bool]


@dataclass(frozen=True)
class Check:
    """A judge with its description. ``needs`` are probes; if one gave no answer the result is ``unknown``.

    ``sources`` are patterns of names of sources of those probes. Where one of them could not be read the judge is asked
    all the same, because what was read may be bad enough; but then the result is neither ``ok`` nor left out.
    ``applies`` (view, policy) says whether there is anything to judge here; where not, no source is missed.
    With ``from_datasets`` it is judged without them where the host has datasets: another machine may have looked.
    With ``from_control`` it is about the control node alone, and judged whether the host answered or not.
    """

    id: str
    pillar: Pillar
    title: str
    advice: str
    needs: tuple[str, ...]
    judge: Judge
    controls: tuple[str, ...] = ()
    thresholds: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    applies: Applies | None = None
    from_datasets: bool = False
    from_control: bool = False


REGISTRY: dict[str, Check] = {}


def check(
    check_id: str,
    *,
    title: str,
    advice: str,
    needs: tuple[str, ...] = (),
    sources: tuple[str, ...] = (),
    applies: Applies | None = None,
    controls: tuple[str, ...] = (),
    thresholds: tuple[str, ...] = (),
    from_datasets: bool = False,
    from_control: bool = False,
) -> Callable[[Judge], Judge]:
    """Register a judge as check ``<pillar>.<name>``.

    ``title`` names the subject ("Pending security updates"), ``advice`` says what to do when it is not ok.
    ``thresholds`` are the names of the pillar's policy fields it uses. ``controls`` are framework references.
    ``sources`` are those without which it cannot say that all is well; ``applies`` where it is asked at all (see
    ``Check``).
    """

    def register(judge: Judge) -> Judge:
        if check_id in REGISTRY:
            raise ValueError(f"check {check_id} is declared twice")
        pillar = t.cast(Pillar, check_id.split(".", 1)[0])
        REGISTRY[check_id] = Check(
            check_id,
            pillar,
            title,
            advice,
            needs,
            judge,
            controls,
            thresholds,
            sources,
            applies,
            from_datasets,
            from_control,
        )
        return judge

    return register


def duration_text(seconds: float) -> str:
    """Return a length of time as people say it: ``3 days``, ``5 hours``, ``40 minutes``; never rounded up."""
    for size, word in ((DAY, "day"), (HOUR, "hour"), (60.0, "minute")):
        if abs(seconds) >= size:
            count = int(abs(seconds) // size)
            return f"{count} {word}{'' if count == 1 else 's'}"
    return f"{int(abs(seconds))} s"


def size_text(size: float) -> str:
    """Return a number of bytes with binary units and one decimal, rounded down: ``1.9 GiB``."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1024 or unit == "TiB":
            return f"{int(value)} B" if unit == "B" else f"{int(value * 10) / 10:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable")


def count_text(count: int, one: str, many: str = "") -> str:
    """Return ``1 host`` or ``3 hosts``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def literal(text: str) -> str:
    """Return a text as PowerShell takes it word for word."""
    return "'" + text.replace("'", "''") + "'"
