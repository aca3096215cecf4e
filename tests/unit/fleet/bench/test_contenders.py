"""How the bench tells that a contender did its work."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from bench import contenders
from bench.contenders import CONTENDERS, Contender, Facts, Setting
from bench.measure import BenchError

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _registry

# ss -Hltun of iproute2 6.1 on Debian 12
SOCKETS = """\
udp   UNCONN 0      0            127.0.0.1:323       0.0.0.0:*
tcp   LISTEN 0      128            0.0.0.0:22        0.0.0.0:*
tcp   LISTEN 0      128               [::]:22           [::]:*
tcp   LISTEN 0      4096     127.0.0.1%lo:53         0.0.0.0:*
"""


def test_listening_ports_are_read_from_ss() -> None:
    assert contenders.ports(SOCKETS) == (22, 53)
    assert contenders.ports("") == ()


def document(**statuses: str) -> dict[str, t.Any]:
    probes = {name: {"status": statuses.get(name, "ok"), "data": {}, "detail": ""} for name in _registry.PROBES}
    probes["network"]["data"] = {"listeners": [{"proto": "tcp", "port": 22}, {"proto": "udp", "port": 323}]}
    probes["packages"]["data"] = {"installed_count": 163}
    return {"probes": probes}


def test_an_observation_tells_packages_and_ports_and_counts_late_probes() -> None:
    assert contenders._observed(document()) == Facts(163, (22,))
    assert contenders._observed(document(services="timeout")).late == 1


def test_a_probe_that_failed_or_is_missing_is_no_answer() -> None:
    with pytest.raises(ValueError, match="services"):
        contenders._observed(document(services="denied"))
    partial = document()
    del partial["probes"]["disks"]
    with pytest.raises(ValueError, match="not every probe"):
        contenders._observed(partial)


def contender(found: dict[str, Facts]) -> Contender:
    return Contender("tool", "A tool", lambda _setting: [], lambda _setting: found)


SETTING = Setting([], Path("."), Path("."), Path("."))


def test_a_contender_that_missed_a_host_or_a_package_fails() -> None:
    true = {"one": Facts(163, (22,)), "two": Facts(163, (22,))}
    assert (
        contenders.compare(contender({"one": Facts(163, (22,), late=2), "two": Facts(163, (22,))}), SETTING, true) == 2
    )
    for found in ({"one": Facts(163, (22,))}, {"one": Facts(163, (22,)), "two": Facts(0, (22,))}):
        with pytest.raises(BenchError, match="A tool says of two"):
            contenders.compare(contender(found), SETTING, true)


def test_a_contender_without_an_answer_fails() -> None:
    def nothing(_setting: Setting) -> dict[str, Facts]:
        raise FileNotFoundError("answer.json")

    with pytest.raises(BenchError, match=r"A tool left no answer: FileNotFoundError: answer\.json"):
        contenders.compare(Contender("tool", "A tool", lambda _setting: [], nothing), SETTING, {})


def test_a_contender_gets_none_of_a_developers_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("ANSIBLE_STRATEGY", "free")
    monkeypatch.setenv("HOME", "/root")
    environment = contenders.environment(contender({}), SETTING)
    assert environment["HOME"] == "/root"
    assert environment["ANSIBLE_FORKS"] == "20"
    assert not {"PYTHONDONTWRITEBYTECODE", "ANSIBLE_STRATEGY"} & set(environment)


def test_names_of_contenders_are_unique_and_the_floor_comes_first() -> None:
    names = [entry.name for entry in CONTENDERS]
    assert len(set(names)) == len(names)
    assert names[0] == "plain"
