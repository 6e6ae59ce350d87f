"""Variables of an object as user space sees them."""

from __future__ import annotations

import pytest
from skverdict.runtime import Simulator
from skverdict.runtime.maps.typed import ValueMismatch
from skverdict.runtime.variables import UnknownVariable

from tests.dsl.policy_kit import compiled

POLICY = """
class Stats(Struct):
    packets: u64
    port: be16

threshold = Global(u32, 100)
limit = Const(u32, 5)
stats = Global(Stats, Stats(packets=3, port=be16(80)))
seen = Global(Array[u8, 4])
sockets = SockMap(max_entries=4)

@skb_verdict
def verdict(ctx: SkSkb) -> i32:
    stats.value.packets += 1
    if ctx.len > limit.value + threshold.value:
        return SK_DROP
    return SK_PASS
"""


def verdicts(simulator: Simulator, sizes: list[int]) -> list[int]:
    """How many bytes arrive of each send."""
    client, server = simulator.tcp_pair()
    simulator.attach("sockets", verdict="verdict")
    simulator.maps["sockets"][0] = server
    received = []
    for size in sizes:
        client.send(b"x" * size)
        received.append(len(server.recv_all()))
    return received


def test_variables_begin_as_declared() -> None:
    simulator = Simulator(compiled(POLICY))
    assert dict(simulator.globals) == {
        "limit": 5, "threshold": 100, "stats": {"packets": 3, "port": 80}, "seen": bytes(4),
    }  # fmt: skip


def test_programs_and_user_space_see_the_same() -> None:
    simulator = Simulator(compiled(POLICY))
    simulator.globals["threshold"] = 1
    simulator.globals["stats"] = {"packets": 10, "port": 443}
    assert verdicts(simulator, [6, 7]) == [6, 0]
    assert simulator.globals["stats"].packets >= 12
    assert simulator.globals["stats"].port == 443


def test_constants_are_set_before_programs_see_them() -> None:
    simulator = Simulator(compiled(POLICY), globals={"limit": 0, "threshold": 3, "seen": b"ab"})
    assert verdicts(simulator, [3, 4]) == [3, 0]
    assert simulator.globals["seen"] == b"ab\0\0"
    with pytest.raises(OSError, match="limit is constant"):
        simulator.globals["limit"] = 1


def test_what_does_not_fit_is_refused_by_name() -> None:
    simulator = Simulator(compiled(POLICY))
    with pytest.raises(ValueMismatch, match="variable threshold: -1 is not between 0 and 4294967295"):
        simulator.globals["threshold"] = -1
    with pytest.raises(UnknownVariable, match="no variable 'treshold'; there are limit, threshold"):
        simulator.globals["treshold"] = 1
    with pytest.raises(UnknownVariable):
        Simulator(compiled(POLICY), globals={"nothing": 1})
    with pytest.raises(TypeError):
        del simulator.globals["threshold"]
