"""The analysis that looks for context accesses finds the bad ones of programs written for that."""

from __future__ import annotations

import pytest
from skverdict.codegen.assembler import assemble
from skverdict.codegen.object import Program

from tests.codegen.context_accesses import context_accesses, undeclared_accesses


def program(*lines: str, section: str = "sk_skb/stream_verdict") -> Program:
    return assemble("\n".join([f"program test {section}", *lines])).programs["test"]


def places(of: Program) -> list[tuple[int, int]]:
    return sorted((access.offset, access.size) for access in undeclared_accesses(of))


# local_port is the u32 at 136, remote_port the u32 at 132; data_end and data of sk_msg_md have 8 bytes.
HALF_A_FIELD = "r0 = *(u16 *)(r1 +132)"


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([HALF_A_FIELD], [(132, 2)]),
        (["r0 = *(u64 *)(r1 +132)"], [(132, 8)]),
        (["r0 = *(u32 *)(r1 +134)"], [(134, 4)]),
        (["r0 = *(u32 *)(r1 +136)"], []),
        (["r6 = r1", "r0 = *(u16 *)(r6 +132)"], [(132, 2)]),
        (["r1 = 0", "r6 = r1", "r0 = *(u16 *)(r6 +132)"], []),
        (["*(u64 *)(r10 -8) = r1", "r3 = *(u64 *)(r10 -8)", "r0 = *(u8 *)(r3 +0)"], [(0, 1)]),
        (["r2 = r10", "r2 += -16", "*(u64 *)(r2 +8) = r1", "r3 = *(u64 *)(r10 -8)", "r0 = *(u8 *)(r3 +0)"],
         [(0, 1)]),
        (["*(u64 *)(r10 -8) = r1", "r2 = 0", "*(u64 *)(r10 -8) = r2", "r3 = *(u64 *)(r10 -8)",
          "r0 = *(u8 *)(r3 +0)"], []),
        (["r6 = r1", "call bpf_ktime_get_ns", "r0 = *(u16 *)(r6 +132)"], [(132, 2)]),
        (["r2 = r1", "call bpf_ktime_get_ns", "r0 = *(u16 *)(r2 +132)"], []),
        (["r2 = *(u32 *)(r1 +136)", "if r2 == 0 goto +1", "r1 = r10", "r0 = *(u16 *)(r1 -8)"], [(-8, 2)]),
        (["r0 = 0", "r2 = *(u16 *)(r1 +132)", "r0 += 1", "if r0 != 9 goto -3"], [(132, 2)]),
        (["r6 = r1", "call one", "exit", "one:", HALF_A_FIELD], [(132, 2)]),
        (["r2 = r1", "r1 = 0", "call one", "exit", "one:", "r0 = *(u16 *)(r2 +132)"], [(132, 2)]),
        (["r6 = r1", "call one", "r0 = *(u16 *)(r6 +132)", "exit", "one:", "r0 = 0"], [(132, 2)]),
    ],
)  # fmt: skip
def test_what_is_not_a_field_is_found(lines: list[str], found: list[tuple[int, int]]) -> None:
    assert places(program(*lines, "exit")) == found


def test_a_write_where_only_reads_are_allowed() -> None:
    assert places(program("r2 = 1", "*(u32 *)(r1 +136) = r2", "exit")) == [(136, 4)]


def test_each_kind_has_its_own_fields() -> None:
    line = "r0 = *(u64 *)(r1 +8)"
    assert places(program(line, "exit", section="sk_msg")) == []
    assert places(program(line, "exit", section="sk_skb/stream_verdict")) == [(8, 8)]


def test_accesses_are_named_by_their_slot() -> None:
    seen = context_accesses(program("r2 = 5 ll", "r6 = r1", "r0 = *(u32 *)(r6 +136)", "exit"))
    assert [(access.slot, access.written) for access in seen] == [(3, False)]


@pytest.mark.parametrize("line", ["r1 += 4", "r1 -= r2", "r1 &= -8", "w1 <<= 1"])
def test_arithmetic_on_the_pointer_fails(line: str) -> None:
    with pytest.raises(AssertionError, match="arithmetic"):
        context_accesses(program("r2 = 0", line, "exit"))


START = "r2 = *(u32 *)(r1 +76)"


@pytest.mark.parametrize(
    "line", ["r2 <<= 32", "r2 ^= -1", "r0 |= r2", "r0 &= r2", "w2 += 1", "r2 = be32 r2", "r2 = -r2"]
)
def test_arithmetic_that_no_packet_pointer_may_have_fails(line: str) -> None:
    with pytest.raises(AssertionError, match="packet pointer"):
        context_accesses(program("r0 = 0", START, line, "exit"))


def test_half_a_packet_pointer_fails() -> None:
    with pytest.raises(AssertionError, match="half a packet pointer"):
        context_accesses(program(START, "w3 = w2", "exit"))


def test_a_packet_pointer_is_followed_through_sums_and_spills() -> None:
    lines = ["r2 += 8", "*(u64 *)(r10 -8) = r2", "r3 = *(u64 *)(r10 -8)", "r0 = 1", "r0 += r3", "r0 >>= 1", "exit"]
    with pytest.raises(AssertionError, match="packet pointer"):
        context_accesses(program(START, *lines))


def test_a_difference_of_packet_pointers_is_a_number() -> None:
    context_accesses(program(START, "r3 = *(u32 *)(r1 +80)", "r3 -= r2", "r3 <<= 32", "r0 = r3", "exit"))
