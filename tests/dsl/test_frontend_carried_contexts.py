"""Structures that carry a context to a function that a helper calls back, and slices of arrays as memory."""

from __future__ import annotations

import pytest
from skverdict.codegen import Target, build
from skverdict.dsl.ir.text import parse_module, print_module
from skverdict.runtime import Simulator

from tests.dsl.policy_kit import compiled, errors

WALK = """
from skverdict.dsl.helpers import bpf_loop

sockets = SockMap(max_entries=4)
sums = ArrayMap(value=u32, max_entries=1)

class Walk(Struct):
    skb: SkSkb
    total: u32
    bytes: Array[u8, 12]

@inline
def step(index: u32, walk: Walk) -> i32:
    start = walk.total % 8
    size = min(walk.skb.len - index, 4)
    if size == 0 or walk.skb.load_bytes(index, walk.bytes[start:start + 4], size) != 0:
        return 1
    walk.total += walk.bytes[start]
    return 0

@stream_verdict
def verdict(skb: SkSkb) -> i32:
    walk = Walk(skb=skb)
    bpf_loop(skb.len, step, walk)
    sums.update(0, walk.total)
    return SK_PASS
"""


@pytest.mark.parametrize("cpu", ["v1", "v2", "v3", "v4"])
def test_a_context_reaches_what_is_called_back(cpu: str) -> None:
    policy = compiled(WALK)
    assert print_module(parse_module(print_module(policy.module))) == print_module(policy.module)
    sim = Simulator(build(policy, Target(cpu)))
    client, server = sim.tcp_pair()
    sim.attach("sockets", verdict="verdict")
    sim.maps["sockets"][0] = server
    client.send(bytes([1, 2, 3, 250, 9]))
    assert sim.maps["sums"][0] == 265
    assert server.recv() == bytes([1, 2, 3, 250, 9])


HOLDER = "class Holder(Struct):\n    skb: SkSkb\n    number: u32\n"
PROGRAM = "@stream_verdict\ndef verdict(skb: SkSkb) -> i32:\n    {}\n    return SK_PASS\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HOLDER + "table = HashMap(key=u32, value=Holder, max_entries=1)\n" + PROGRAM.format("pass"),
            "the value of `table` holds a context, which lasts no longer than its program",
        ),
        (
            HOLDER + "table = HashMap(key=Holder, value=u32, max_entries=1)\n" + PROGRAM.format("pass"),
            "the key of `table` holds a context, which lasts no longer than its program",
        ),
        (
            HOLDER + PROGRAM.format("view = skb.data.view(Holder, 0)"),
            "the type `Holder` holds a context, which no packet has",
        ),
        (HOLDER + PROGRAM.format("holder = Holder(number=1)"), "`Holder` also needs `skb`"),
        (HOLDER + PROGRAM.format("holder = Holder(skb=5)"), "a SkSkb is needed here, but this is the number 5"),
    ],
)
def test_contexts_stay_on_the_stack(text: str, message: str) -> None:
    assert any(one.message.startswith(message) for one in errors(text)), [one.message for one in errors(text)]


def test_a_slice_without_a_fixed_length_is_no_memory() -> None:
    text = HOLDER.replace("number: u32", "bytes: Array[u8, 8]") + PROGRAM.format(
        "holder = Holder(skb=skb)\n    end = min(skb.len, 8)\n    skb.load_bytes(0, holder.bytes[0:end])"
    )
    (found,) = errors(text)
    assert found.message.startswith("`bpf_skb_load_bytes` needs an array, or a slice of one that has a fixed length")


CALLED_BACK = """
class Walk(Struct):
    skb: SkSkb

@subprogram
def inner(skb: SkSkb) -> i32:
    return i32(skb.{call})

@inline
def step(index: u32, walk: Walk) -> i32:
    return 0 if inner(walk.skb) == 0 else 1

@stream_verdict
def verdict(skb: SkSkb) -> i32:
    first = skb.data.view(u32, 0)
    if first is None:
        return SK_DROP
    bpf_loop(3, step, Walk(skb=skb))
    return i32(first.value)
"""


def test_a_view_ends_where_what_is_called_back_may_move_the_packet() -> None:
    """The verifier forgets where the packet lies in all frames at once (`clear_all_pkt_pointers`)."""
    from_helpers = "from skverdict.dsl.helpers import bpf_loop\n"
    (found,) = errors(from_helpers + CALLED_BACK.format(call="pull_data(10)"))
    assert found.message == "this view of the packet ended when `step` was called on line 20"
    assert compiled(from_helpers + CALLED_BACK.format(call="priority"))
