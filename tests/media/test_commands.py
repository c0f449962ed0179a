"""Command structs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.media import commands as op


@given(
    st.integers(1, 7),
    st.integers(0, 2**63),
    st.integers(0, 65535),
    st.integers(0, 2**63),
    st.integers(0, 2**32 - 1),
    st.integers(0, 65535),
)
def test_a_command_is_64_bytes_and_reads_back(
    operation: int, call: int, port: int, time_ns: int, overflows: int, remote: int
) -> None:
    target = op.numeric_address("127.0.0.1")
    assert target is not None
    data = op.pack(operation, call, port, time_ns, overflows, flags=3, source=9, target=target, remote_port=remote)
    assert len(data) == op.SIZE
    assert data[:1] != b"{"
    command = op.unpack(data)
    assert (command.operation, command.call_number, command.port) == (operation, call, port)
    assert (command.time_ns, command.overflows, command.flags, command.source) == (time_ns, overflows, 3, 9)
    assert op.socket_address(command) == ("127.0.0.1", remote)


def test_addresses_of_both_families() -> None:
    six = op.numeric_address("[2001:db8::7]")
    assert six is not None
    command = op.unpack(op.pack(op.START, 1, 2, 3, target=six, remote_port=40))
    assert op.socket_address(command) == ("2001:db8::7", 40, 0, 0)
    scoped = op.numeric_address("fe80::1%3")
    assert scoped is not None
    assert op.socket_address(op.unpack(op.pack(op.START, 1, 2, 3, target=scoped, remote_port=4)))[3] == 3


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "example.org", "1.2.3", "1.2.3.4.5", "::1%nosuchinterface"])
def test_names_and_unspecified_addresses_are_no_destination(host: str) -> None:
    assert op.numeric_address(host) is None
