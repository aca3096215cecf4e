# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the rules that leave the work to the program whose things they are, and mere reports.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import re

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import (
    _account,
    _container_rule,
    _kernel_rule,
    _space,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes.packages import find_manager

_SHOWN = 30


def run(machine, rule, act, targets, budget, commands):
    """The account of a rule of this kind; carried out with ``act``."""
    account = _account.Account(rule.id)
    spent = budget.spent()
    if spent:
        account.stopped = "budget_" + spent
    elif rule.id == "old_kernels":
        _kernels(machine, act, targets, commands, account)
    else:
        _containers(machine, rule, act, targets, commands, account)
    budget.take(account.bytes)
    return account


def _kernels(machine, act, targets, commands, account):
    found = _kernel_rule.look(machine)
    if found["note"]:
        account.notes.append(found["note"])
    if not found["packages"]:
        return
    sizes = {}
    for device, target in targets.items():
        size = _kernel_rule.bytes_of(found["paths"], device)
        if size:
            sizes[target] = sizes.get(target, 0) + size
    if not _wanted(sizes, account):
        return
    account.notes.append("kernels that go: %s; that stay: %s" % (_list(found["releases"]), _list(found["kept"])))
    if act:
        wrong = _kernel_rule.remove(commands, found)
        if wrong:
            account.notes.append(wrong)
            account.stopped = "command_failed"
            return
    _count(account, len(found["packages"]), sizes)


def _containers(machine, rule, act, targets, commands, account):
    for entry in _container_rule.look(machine, rule.id):
        if entry["note"]:
            account.notes.append(entry["note"])
        if not entry["argv"]:
            continue
        target = targets.get(os.stat(entry["root"]).st_dev)
        if target is None:
            continue
        sizes, count = {target: entry["bytes"]}, entry["count"]
        if not _wanted(sizes, account):
            continue
        if act:
            before = _space.measure(target.mount)["free_bytes"]
            wrong = _container_rule.prune(commands, entry)
            if wrong:
                account.notes.append(wrong)
                account.stopped = "command_failed"
                continue
            # What the program announces is the most it may be: what came of it is measured.
            count = max(0, count - _container_rule.unused(machine, entry, rule.id))
            # Without one that went, what became free meanwhile is somebody else's.
            freed = max(0, _space.measure(target.mount)["free_bytes"] - before) if count else 0
            sizes = {target: freed}
        _count(account, count, sizes)


def _wanted(sizes, account):
    """True when one of these filesystems still wants room."""
    if any(not target.reached() for target in sizes):
        return True
    if sizes:
        account.stopped = "target"
        account.rest_bytes += sum(sizes.values())
    return False


def _count(account, number, sizes):
    account.files += number
    for target, size in sizes.items():
        account.bytes += size
        account.by_mount[target.mount] = account.by_mount.get(target.mount, 0) + size
        target.freed(size)


def reports(machine):
    """What Keepwell only tells: [{"id", "count", "items", "note"}]."""
    return [_orphans(machine), _leftovers(machine)]


def _orphans(machine):
    manager = find_manager(machine)
    names = []
    note = ""
    if manager == "apt":
        output = machine.run(["apt-get", "--simulate", "--quiet", "autoremove"], timeout=30, accepted=None)
        names = re.findall(r"^Remv (\S+)", output.out, re.MULTILINE) if output.rc == 0 else []
        note = "" if output.rc == 0 else "apt-get gave no answer"
    elif manager in ("dnf4", "dnf5"):
        output = machine.run(["dnf", "--cacheonly", "--quiet", "repoquery", "--unneeded"], timeout=30)
        names = output.lines() if output.ok else []
        note = "" if output.ok else "dnf gave no answer"
    names = sorted(name for name in names if not name.startswith(("linux-", "kernel")))
    return {"id": "orphans", "count": len(names), "items": names[:_SHOWN], "note": note}


def _leftovers(machine):
    items = []
    if find_manager(machine) == "apt":
        form = "-f=${db:Status-Abbrev}\t${binary:Package}\n"
        output = machine.run(["dpkg-query", "-W", form], timeout=20)
        items += [line.split("\t")[1] for line in output.lines() if line.startswith("rc")]
    if machine.which("snap"):
        output = machine.run(["snap", "list", "--all"], timeout=10)
        rows = [line.split() for line in output.lines()[1:]]
        items += ["snap %s revision %s" % (row[0], row[2]) for row in rows if len(row) > 5 and "disabled" in row[-1]]
    return {"id": "package_leftovers", "count": len(items), "items": items[:_SHOWN], "note": ""}


def _list(names):
    return ", ".join(names) or "none"
