"""The simulator does what real kernels did, step by step (`tests/corpus/scenarios`)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from skverdict.codegen import read_object
from skverdict.runtime import Simulator

from tests.corpus.scenario import KERNELS, LABS, expected, recorded, run
from tests.corpus.world import BackendWorld

OBJECTS = {path.stem: read_object(path.read_bytes(), path.name) for path in LABS.glob("*.o")}

# What the simulator does in another way, by scenarios. An entry that no longer holds fails its tests.
DIFFERENT = {
    "no listener stands behind tcp_pair that sock_ops would hear of": re.compile(
        r"callbacks of a connection|callbacks of an IPv6 connection|flags (none|retransmission|unknown)"
        r"|reply of 10|put (by addresses|into a full|into a map with|into a sock(map|hash) everywhere|past)"
        r"|sock_ops detached while connected|states when closed with bytes unread|states when both shut down"
    ),
    "FIN_WAIT2 ends when its owner is gone, and no listener stands behind tcp_pair": re.compile(
        r"states when the (client|server) closes"
    ),
    "addresses of requests at an IPv6 listener": re.compile(r"callbacks of an IPv4 client at an IPv6 server"),
    "a sock_ops program can be attached twice": re.compile(r"sock_ops attached twice"),
    "local_ip4 of a connected UDP socket over IPv6": re.compile(r"(skb_)?verdict on UDP over IPv6"),
}


def cases() -> list[Any]:
    """Every scenario on the newest kernel, and on those before it whatever they did in another way."""
    return [
        pytest.param(scenario, kernel, id=f"{group}: {scenario['name']} on {kernel}", marks=marks(scenario))
        for group, scenario in recorded()
        for kernel in KERNELS
        if kernel == KERNELS[-1] or kernel in scenario.get("outcomes_on", {})
    ]


def marks(scenario: dict[str, Any]) -> list[pytest.MarkDecorator]:
    return [
        pytest.mark.xfail(reason=reason, strict=True)
        for reason, names in DIFFERENT.items()
        if names.match(scenario["name"])
    ]


@pytest.mark.parametrize(("scenario", "kernel"), cases())
def test_simulator_does_what_the_kernel_did(scenario: dict[str, Any], kernel: str) -> None:
    simulator = Simulator(OBJECTS[scenario.get("lab", "lab")], kernel=kernel)

    outcomes = run(BackendWorld(simulator), scenario)

    steps = scenario["steps"]
    assert [*zip(steps, outcomes, strict=True)] == [*zip(steps, expected(scenario, kernel), strict=True)]
