"""What the actions on the control node have in common."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import keepwell_variables, state_dir
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


def test_state_lies_in_the_project_whichever_way_a_playbook_is_called(tmp_path: Path) -> None:
    (tmp_path / "playbooks").mkdir()
    collection = tmp_path / "collections/ansible_collections/keepwell/fleet"
    collection.mkdir(parents=True)
    (collection / "playbooks").symlink_to("../../../../playbooks")
    for folder in (tmp_path / "playbooks", collection / "playbooks"):
        told = {"playbook_dir": str(folder)}
        assert state_dir({}, told) == str(tmp_path / "state")
        assert state_dir({"keepwell_state_dir": "kept"}, told) == str(tmp_path / "kept")


def test_state_of_an_installed_collection_lies_outside_of_it(tmp_path: Path) -> None:
    told = {"playbook_dir": str(tmp_path / "ansible_collections/keepwell/fleet/playbooks")}
    assert state_dir({}, told) == "/var/lib/keepwell"
    assert state_dir({"keepwell_state_dir": "/srv/state"}, told) == "/srv/state"
