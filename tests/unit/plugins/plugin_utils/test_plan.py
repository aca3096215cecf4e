"""What a client bought: nothing unless it is said, and only what there is."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils import plan


@pytest.mark.parametrize(
    ("day", "sentence"),
    [
        ("2025-12-31", "The contract begins on 2026-01-01 (keepwell_contract.from): until then hosts are only looked at."),
        ("2026-01-01", ""),
        ("2026-12-31", ""),
        ("2027-01-01", "The contract ended on 2026-12-31 (keepwell_contract.to): since then hosts are only looked at."),
    ],
)  # fmt: skip
def test_a_contract_is_in_force_from_its_first_day_to_its_last(day: str, sentence: str) -> None:
    signed, problems = plan.contract({"from": "2026-01-01", "to": "2026-12-31"})
    assert problems == []
    assert signed.against(datetime.date.fromisoformat(day)) == sentence
    assert plan.contract({})[0].against(datetime.date.fromisoformat(day)) == ""


def test_no_plan_buys_nothing() -> None:
    assert plan.build(None) == (None, [])
    bare, problems = plan.build({"name": "Watch only"})
    assert problems == []
    assert bare is not None
    assert not bare.buys("patching")


def test_a_plan_buys_what_it_names() -> None:
    full, problems = plan.build({"name": "Care", "services": ["monitoring", "patching"]})
    assert problems == []
    assert full is not None
    assert [service for service in plan.SERVICES if full.buys(service)] == ["monitoring", "patching"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("gold", "keepwell_plan must be a mapping with name and services, not str."),
        ({"services": []}, "keepwell_plan.name: Field required."),
        ({"name": "x", "service": []}, "keepwell_plan.service: Extra inputs are not permitted. Did you mean 'services'?"),
        ({"name": "x", "services": "patching"}, "keepwell_plan.services: 'str' instances are not allowed as a Sequence value (given: 'patching')."),
        ({"name": "x", "services": ["patchin"]}, "keepwell_plan.services: unknown service 'patchin'. Did you mean 'patching'?"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_the_nearest_match(value: t.Any, problem: str) -> None:
    assert plan.build(value)[1] == [problem]


def test_a_tier_is_a_bundle_and_more_can_be_bought() -> None:
    tiers = {"care": ["monitoring", "patching"]}
    full, problems = plan.build({"name": "Care", "tier": "care", "services": ["antivirus", "patching"]}, tiers)
    assert problems == []
    assert full is not None
    assert full.services == ["monitoring", "patching", "antivirus"]


@pytest.mark.parametrize(
    ("value", "tiers", "problem"),
    [
        ({"name": "x", "tier": "cara"}, {"care": []}, "keepwell_plan.tier: no tier 'cara' in keepwell_tiers. Did you mean 'care'? Allowed: care."),
        ({"name": "x"}, ["care"], "keepwell_tiers must be a mapping of tiers to lists of services, not list."),
        ({"name": "x"}, {"care": "patching"}, "keepwell_tiers.care must be a list of services, not str."),
        ({"name": "x"}, {"care": ["patchin"]}, "keepwell_tiers.care: unknown service 'patchin'. Did you mean 'patching'?"),
        ({"name": "x", "coverage": "break_fix", "services": ["patching"]}, None, "keepwell_plan: coverage break_fix has no services: leave out tier and services, or use coverage full."),
        ({"name": "x", "coverage": "half"}, None, "keepwell_plan.coverage: Input should be 'full' or 'break_fix' (given: 'half')."),
        ({"name": "x", "sla": {"response": {"p1": 15}}}, None, "keepwell_plan.sla.response.p1: should be a time like 15m, 4h or 2d (given: 15)."),
        ({"name": "x", "sla": {"availability_percent": 101}}, None, "keepwell_plan.sla.availability_percent: Input should be less than or equal to 100 (given: 101)."),
        ({"name": "x", "price": {"model": "flat"}}, None, "keepwell_plan.price: model flat needs per_device."),
        ({"name": "x", "price": {"model": "prepaid", "hours": 10, "currency": "euro"}}, None, "keepwell_plan.price.currency: String should match pattern '^[A-Z]{3}$' (given: 'euro')."),
    ],
)  # fmt: skip
def test_a_mistake_in_the_plan_is_told(value: t.Any, tiers: t.Any, problem: str) -> None:
    assert plan.build(value, tiers)[1] == [problem]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (["web1"], "keepwell_contract must be a mapping, not list."),
        ({"hosts": ["web1", "db1", "web1"]}, "keepwell_contract: hosts names web1 twice."),
        ({"max_hosts": 0}, "keepwell_contract.max_hosts: Input should be greater than 0 (given: 0)."),
        ({"from": "2027-01-01", "to": "2026-01-01"}, "keepwell_contract: to is before from."),
        ({"contacts": [{"name": "Ann", "role": "boss"}]}, "keepwell_contract.contacts.0.role: Input should be 'owner', 'technical', 'finance', 'security' or 'emergency' (given: 'boss')."),
    ],
)  # fmt: skip
def test_a_mistake_in_the_contract_is_told(value: t.Any, problem: str) -> None:
    assert plan.contract(value)[1] == [problem]


def test_nothing_signed_is_no_mistake() -> None:
    assert plan.contract(None) == (plan.Contract(), [])
