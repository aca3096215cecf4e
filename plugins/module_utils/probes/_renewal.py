# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what renews the certificates of a host, and whether it is switched on.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._systemd import parse_blocks, parse_timestamp

TIMERS = {
    "certbot.timer": "certbot",
    "certbot-renew.timer": "certbot",
    "snap.certbot.renew.timer": "certbot",
    "dehydrated.timer": "dehydrated",
    "acme.sh.timer": "acme.sh",
    "acme-sh.timer": "acme.sh",
    "lego.timer": "lego",
}
# Signs of a renewal tool that is in use: what it keeps per certificate.
LINEAGES = {
    "certbot": ("/etc/letsencrypt/renewal/*.conf",),
    "dehydrated": ("/var/lib/dehydrated/certs/*", "/etc/dehydrated/certs/*"),
    "acme.sh": ("/root/.acme.sh/*/*.conf",),
}
CRON_FOLDERS = (
    "/etc/cron.d",
    "/etc/cron.daily",
    "/etc/cron.weekly",
    "/var/spool/cron/crontabs",
    "/var/spool/cron/tabs",
    "/var/spool/cron",
)
UNIT_PROPERTIES = "Id,LoadState,ActiveState,UnitFileState,Result,Unit,LastTriggerUSec,NextElapseUSecRealtime"


def renewal(machine):
    """Return a list of {tool, lineages, timers, cron}, one for each tool that keeps certificates or has a timer.

    ``lineages`` is the number of certificates it keeps (None: may not be seen); ``timers`` are {name, active,
    enabled, last, next, service_result}; None without systemd; ``cron`` are the names of cron tables and scripts
    that call it, None when the tables may not be read.
    """
    timers = _timers(machine)
    crons = _cron(machine)
    tools = []
    for tool in sorted(set(LINEAGES) | set(TIMERS.values())):
        lineages = sum(len(machine.glob(pattern)) for pattern in LINEAGES.get(tool, ()))
        own = None if timers is None else [timer for timer in timers if TIMERS[timer["name"]] == tool]
        cron = None if crons is None else crons.get(tool, [])
        if lineages or own or cron:
            hidden = not lineages and not machine.privileged
            tools.append({"tool": tool, "lineages": None if hidden else lineages, "timers": own, "cron": cron})
    return tools


def _timers(machine):
    if not machine.exists("/run/systemd/system"):
        return None
    shown = machine.run(["systemctl", "show", "-p", UNIT_PROPERTIES] + sorted(TIMERS), source="renewal timers")
    if not shown.ok:
        return None
    try:
        found = [timer_facts(block) for block in parse_blocks(shown.out) if block.get("LoadState") == "loaded"]
    except ValueError as exc:
        machine.note("renewal timers", "error", str(exc))
        return None
    services = [timer["unit"] for timer in found if timer["unit"]]
    results = {}
    if services:
        shown = machine.run(["systemctl", "show", "-p", "Id,Result,ActiveState"] + services, source="renewal services")
        try:
            results = dict(
                (block.get("Id"), block.get("Result")) for block in parse_blocks(shown.out if shown.ok else "")
            )
        except ValueError as exc:
            machine.note("renewal services", "error", str(exc))
    for timer in found:
        timer["service_result"] = results.get(timer.pop("unit"))
    return found


def timer_facts(block):
    """Facts of one timer from its block of ``systemctl show``."""
    return {
        "name": block.get("Id"),
        "active": block.get("ActiveState") == "active",
        "enabled": block.get("UnitFileState") in ("enabled", "enabled-runtime"),
        "last": parse_timestamp(block.get("LastTriggerUSec", "")),
        "next": parse_timestamp(block.get("NextElapseUSecRealtime", "")),
        "unit": block.get("Unit") or None,
    }


def _cron(machine):
    """Renewal tool -> files that call it. Only the presence of the tool's name is kept, never the line."""
    found = {}
    complete = True
    for folder in CRON_FOLDERS:
        for name in machine.listdir(folder, source="cron tables") if machine.exists(folder) else []:
            path = folder + "/" + name
            text = machine.read(path, limit=65536, source="cron tables")
            for tool in LINEAGES:
                lines = [line for line in (text or "").splitlines() if not line.lstrip().startswith("#")]
                # Debian's own certbot table does nothing where systemd runs: there the timer does the work.
                if any(tool in line and "-d /run/systemd/system" not in line for line in lines):
                    found.setdefault(tool, []).append(path)
        complete = complete and machine.sources.get("cron tables", {}).get("status") != "denied"
    return found if complete else None
