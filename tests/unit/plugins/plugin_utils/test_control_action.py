"""What the actions on the control node have in common."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import keepwell_variables
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError


class Templar:
    """Gives everything back but what is sealed."""

    def template(self, value: object) -> object:
        if value == "sealed":
            raise AnsibleError("no vault secrets\nfound")
        return value


def test_a_variable_that_cannot_be_read_is_refused_by_name() -> None:
    assert keepwell_variables(Templar(), {"keepwell_exposure": "internal", "other": "sealed"}) == {
        "keepwell_exposure": "internal"
    }
    with pytest.raises(SettingsError) as caught:
        keepwell_variables(Templar(), {"keepwell_exposure": "sealed"})
    assert caught.value.problems == ["keepwell_exposure: no vault secrets found"]
