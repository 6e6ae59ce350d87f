"""Connections through `tenant_routing.py`: what a client says in its SYN decides who gets its bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.codegen import build
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator, Socket
from skverdict.runtime.trace import Called

POLICY = build(load_policy(Path(__file__).with_name("tenant_routing.py")))
KERNELS = ("6.1", "6.12", "7.2")


def machine(tenant: int, kernel: str = "7.2") -> tuple[Simulator, Socket]:
    """A machine whose clients are of `tenant`, and the worker of tenant 7."""
    sim = Simulator(POLICY, kernel=kernel, globals={"tenant": tenant})
    worker, _ = sim.tcp_pair(names=("worker", "feeder"))
    sim.maps["workers"][7] = worker
    sim.attach("accepted", verdict="hand_on")
    sim.attach_cgroup("tag")
    sim.attach_cgroup("route")
    return sim, worker


@pytest.mark.parametrize("family", ["v4", "v6"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_tenants_bytes_go_to_its_worker(kernel: str, family: str) -> None:
    sim, worker = machine(7, kernel)
    listener = sim.tcp_listener(port=80, family=family)

    clients = [sim.tcp_pair(listener=listener, family=family)[0] for _ in range(2)]
    for number, client in enumerate(clients):
        client.send(b"job %d " % number)

    assert worker.recv_all() == b"job 0 job 1 "
    assert [tenant for _, tenant in sim.maps["tenants"].items()] == [7, 7]


def test_a_tenant_without_a_worker_loses_its_bytes() -> None:
    sim, worker = machine(8)
    client, server = sim.tcp_pair()

    client.send(b"job")

    assert worker.recv_all() == server.recv_all() == b""
    assert sim.trace.destinations()[server.name, "dropped", ""] == 3


def test_who_names_no_tenant_is_left_alone() -> None:
    sim, worker = machine(0)
    client, server = sim.tcp_pair()

    client.send(b"hello")

    assert server.recv_all() == b"hello"
    assert worker.recv_all() == b""
    assert len(sim.maps["accepted"]) == 0


def test_only_the_syn_bears_the_option() -> None:
    sim, _ = machine(7)
    client, _ = sim.tcp_pair()
    stored = [str(call) for call in sim.trace.of(Called) if call.helper == "bpf_store_hdr_opt"]
    assert stored == ["tag: bpf_store_hdr_opt(bpf_sock_ops, fe067e4a0007, 0) = 0"]

    sim.trace.clear()
    client.send(b"hello")

    assert not any("HDR_OPT" in run.verdict for run in sim.trace.runs())
