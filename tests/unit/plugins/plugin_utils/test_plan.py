"""What a client bought: nothing unless it is said, and only what there is."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils import plan


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
        ({"name": "x", "service": []}, "keepwell_plan.service: Extra inputs are not permitted. Did you mean 'services'? Allowed: name, services."),
        ({"name": "x", "services": "patching"}, "keepwell_plan.services: 'str' instances are not allowed as a Sequence value."),
        ({"name": "x", "services": ["patchin"]}, "keepwell_plan.services: unknown service 'patchin'. Did you mean 'patching'?"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_the_nearest_match(value: t.Any, problem: str) -> None:
    assert plan.build(value)[1] == [problem]
