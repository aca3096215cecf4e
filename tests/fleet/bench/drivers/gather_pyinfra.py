"""Gather by pyinfra's API about the facts that an assessment observes. Runs in pyinfra's own environment.

Usage: gather_pyinfra.py <request.json>; the request is {"hosts": {name: data}, "at_once", "answer"}.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json
import sys

from pyinfra.api import Config, Inventory, State
from pyinfra.api.connect import connect_all
from pyinfra.api.facts import get_facts
from pyinfra.facts.deb import DebPackages
from pyinfra.facts.hardware import BlockDevices, Memory, NetworkDevices
from pyinfra.facts.server import Command, LinuxDistribution, Mounts, RebootRequired, Users
from pyinfra.facts.systemd import SystemdStatus

with open(sys.argv[1], encoding="utf-8") as stream:
    request = json.load(stream)
hosts = request["hosts"]
state = State(
    inventory=Inventory((list(hosts.items()), {})),
    config=Config(SUDO=True, PARALLEL=request["at_once"], FAIL_PERCENT=0),
)
connect_all(state)
FACTS = (LinuxDistribution, Mounts, Users, RebootRequired, Memory, BlockDevices, NetworkDevices, SystemdStatus)
COMMANDS = ("apt-get -s -q dist-upgrade", "/usr/sbin/sshd -T", "cat /proc/loadavg /proc/stat", "timedatectl show")
for fact in FACTS:
    last = get_facts(state, fact)
services = last
packages = get_facts(state, DebPackages)
listeners = get_facts(state, Command, kwargs={"command": "ss -Hltun"})
for command in COMMANDS:
    get_facts(state, Command, kwargs={"command": f"{command} || true"})
answer = {
    host.name: {
        "packages": len(packages[host]),
        "sockets": listeners[host],
        "services": len(services[host]),
    }
    for host in state.inventory
}
with open(request["answer"], "w", encoding="utf-8") as stream:
    json.dump(answer, stream)
