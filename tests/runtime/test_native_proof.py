"""What is proven of accesses before a program runs, and what must not be."""

from __future__ import annotations

import pytest
from skverdict.codegen.assembler import assemble
from skverdict.runtime.native.graph import graph
from skverdict.runtime.native.proof import Access, Area, Proof, Surroundings, prove
from skverdict.runtime.native.values import ALL, ANY, Number, Pointer, computed, constant, joined, narrowed

_HEAD = """
license "GPL"
map values array key 4 value 16 max_entries 4 flags 0
program main sk_skb/stream_verdict
"""
_SURROUNDINGS = Surroundings({"values": Area(16, True)}, {}, {76: "packet", 80: "end"}, {"values": 4})

#: r7 is the packet, r8 its end.
_PACKET = """
    r7 = *(u32 *)(r1 + 76)
    r8 = *(u32 *)(r1 + 80)
"""
#: r0 is a value of the map, or NULL.
_VALUE = """
    r6 = r1
    *(u32 *)(r10 - 4) = 0
    r1 = map[values] ll
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
"""


def _proof(text: str) -> Proof:
    program = assemble(_HEAD + text).programs["main"]
    return prove(program, graph(program, ()), _SURROUNDINGS)


def _last(text: str) -> Access:
    """What is proven of the last access of a program that ends with it and `exit`."""
    proof = _proof(text + "\nr0 = 0\nexit")
    return proof.accesses[max(proof.accesses)]


def test_a_load_from_the_stack_is_proven_where_it_was_written() -> None:
    assert _last("*(u64 *)(r10 - 8) = 1\nr2 = *(u32 *)(r10 - 4)") == Access("stack", "", 508, True)
    assert _last("*(u32 *)(r10 - 8) = 1\nr2 = *(u64 *)(r10 - 8)") == Access("stack", "", 504, False)


def test_a_stack_that_was_written_on_one_way_only_is_not_proven() -> None:
    text = """
        if r1 == 0 goto +1
        *(u64 *)(r10 - 8) = 1
        r2 = *(u64 *)(r10 - 8)
    """
    assert _last(text) == Access("stack", "", 504, False)


@pytest.mark.parametrize("offset", [-520, -513, -7, 0, 8])
def test_what_is_not_wholly_in_the_stack_is_not_proven(offset: int) -> None:
    assert _last(f"r2 = r10\nr2 += {offset}\n*(u64 *)(r2 + 0) = 1") == Access()


def test_an_index_that_is_masked_stays_in_the_stack() -> None:
    text = "r2 = *(u32 *)(r1 + 0)\nr2 &= {}\nr3 = r10\nr3 += -64\nr3 += r2\n*(u8 *)(r3 + 0) = 1"
    assert _last(text.format(63)).base == "stack"
    assert _last(text.format(127)) == Access()


def test_a_view_of_the_packet_is_proven_as_far_as_it_was_compared() -> None:
    checked = _PACKET + "r2 = r7\nr2 += 8\nif r2 > r8 goto +1\n"
    assert _last(checked + "r3 = *(u64 *)(r7 + 0)") == Access("packet", "", 0, False)
    assert _last(checked + "r3 = *(u32 *)(r7 + 4)").base == "packet"
    assert _last(checked + "r3 = *(u32 *)(r7 + 5)") == Access()
    assert _last(checked + "r3 = *(u8 *)(r7 - 1)") == Access()


def test_the_other_way_of_a_comparison_proves_nothing() -> None:
    assert _last(_PACKET + "r2 = r7\nr2 += 8\nif r2 <= r8 goto +1\nr3 = *(u64 *)(r7 + 0)") == Access()


@pytest.mark.parametrize(
    ("condition", "proven"),
    [
        ("r2 > r8", True), ("r8 < r2", True), ("r2 >= r8", True), ("r8 <= r2", True),
        ("r2 < r8", False), ("r2 == r8", False), ("r2 s> r8", False), ("w2 > w8", False),
    ],
)  # fmt: skip
def test_only_a_comparison_of_whole_addresses_without_sign_proves_a_view(condition: str, proven: bool) -> None:
    text = _PACKET + f"r2 = r7\nr2 += 8\nif {condition} goto +1\nr3 = *(u64 *)(r7 + 0)"
    assert (_last(text).base == "packet") == proven


def test_a_variable_offset_is_proven_by_a_comparison_of_its_own() -> None:
    moved = _PACKET + "r2 = *(u8 *)(r1 + 0)\nr2 &= 255\nr7 += r2\n"
    assert _last(moved + "r3 = r7\nr3 += 4\nif r3 > r8 goto +1\nr4 = *(u32 *)(r7 + 0)").base == "packet"
    assert _last(moved + "r3 = r7\nr3 += 4\nif r3 > r8 goto +1\nr4 = *(u32 *)(r7 - 4)") == Access()
    assert _last(moved + "r4 = *(u32 *)(r7 - 4)") == Access()


def test_another_variable_offset_is_not_proven_by_it() -> None:
    text = _PACKET + """
        r2 = *(u8 *)(r1 + 0)
        r2 &= 255
        r3 = r7
        r3 += r2
        r4 = r3
        r4 += 4
        if r4 > r8 goto +3
        r7 += r2
        r7 += r2
        r5 = *(u8 *)(r7 + 0)
    """
    assert _last(text) == Access()


def test_a_pointer_that_moves_on_in_a_loop_is_proven_by_the_comparison_in_it() -> None:
    loop = _PACKET + """
        r9 = 10
    again:
        r2 = r7
        r2 += 1
        if r2 > r8 goto out
        r3 = *(u8 *)(r7 + {offset})
        r7 += 1
        r9 += -1
        if r9 != 0 goto again
    out:
        r0 = 0
        exit
    """
    proven, not_proven = (_proof(loop.format(offset=offset)).accesses for offset in (0, 1))
    assert proven[max(proven)].base == "packet"
    assert not_proven[max(not_proven)] == Access()


def test_an_offset_of_an_earlier_round_is_not_taken_for_that_of_this_one() -> None:
    text = _PACKET + """
        r9 = *(u32 *)(r1 + 0)
        r4 = r7
    again:
        r2 = *(u8 *)(r10 - 1)
        r2 &= 15
        r3 = r7
        r3 += r2
        r5 = *(u8 *)(r4 + 0)
        r4 = r3
        r0 = r3
        r0 += 1
        if r0 > r8 goto out
        r9 += -1
        if r9 != 0 goto again
    out:
        r0 = 0
        exit
    """
    proof = _proof(text)
    assert [access.base for access in proof.accesses.values()].count("packet") == 0


def test_nothing_of_the_packet_is_proven_once_a_helper_may_have_moved_it() -> None:
    text = "r6 = r1" + _PACKET + """
        r2 = r7
        r2 += 8
        if r2 > r8 goto +4
        r1 = r6
        r2 = 8
        call bpf_skb_pull_data
        r3 = *(u64 *)(r7 + 0)
    """
    assert _last(text) == Access()


def test_a_value_of_a_map_is_proven_once_it_was_compared_with_null() -> None:
    checked = _VALUE + "if r0 == 0 goto +1\n"
    assert _last(checked + "*(u64 *)(r0 + 8) = 1") == Access("value", "values", 8, False)
    assert _last(checked + "*(u64 *)(r0 + 9) = 1") == Access()
    assert _last(_VALUE + "*(u64 *)(r0 + 0) = 1") == Access()
    assert _last(_VALUE + "if r0 != 0 goto +1\n*(u64 *)(r0 + 0) = 1") == Access()


def test_copies_of_what_may_be_null_are_settled_together() -> None:
    assert _last(_VALUE + "r7 = r0\nif r0 == 0 goto +1\nr1 = *(u8 *)(r7 + 0)").base == "value"
    spilled = "*(u64 *)(r10 - 16) = r0\nif r0 == 0 goto +2\nr7 = *(u64 *)(r10 - 16)\nr1 = *(u8 *)(r7 + 0)"
    assert _last(_VALUE + spilled).base == "value"


def test_a_spilled_pointer_that_was_partly_overwritten_is_a_number() -> None:
    text = """
        *(u64 *)(r10 - 16) = r0
        *(u8 *)(r10 - 9) = 1
        if r0 == 0 goto +2
        r7 = *(u64 *)(r10 - 16)
        r1 = *(u8 *)(r7 + 0)
    """
    assert _last(_VALUE + text) == Access()


def test_a_store_to_an_unknown_place_may_hit_every_spilled_pointer() -> None:
    text = """
        *(u64 *)(r10 - 16) = r0
        if r0 == 0 goto +3
        *(u8 *)(r9 + 0) = 1
        r7 = *(u64 *)(r10 - 16)
        r1 = *(u8 *)(r7 + 0)
    """
    assert _last(_VALUE + text) == Access()


def test_a_called_function_gets_no_pointers_into_its_callers_stack() -> None:
    text = """
        r1 = r10
        r1 += -8
        *(u64 *)(r1 + 0) = 1
        call inner
        r0 = 0
        exit
    inner:
        r0 = *(u64 *)(r1 + 0)
        exit
    """
    proof = _proof(text)
    assert proof.accesses[max(proof.accesses)] == Access()


def test_a_way_that_cannot_be_gone_is_left_out() -> None:
    text = "r2 = 5\nif r2 > 4 goto +1\n*(u8 *)(r9 + 0) = 1\nr0 = 0\nexit"
    assert _proof(text).accesses == {}


@pytest.mark.parametrize(
    ("name", "bits", "left", "right", "result"),
    [
        ("add", 64, Number(1, 5), Number(10, 20), Number(11, 25)),
        ("add", 64, Number(5, 9), constant(-1), Number(4, 8)),
        ("add", 64, Number(0, 9), constant(-1), ANY),
        ("add", 32, Number(0, 9), constant(-1), Number(0, 0xFFFFFFFF)),
        ("sub", 64, Number(5, 9), Number(1, 5), Number(0, 8)),
        ("and", 64, ANY, constant(15), Number(0, 15)),
        ("or", 64, Number(0, 4), Number(0, 1), Number(0, 7)),
        ("lsh", 64, Number(0, 255), constant(8), Number(0, 65280)),
        ("lsh", 64, ANY, constant(1), ANY),
        ("rsh", 64, ANY, constant(60), Number(0, 15)),
        ("arsh", 64, ANY, constant(60), ANY),
        ("div", 64, Number(0, 100), Number(0, 5), Number(0, 100)),
        ("mod", 64, ANY, constant(10), Number(0, 9)),
        ("mod", 64, Number(0, 99), Number(0, 10), Number(0, 99)),
        ("mul", 32, Number(0, 1 << 20), Number(0, 1 << 20), Number(0, 0xFFFFFFFF)),
        ("sdiv", 64, constant(-7), constant(2), constant(-3)),
    ],
)  # fmt: skip
def test_ranges_of_results(name: str, bits: int, left: Number, right: Number, result: Number) -> None:
    assert computed(name, bits, left, right) == result


@pytest.mark.parametrize(
    ("name", "bits", "left", "right", "result"),
    [
        ("jgt", 64, ANY, constant(5), Number(6, ALL)),
        ("jle", 64, ANY, constant(5), Number(0, 5)),
        ("jlt", 64, Number(0, 9), constant(0), None),
        ("jne", 64, Number(0, 9), constant(0), Number(1, 9)),
        ("jeq", 64, Number(0, 9), Number(4, 20), Number(4, 9)),
        ("jsge", 64, ANY, constant(3), Number(3, (1 << 63) - 1)),
        ("jslt", 64, ANY, constant(3), ANY),
        ("jslt", 64, Number(0, 100), constant(3), Number(0, 2)),
        ("jsgt", 64, ANY, constant(-1), ANY),
        ("jgt", 32, ANY, constant(5), ANY),
        ("jgt", 32, Number(0, 9), constant(5), Number(6, 9)),
        ("jset", 64, Number(0, 9), constant(1), Number(0, 9)),
    ],
)  # fmt: skip
def test_what_a_comparison_leaves(
    name: str, bits: int, left: Number, right: Number, result: Number | None
) -> None:
    assert narrowed(name, bits, left, right) == result


def test_values_that_come_together() -> None:
    assert joined(Number(1, 2), Number(5, 6), -1) == Number(1, 6)
    assert joined(Pointer("packet"), Number(0, 0), -1) == ANY
    assert joined(Pointer("packet", offset=4), Pointer("packet", offset=6), -1) == Pointer(
        "packet", variable=-1, low=4, high=6
    )
    assert joined(Pointer("value", "a"), Pointer("value", "b"), -1) == ANY
    assert joined(Number(0, 5), Number(0, 6), -1, widen=True) == Number(0, 255)
