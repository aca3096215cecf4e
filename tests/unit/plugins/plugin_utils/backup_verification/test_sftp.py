"""What a list of an off-site copy tells."""

from __future__ import annotations

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.sftp import (
    Entry,
    Place,
    place,
    summary,
)

NOW = 1_795_200_000.0


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("sftp://backup@nas.example.org/srv/copy", Place("backup", "nas.example.org", 22, "/srv/copy")),
        ("sftp://nas:2222/a%20b", Place(None, "nas", 2222, "/a b")),
        ("sftp://[2001:db8::1]:23/x", Place(None, "2001:db8::1", 23, "/x")),
    ],
)
def test_addresses(address: str, expected: Place) -> None:
    assert place(address) == expected


@pytest.mark.parametrize(
    "address", ["/srv/copy", "sftp://nas", "ssh://nas/x", "sftp://u:secret@nas/x", "sftp://nas:x/y"]
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="is no address of an SFTP copy"):
        place(address)


def test_what_is_not_finished_or_lies_beside_is_no_copy() -> None:
    names = ("a.tar", "a.tar.sha256", "b.tar.part", ".c.tar", "d.tar")
    found = summary([Entry(name, 5, NOW - number) for number, name in enumerate(names)], {"pattern": "*.tar*"}, NOW)
    assert [entry["id"] for entry in found["snapshots"]] == ["d.tar", "a.tar"]


def test_an_empty_file_is_incomplete_and_the_future_is_told() -> None:
    found = summary([Entry("a.tar", 0, NOW + 60)], {}, NOW)
    assert found["snapshots"][0]["complete"] is False
    assert found["detail"] == "a.tar is from the future: a clock is wrong."
