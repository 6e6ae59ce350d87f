"""What keeps a socket out of a socket map, told from ordinary sockets of this machine."""

from __future__ import annotations

import errno
import os
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from skverdict.runtime.kernel.suitability import layer_of, reason_of, unsuitable
from skverdict.runtime.machine.errno import Errno, KernelError

from tests.runtime.kernel_kit import StandIn, lab


@pytest.mark.parametrize(
    ("family", "type_", "reason"),
    [
        (socket.AF_INET, socket.SOCK_STREAM, "it is in state CLOSE, and only ESTABLISHED and LISTEN go in"),
        (socket.AF_INET, socket.SOCK_DGRAM, "it is bound to no port"),
        (socket.AF_UNIX, socket.SOCK_STREAM, "it is not connected"),
        (socket.AF_UNIX, socket.SOCK_SEQPACKET, "it is a unix socket of type SOCK_SEQPACKET"),
        (socket.AF_UNIX, socket.SOCK_DGRAM, "with a stream parser attached, the map takes TCP only"),
    ],
)
def test_the_reason(family: int, type_: int, reason: str) -> None:
    with socket.socket(family, type_) as seen:
        assert unsuitable(seen.fileno(), Errno.EOPNOTSUPP) == reason


def test_bound_udp_is_kept_out_by_a_parser_only() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as seen:
        seen.bind(("127.0.0.1", 0))
        assert unsuitable(seen.fileno(), Errno.EOPNOTSUPP) == "with a stream parser attached, the map takes TCP only"


def test_mptcp_is_named() -> None:
    """As a socket is that an MPTCP listener gives for a client that speaks it; not every machine makes them."""
    seen: Any = SimpleNamespace(family=socket.AF_INET, type=socket.SOCK_STREAM, proto=262)
    assert reason_of(seen) == "it speaks MPTCP: make it, or the listener that it comes from, with IPPROTO_TCP"


def test_tls_in_the_kernel_is_named() -> None:
    """The module for it is not there everywhere."""
    seen: Any = SimpleNamespace(getsockopt=lambda level, option, size: b"tls\0")
    assert layer_of(seen) == "its upper layer protocol is tls, and such sockets do not go into maps"
    with socket.socket() as plain:
        assert unsuitable(plain.fileno(), Errno.EINVAL) == ""
    with socket.socket(socket.AF_UNIX) as plain:
        assert unsuitable(plain.fileno(), Errno.EINVAL) == ""


@pytest.mark.parametrize("error", [Errno.EBUSY, Errno.E2BIG])
def test_other_errors_are_not_the_sockets_fault(error: Errno) -> None:
    with socket.socket() as lone:
        assert unsuitable(lone.fileno(), error) == ""


def test_what_is_no_socket_has_no_reason() -> None:
    read, write = os.pipe()
    try:
        assert unsuitable(read, Errno.EOPNOTSUPP) == ""
    finally:
        os.close(read)
        os.close(write)


def test_putting_it_in_says_the_reason_and_leaves_the_socket_as_it_was() -> None:
    bpf = StandIn()
    with lab(bpf) as kernel, socket.socket() as lone:
        bpf.refusals["update"] = errno.EOPNOTSUPP
        with pytest.raises(KernelError, match=r"map watched: .*; it is in state CLOSE"):
            kernel.maps["watched"][0] = lone
        assert lone.fileno() >= 0
        assert lone.getsockname() == ("0.0.0.0", 0)
