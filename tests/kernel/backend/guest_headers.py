"""A policy that routes by a TCP option in the SYN (examples/tenant_routing.py), on a real kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from skverdict.runtime.kernel.kernel import Kernel

from tests.kernel.backend.kit import ROOT, nothing_left

ROUTING = ROOT / "examples/tenant_routing.o"


@contextmanager
def routing(tenant: int) -> Iterator[tuple[Kernel, Any]]:
    """A machine whose clients are of `tenant`, and the worker of tenant 7."""
    with Kernel(ROUTING, globals={"tenant": tenant}) as kernel:
        worker, _ = kernel.tcp_pair(names=("worker", "feeder"))
        kernel.maps["workers"][7] = worker
        kernel.attach("accepted", verdict="hand_on")
        kernel.attach_cgroup("tag")
        kernel.attach_cgroup("route")
        yield kernel, worker


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_a_tenants_bytes_go_to_its_worker(family: str) -> None:
    with nothing_left(), routing(7) as (kernel, worker):
        client, server = kernel.tcp_pair(family=family)
        client.send(b"job")
        assert (worker.recv_all(), server.recv_all()) == (b"job", b"")
        assert dict(kernel.maps["tenants"].items()) == {server.cookie: 7}


@pytest.mark.parametrize(("tenant", "arrives"), [(0, b"job"), (8, b"")])
def test_the_worker_gets_nothing_of_others(tenant: int, arrives: bytes) -> None:
    with nothing_left(), routing(tenant) as (kernel, worker):
        client, server = kernel.tcp_pair()
        client.send(b"job")
        assert (worker.recv_all(), server.recv_all()) == (b"", arrives)
