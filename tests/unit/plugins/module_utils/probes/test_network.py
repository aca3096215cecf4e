"""Properties of hand-built DNS queries and of the addresses in /proc/net."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _listeners, _resolvers, _routes, network

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(st.lists(LABELS, min_size=1, max_size=5))
def test_a_query_carries_its_name(labels: list[str]) -> None:
    query = _resolvers.build_query(".".join(labels), "A")
    found, position = [], 12
    while query[position]:
        found.append(query[position + 1 : position + 1 + query[position]].decode())
        position += 1 + query[position]
    assert found == labels
    assert struct.unpack(">HH", query[position + 1 :]) == (1, 1)


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".example"])
def test_no_query_for_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="not a host name"):
        _resolvers.build_query(name, "A")


@given(st.binary(max_size=600))
def test_no_reply_crashes_the_reader(data: bytes) -> None:
    try:
        assert isinstance(_resolvers.parse_reply(data), str)
    except ValueError as exc:
        assert "reply" in str(exc)


@given(st.ip_addresses(v=4))
def test_ipv4_words_of_proc(address: ipaddress.IPv4Address) -> None:
    word = f"{struct.unpack('=I', address.packed)[0]:08X}"
    assert _listeners.decode_address(word) == str(address)


@pytest.mark.parametrize(
    "parse",
    [
        _listeners.parse_ss,
        _routes.parse_if_inet6,
        _routes.parse_proc_route6,
        lambda text: _routes.parse_proc_route("head\n" + text),
        lambda text: _listeners.parse_proc_net("head\n" + text, "tcp", "0A"),
        lambda text: network.parse_bond("bond0", text),
    ],
)
def test_a_damaged_line_is_named(parse) -> None:
    with pytest.raises(ValueError, match="garbage in"):
        parse("garbage in this line\n")


@pytest.mark.parametrize(
    ("address", "scope"),
    [
        ("0.0.0.0", "wildcard"),
        ("*", "wildcard"),
        ("127.0.0.1", "loopback"),
        ("127.0.0.53%lo", "loopback"),
        ("192.0.2.1", "address"),
    ],
)
def test_scope_of_a_listener(address: str, scope: str) -> None:
    line = f'tcp LISTEN 0 128 {address}:80 0.0.0.0:* users:(("a b",pid=1,fd=3),("c",pid=2,fd=3))'
    assert _listeners.parse_ss(line)[0]["scope"] == scope
    assert _listeners.parse_ss(line)[0]["processes"] == ["a b", "c"]
