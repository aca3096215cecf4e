"""Variables of an inventory: every mistake is named, with what is allowed, before anything happens."""

from __future__ import annotations

import datetime

import pytest
from fleet_runs import NOW
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils import exceptions, policy, settings

SOURCES = ["/srv/inventories/acme"]


def mistakes(**variables: object) -> list[str]:
    with pytest.raises(settings.SettingsError) as caught:
        settings.read(variables, SOURCES, NOW)
    return caught.value.problems


def test_nothing_set_gives_the_defaults() -> None:
    told = settings.read({}, SOURCES, NOW)
    assert told.client.id == "acme"
    assert told.exposure == "internet"
    assert told.subset == ["all"]
    assert told.policy["time"].offset_crit_s == 5.0  # type: ignore[attr-defined]


def test_layers_override_single_values() -> None:
    told = settings.read(
        {
            "keepwell_policy": {"time": {"offset_watch_s": 0.1, "offset_crit_s": 3}},
            "keepwell_policy_group": {"time": {"offset_crit_s": 2}},
            "keepwell_policy_host": {"time": {"offset_watch_s": 0.2}},
        },
        SOURCES,
        NOW,
    )
    assert told.policy["time"].offset_watch_s == 0.2  # type: ignore[attr-defined]
    assert told.policy["time"].offset_crit_s == 2.0  # type: ignore[attr-defined]


def test_a_misspelt_variable_names_the_nearest() -> None:
    assert mistakes(keepwell_polcy={}) == ["keepwell_polcy: unknown variable. Did you mean 'keepwell_policy'?"]


def test_a_misspelt_section_and_key_name_the_nearest() -> None:
    found = mistakes(keepwell_policy={"tiem": {}, "time": {"ofset_watch_s": 1}})
    assert found == [
        "keepwell_policy.tiem: unknown section. Did you mean 'time'?",
        "keepwell_policy.time.ofset_watch_s: unknown key. Did you mean 'offset_watch_s'?",
    ]


def test_a_wrong_value_is_told_with_place_and_value() -> None:
    found = mistakes(keepwell_policy_host={"time": {"offset_watch_s": "soon"}})
    assert len(found) == 1
    assert found[0].startswith("keepwell_policy_host.time.offset_watch_s: Input should be a valid number")
    assert "(given: 'soon')" in found[0]


def test_a_value_outside_its_limits_is_refused() -> None:
    assert "greater than 0" in mistakes(keepwell_policy={"time": {"offset_watch_s": 0}})[0]


def test_all_mistakes_come_at_once() -> None:
    found = mistakes(
        keepwell_exposure="internett",
        keepwell_policy=["no"],
        keepwell_probes={"disk": {}},
        keepwell_client={"id": "Not Valid"},
    )
    assert len(found) == 4
    assert any(
        "keepwell_exposure: 'internett' is unknown. Did you mean 'internet'? Allowed: internal, internet, isolated."
        in line
        for line in found
    )
    assert any("keepwell_policy must be a mapping of sections, not list." in line for line in found)
    assert any("keepwell_probes.disk: unknown probe. Did you mean 'disks'?" in line for line in found)
    assert any("keepwell_client.id" in line for line in found)


@given(
    st.dictionaries(
        st.text(max_size=12), st.one_of(st.none(), st.integers(), st.text(max_size=5), st.lists(st.integers()))
    )
)
def test_no_policy_ends_in_anything_but_a_policy_or_sentences(value: dict) -> None:
    try:
        policy.build([("keepwell_policy", value)])
    except policy.PolicyError as exc:
        assert exc.problems
        assert all(len(problem.splitlines()) == 1 for problem in exc.problems)


@pytest.mark.parametrize(
    ("source", "client_id"),
    [
        ("/srv/inventories/acme", "acme"),
        ("/srv/inventories/acme/hosts.yml", "acme"),
        ("hosts/Big Shop.ini", "big-shop"),
        ("web1,", "web1"),
        ("/", "unnamed"),
    ],
)
def test_the_inventory_names_the_client(source: str, client_id: str) -> None:
    assert settings.client(None, [source]).id == client_id


@given(st.text(max_size=300))
def test_any_inventory_name_gives_a_valid_client(name: str) -> None:
    assert settings.client_from_inventory([name]).id


def test_unknown_probe_in_a_subset_is_named() -> None:
    with pytest.raises(settings.SettingsError, match=r"subset: unknown probe 'disk'. Did you mean 'disks'\?"):
        settings.subset("disk,system")
    assert settings.subset(" disks , system") == ["disks", "system"]


def test_a_simulated_time_needs_a_lab() -> None:
    with pytest.raises(settings.SettingsError, match="needs keepwell_lab: true"):
        settings.now({"keepwell_now": "2026-01-01T00:00:00Z"}, NOW)
    with pytest.raises(settings.SettingsError, match="is no time like"):
        settings.now({"keepwell_now": "yesterday", "keepwell_lab": True}, NOW)
    assert settings.now({"keepwell_now": "2026-01-01T00:00:00Z", "keepwell_lab": True}, NOW) == (1767225600.0, True)
    assert settings.now({}, NOW) == (NOW, False)


GOOD = {"check": "time.offset", "reason": "lab clock", "approver": "J. Smit", "expires": "2026-12-31"}


class Subject:
    host = "web1"
    groups = ("web",)
    now = NOW


def test_a_waiver_covers_its_hosts_until_its_day_is_over() -> None:
    waivers, problems = exceptions.build([{**GOOD, "hosts": ["we?"], "expires": "2026-11-23"}], NOW)
    assert problems == []
    waiver = waivers[0]
    assert waiver.covers(Subject(), "time.offset", "")
    assert not waiver.covers(Subject(), "time.sources", "")
    last_second = datetime.datetime(2026, 11, 23, 23, 59, 59, tzinfo=datetime.UTC).timestamp()
    assert not waiver.expired(last_second)
    assert waiver.expired(last_second + 1)


def test_mistakes_in_waivers_are_named() -> None:
    entries = [
        {**GOOD, "check": "time.ofset"},
        {**GOOD, "aprover": "x"},
        {"check": "time.offset"},
        {**GOOD, "expires": "2028-01-01"},
    ]
    _waivers, problems = exceptions.build(entries, NOW)
    assert problems[0] == "keepwell_exceptions[0].check: unknown check 'time.ofset'. Did you mean 'time.offset'?"
    assert "keepwell_exceptions[1].aprover" in problems[1]
    assert "Did you mean 'approver'?" in problems[1]
    assert {line.split(":")[0] for line in problems[2:5]} == {
        f"keepwell_exceptions[2].{key}" for key in ("reason", "approver", "expires")
    }
    assert "more than 365 days away" in problems[5]


def test_settings_of_probes_and_the_failing_state_are_checked_too() -> None:
    found = mistakes(keepwell_probes={"certificates": {"pats": ["/x"]}}, keepwell_fail_on="critical")
    assert found[0].startswith("keepwell_fail_on: 'critical' is unknown. Did you mean 'crit'?")
    assert (
        found[1]
        == "keepwell_probes.certificates.pats: unknown setting. Did you mean 'paths'? Allowed: names, paths, ports."
    )


def test_an_ended_waiver_still_knows_what_it_was_about() -> None:
    waivers, _problems = exceptions.build([{**GOOD, "expires": "2026-11-22"}], NOW)
    assert not waivers[0].covers(Subject(), "time.offset", "")
    assert waivers[0].means(Subject(), "time.offset", "")
