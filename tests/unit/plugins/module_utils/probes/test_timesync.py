"""What time services print in another form is named, never taken for an answer."""

from __future__ import annotations

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _clocks


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (_clocks.parse_chrony_tracking, "506 Cannot talk to daemon"),
        (_clocks.parse_chrony_tracking, "A,b,x,1,2,3,4,5,6,7,8,9,10,Normal"),
        (_clocks.parse_chrony_sources, "^,*,192.0.2.1,8"),
        (_clocks.parse_chrony_sources, "^,*,192.0.2.1,8,6,99,2,0.1,0.1,0.1"),
        (_clocks.parse_ntpq_peers, "*192.0.2.10 198.51.100.1 2 u"),
        (_clocks.parse_ntpctl, "no daemon"),
        (_clocks.parse_ntpctl, "clock unsynced\n\npeer\n   wt tl st\n192.0.2.1\n   strange\n"),
        (_clocks.parse_timesync_status, "Offset +1s"),
        (_clocks.parse_timesync_status, "Offset: +1s\n"),
        (_clocks.parse_timesync_status, "Server: 192.0.2.1 (x)\nOffset: soon\n"),
    ],
)
def test_other_forms_are_refused(parse, text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_a_clock_nobody_corrects_has_no_offset() -> None:
    line = "00000000,,0,0.000000000,0.000000000,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised\n"
    facts = _clocks.parse_chrony_tracking(line)
    assert (facts["synchronised"], facts["offset_s"]) == (False, None)


def test_a_server_that_never_answered_is_no_source() -> None:
    facts = _clocks.parse_timesync_status(
        "Server: 192.0.2.1 (ntp.example.invalid)\nPoll interval: 0 (min: 32s)\nPacket count: 0\n"
    )
    assert (facts["synchronised"], facts["sources"][0]["reachable"]) == (False, False)
