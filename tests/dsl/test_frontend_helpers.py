"""Kernel helpers by their kernel names and as methods of the context."""

from __future__ import annotations

import pytest
from skverdict.dsl import helpers

from tests.dsl.policy_kit import compiled, machine, operations, program_text

HEAD = """
from skverdict.dsl.helpers import bpf_get_prandom_u32, bpf_ktime_get_ns
from skverdict.dsl import helpers
"""
BUFFER = f"""{HEAD}
class Buffer(Struct):
    first: be16
    rest: Array[u8, 6]

class Option(Struct):
    value: i32
"""


def calls(body: str, kind: str = "skb_verdict", before: str = BUFFER) -> list[tuple[str, list[str]]]:
    """The helpers that a program calls, with the types of their arguments."""
    (function,) = compiled(program_text(body, kind, before)).module.functions
    return [
        (str(each.attributes["helper"]), [str(operand.type) for operand in each.operands])
        for each in operations(function, "call.helper")
    ]


def test_a_helper_without_arguments() -> None:
    body = "return 1 if bpf_ktime_get_ns() > 5 else 0"
    assert calls(body) == [("bpf_ktime_get_ns", [])]
    assert machine(body, before=HEAD).run(helpers={"bpf_ktime_get_ns": lambda call: 6}) == 1


def test_results_have_the_width_of_the_kernels_declaration() -> None:
    text = HEAD + program_text("x: u32 = bpf_get_prandom_u32()\ny: u64 = helpers.bpf_jiffies64()\nreturn 0")
    assert compiled(text).module.functions


@pytest.mark.parametrize(
    "call",
    [
        "ctx.load_bytes(2, buffer)",
        "ctx.load_bytes(2, buffer, 8)",
        "ctx.load_bytes(offset=2, to=buffer)",
        "helpers.bpf_skb_load_bytes(ctx, 2, buffer)",
        "helpers.bpf_skb_load_bytes(ctx, 2, buffer, sizeof)",
    ],
)
def test_a_buffer_knows_its_size(call: str) -> None:
    found = calls(f"sizeof = 8\nbuffer = Buffer()\nif {call} != 0:\n    return 0\nreturn 1")
    assert found == [
        ("bpf_skb_load_bytes", ["ptr<context __sk_buff>", "u32", "ptr<stack struct Buffer>", "u32"])
    ]


def test_bytes_of_the_packet_are_copied_before_a_helper_reads_them() -> None:
    body = "v = ctx.data.view(Buffer, 0)\nif v is None:\n    return 0\nctx.store_bytes(8, v)\nreturn 1"
    ((name, types),) = calls(body)
    assert (name, types[2:]) == ("bpf_skb_store_bytes", ["ptr<stack struct Buffer>", "u32", "u64"])


def test_methods_of_a_message() -> None:
    found = calls("ctx.apply_bytes(4)\nctx.pull_data(0, 4)\nctx.push_data(0, 4, 0)\nreturn 1", "msg_verdict")
    assert [name for name, _ in found] == ["bpf_msg_apply_bytes", "bpf_msg_pull_data", "bpf_msg_push_data"]
    assert found[1][1] == ["ptr<context sk_msg_md>", "u32", "u32", "u64"]


def test_options_of_a_connection() -> None:
    body = """
    option = Option(value=1)
    ctx.setsockopt(SOL_TCP, TCP_NODELAY, option)
    ctx.cb_flags_set(1)
    return 1
    """
    found = [name for name, _ in calls(body, "sock_ops")]
    assert found == ["bpf_setsockopt", "bpf_sock_ops_cb_flags_set"]


def test_map_helpers_by_their_kernel_names() -> None:
    before = HEAD + "counts = HashMap(key=u32, value=u64, max_entries=4)\nsockets = SockMap(max_entries=4)\n"
    body = """
    helpers.bpf_map_update_elem(counts, 3, ctx.len, BPF_ANY)
    entry = helpers.bpf_map_lookup_elem(counts, ctx.len)
    if entry is None:
        return 0
    entry.value += 1
    return i32(helpers.bpf_sk_redirect_map(ctx, sockets, 0, 0))
    """
    found = calls(body, before=before)
    assert found[0][1] == ["ptr<map bpf_map>", "ptr<stack u32>", "ptr<stack u64>", "u64"]
    assert found[2][0] == "bpf_sk_redirect_map"


def test_calls_share_their_scratch_memory() -> None:
    before = HEAD + "counts = HashMap(key=u32, value=u64, max_entries=4)\n"
    body = "".join(f"counts.update({number}, {number})\n" for number in range(20)) + "return 0"
    (function,) = compiled(program_text(body, before=before)).module.functions
    assert [(local.name, str(local.type)) for local in function.locals] == [("key", "u32"), ("value", "u64")]


def test_outside_of_programs_a_helper_is_only_a_name() -> None:
    assert repr(helpers.bpf_ktime_get_ns) == "<kernel helper bpf_ktime_get_ns>"
    with pytest.raises(TypeError, match="exists only inside programs"):
        helpers.bpf_ktime_get_ns()
    with pytest.raises(AttributeError, match="no helper `bpf_nothing`"):
        _ = helpers.bpf_nothing
