"""Who takes part: how each is started, and how it shows that it looked at every host."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import typing as t
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.hosts import Host

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _registry
from ansible_collections.keepwell.fleet.plugins.plugin_utils import payload
from bench import environments
from bench.measure import BenchError

PROJECT = Path(__file__).parents[3]
HERE = Path(__file__).parent
AT_ONCE = 20
# Of the control node's environment: what would make contenders differ from a user's, or cost one of them time.
_LEFT_OUT = ("ANSIBLE_", "KEEPWELL_", "PYTHON", "SSH_")
_SSH = (
    "ControlMaster=auto",
    "ControlPersist=60s",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=2",
    "ConnectTimeout=10",
)


@dataclass(frozen=True)
class Facts:
    """What a contender found out about a host, as far as all of them find it out."""

    packages: int
    ports: tuple[int, ...]
    # Probes that ran out of time.
    late: int = field(default=0, compare=False)


@dataclass
class Setting:
    """What one run is given: the hosts, a folder of its own, a folder for sockets, and what comes ready-made."""

    hosts: Sequence[Host]
    folder: Path
    sockets: Path
    environments: Path
    # A state directory with one assessment in it; every run of Keepwell starts from a copy.
    history: Path | None = None

    @property
    def state(self) -> Path:
        """Keepwell's state directory of this run."""
        return self.folder / "state"

    @property
    def answer(self) -> Path:
        """Where a contender notes what it found."""
        return self.folder / "answer.json"

    def inventory(self, **variables: t.Any) -> str:
        """Write the hosts as an Ansible inventory and return its path."""
        hosts = {}
        for host in self.hosts:
            told = host.variables()
            told["ansible_ssh_common_args"] += f" -o ControlPath={self.sockets}/%C"
            # Finding an interpreter would cost the stock modules a round trip more.
            hosts[host.name] = {**told, "ansible_python_interpreter": "/usr/bin/python3"}
        path = self.folder / "inventory.yml"
        path.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}), encoding="utf-8")
        return str(path)


@dataclass(frozen=True)
class Contender:
    """One way to look at all hosts."""

    name: str
    title: str
    argv: Callable[[Setting], list[str]]
    facts: Callable[[Setting], dict[str, Facts]]
    environment: Callable[[Setting], Mapping[str, str]] = field(default=lambda _setting: {})
    # A minute a run: fewer rounds.
    slow: bool = False
    # Keeps connections for the next run.
    warms: bool = True


def environment(contender: Contender, setting: Setting) -> dict[str, str]:
    """Return the environment of a contender: this machine's, without what only a developer sets."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
    own = {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_FORKS": str(AT_ONCE), "NO_COLOR": "1"}
    return {**kept, **own, "LC_ALL": "C.UTF-8", **contender.environment(setting)}


def ports(sockets: str) -> tuple[int, ...]:
    """Return the TCP ports that ``ss -Hltun`` lists."""
    found = re.findall(r"^tcp\s+LISTEN\s+\d+\s+\d+\s+\S+:(\d+)\s", sockets, re.MULTILINE)
    return tuple(sorted({int(port) for port in found}))


def truth(host: Host) -> Facts:
    """Ask a host directly, behind the back of SSH."""
    installed = host.run("dpkg-query -W -f '${db:Status-Abbrev}\\n' | grep -c '^.i'").stdout
    return Facts(int(installed), ports(host.run("ss -Hltun").stdout))


def compare(contender: Contender, setting: Setting, expected: Mapping[str, Facts]) -> int:
    """Return how many probes were late; raise BenchError when a contender does not know what is true of every host."""
    try:
        found = contender.facts(setting)
    except (OSError, ValueError, KeyError, TypeError, payload.PayloadError) as exc:
        raise BenchError(f"{contender.title} left no answer: {type(exc).__name__}: {exc}") from exc
    for name, facts in expected.items():
        if found.get(name) != facts:
            raise BenchError(f"{contender.title} says of {name} {found.get(name)}; true is {facts}")
    return sum(facts.late for facts in found.values())


# --- plain ssh


def _plain_argv(setting: Setting) -> list[str]:
    program, answers = setting.folder / "program.py", setting.folder / "answers"
    program.write_bytes(payload.program(["all"], {}, 20.0))
    answers.mkdir()
    hosts = {}
    for host in setting.hosts:
        told = host.variables()
        options = [word for option in (*_SSH, f"ControlPath={setting.sockets}/%C") for word in ("-o", option)]
        hosts[host.name] = [
            *("ssh", *options, *told["ansible_ssh_common_args"].split(), "-i", told["ansible_ssh_private_key_file"]),
            *("-p", str(told["ansible_port"]), f"{told['ansible_user']}@{told['ansible_host']}"),
            "sudo -H -n /usr/bin/python3 -I -",
        ]
    request = {"program": str(program), "answers": str(answers), "at_once": AT_ONCE, "hosts": hosts}
    return [sys.executable, "-I", str(HERE / "drivers" / "plain_ssh.py"), _request(setting, request)]


def _plain_facts(setting: Setting) -> dict[str, Facts]:
    return {
        path.name: _observed(payload.read_answer(path.read_text(encoding="utf-8"), "", 0))
        for path in (setting.folder / "answers").iterdir()
    }


def _observed(document: Mapping[str, t.Any]) -> Facts:
    """Return the facts of an observation.

    Hosts that share two processors may be too slow for some probe's time limit: such are counted. Nothing else may
    keep a probe from its answer.
    """
    records = document["probes"]
    late = sum(record["status"] == "timeout" for record in records.values())
    bad = {name: record.get("detail") for name, record in records.items() if record["status"] not in ("ok", "timeout")}
    if bad or set(records) != set(_registry.PROBES):
        raise ValueError(f"not every probe answered: {bad or sorted(records)}")
    network, packages = records["network"]["data"], records["packages"]["data"]
    listening = {entry["port"] for entry in network["listeners"] if entry["proto"] == "tcp"}
    return Facts(packages["installed_count"], tuple(sorted(listening)), late)


def _request(setting: Setting, request: Mapping[str, t.Any]) -> str:
    path = setting.folder / "request.json"
    path.write_text(json.dumps(request), encoding="utf-8")
    return str(path)


# --- Keepwell


def _keepwell_argv(playbook: Path) -> Callable[[Setting], list[str]]:
    def argv(setting: Setting) -> list[str]:
        if setting.history:
            shutil.copytree(setting.history, setting.state, symlinks=True)
        inventory = setting.inventory(keepwell_client={"id": "bench", "name": "Bench"})
        return [*_playbook(playbook, inventory), "-e", f"keepwell_state_dir={setting.state}"]

    return argv


def _playbook(playbook: Path, inventory: str, program: Path = Path(sys.executable)) -> list[str]:
    return [str(program.with_name("ansible-playbook")), str(playbook), "-i", inventory]


def _keepwell_facts(setting: Setting) -> dict[str, Facts]:
    newest = sorted((setting.state / "bench" / "runs").iterdir())[-1]
    evidence = [json.loads(path.read_bytes()) for path in (newest / "hosts").glob("*.json")]
    return {document["result"]["host"]: _observed(document["observation"]) for document in evidence}


# --- stock modules, and the same under Mitogen


def _stock_environment(setting: Setting) -> dict[str, str]:
    return {
        # Keepwell's own callback would cost it time.
        "ANSIBLE_CALLBACKS_ENABLED": "bench_facts",
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
        "BENCH_ANSWER": str(setting.answer),
    }


def _mitogen_environment(setting: Setting) -> dict[str, str]:
    packages = environments.packages(setting.environments / "mitogen")
    return {
        **_stock_environment(setting),
        "ANSIBLE_STRATEGY": "mitogen_linear",
        "ANSIBLE_STRATEGY_PLUGINS": str(packages / "ansible_mitogen" / "plugins" / "strategy"),
        "MITOGEN_POOL_SIZE": str(AT_ONCE),
    }


def _stock_argv(setting: Setting) -> list[str]:
    return _playbook(HERE / "playbooks" / "stock.yml", setting.inventory())


def _mitogen_argv(setting: Setting) -> list[str]:
    program = setting.environments / "mitogen" / "bin" / "python"
    return _playbook(HERE / "playbooks" / "stock.yml", setting.inventory(), program)


def _noted_facts(setting: Setting) -> dict[str, Facts]:
    answer = json.loads(setting.answer.read_text(encoding="utf-8"))
    return {
        name: Facts(counts["packages"], ports(counts["sockets"]))
        for name, counts in answer.items()
        if counts["services"] > 0
    }


# --- pyinfra


def _pyinfra_argv(setting: Setting) -> list[str]:
    hosts = {}
    for host in setting.hosts:
        told = host.variables()
        hosts[host.name] = {
            "ssh_hostname": told["ansible_host"],
            "ssh_port": told["ansible_port"],
            "ssh_user": told["ansible_user"],
            "ssh_key": told["ansible_ssh_private_key_file"],
            "ssh_known_hosts_file": str(host.lab.known_hosts),
            "ssh_strict_host_key_checking": "yes",
        }
    request = {"hosts": hosts, "at_once": AT_ONCE, "answer": str(setting.answer)}
    program = str(setting.environments / "pyinfra" / "bin" / "python")
    return [program, str(HERE / "drivers" / "gather_pyinfra.py"), _request(setting, request)]


CONTENDERS = (
    Contender("plain", "plain ssh", _plain_argv, _plain_facts),
    Contender("sweep", "Keepwell, sweep", _keepwell_argv(HERE / "playbooks" / "sweep.yml"), _keepwell_facts),
    Contender("whole", "Keepwell, assess.yml", _keepwell_argv(PROJECT / "playbooks" / "assess.yml"), _keepwell_facts),
    Contender("pyinfra", "pyinfra", _pyinfra_argv, _noted_facts, warms=False),
    Contender(
        "mitogen", "stock modules, Mitogen", _mitogen_argv, _noted_facts, environment=_mitogen_environment, slow=True
    ),
    Contender("stock", "stock modules", _stock_argv, _noted_facts, environment=_stock_environment, slow=True),
)
TITLES = {contender.name: contender.title for contender in CONTENDERS}
