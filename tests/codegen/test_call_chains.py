"""Stack is summed over chains of calls, as the verifier does it."""

from __future__ import annotations

import pytest
from skverdict.codegen import CodegenError, build
from skverdict.codegen.limits import STACK_SIZE
from skverdict.dsl.ir.text import parse_module

from tests.codegen.ir_kit import HandPolicy

WORDS = "struct B{0} size {0} align 8 {{\n  +0 w: [u64; {1}]\n}}\n"


def function(name: str, size: int, calls: str = "", kind: str = "subprogram") -> str:
    """A function with `size` bytes on its stack, which then does what `calls` says in IR."""
    return (
        f"{kind} @{name}(%0 skb: ptr<context __sk_buff>) -> i32 at 1:1 {{\n"
        f"  local $b: struct B{size}\n^entry:\n"
        f"  local.zero $b at 1:1\n  %1: ptr<stack struct B{size}> = local.address $b at 1:1\n"
        f"  %2: u32 = const 0\n  %3: u32 = const {size}\n"
        f"  %4: i64 = call.helper @bpf_skb_load_bytes, %0, %2, %1, %3 at 1:1\n{calls}"
        "  %9: i32 = const 1\n  return %9 at 1:1\n}\n"
    )


def call(name: str) -> str:
    return f"  %5: i32 = call @{name}, %0 at 1:1\n"


def refusal(*functions: str) -> str:
    """What building the functions is refused with; empty if it is not."""
    sizes = {int(text.partition("struct B")[2].partition("\n")[0]) for text in functions}
    structs = "".join(WORDS.format(size, size // 8) for size in sizes)
    maps = "map @jumps: prog_array key u32 value u32 entries 4\n"
    module = parse_module(f'policy "policy.py" license "GPL"\n{structs}{maps}{"".join(functions)}')
    try:
        build(HandPolicy(module))
    except CodegenError as error:
        return str(error).split("\n")[0]
    return ""


def test_a_chain_that_just_fits() -> None:
    assert not refusal(function("f", 256), function("p", 256, call("f"), "skb_verdict"))


def test_a_chain_that_does_not_fit_is_shown() -> None:
    message = refusal(
        function("f", 160),
        function("g", 200, call("f")),
        function("p", 192, call("g"), "skb_verdict"),
    )
    chain = "p (192) -> g (224) -> f (160) take 576"
    assert f"does not fit the BPF stack of {STACK_SIZE} bytes: {chain}" in message


def test_functions_that_are_not_called_by_each_other_share_the_stack() -> None:
    both = call("f") + call("g").replace("%5", "%6")
    assert not refusal(function("f", 256), function("g", 256), function("p", 256, both, "skb_verdict"))


@pytest.mark.parametrize(("depth", "refused"), [(8, False), (9, True)])
def test_functions_that_call_each_other_are_counted(depth: int, refused: bool) -> None:
    parts = [function("f0", 8)]
    parts += [function(f"f{number}", 8, call(f"f{number - 1}")) for number in range(1, depth - 1)]
    message = refusal(*parts, function("p", 8, call(f"f{depth - 2}"), "skb_verdict"))
    assert ("9 functions call each other, the kernel takes 8: p (32) -> f7 (32)" in message) == refused
    assert bool(message) == refused


@pytest.mark.parametrize(("size", "refused"), [(192, False), (256, True)])
def test_a_tail_call_wants_little_stack_below_it(size: int, refused: bool) -> None:
    jump = (
        "  %5: ptr<map bpf_map> = map @jumps at 1:1\n  call.helper @bpf_tail_call, %0, %5, %2 at 1:1\n"
    )
    message = refusal(function("f", 8, jump), function("p", size, call("f"), "skb_verdict"))
    assert ("f makes a tail call with 256 bytes of stack below it" in message) == refused
    assert bool(message) == refused
    assert not refusal(function("p", size, jump, "skb_verdict"))


def test_many_functions_are_looked_at_quickly() -> None:
    """Twenty that each call all before them have a million chains, of which only the worst counts."""
    parts = []
    for number in range(20):
        calls = "".join(call(f"f{other}").replace("%5", f"%{other + 20}") for other in range(number))
        parts.append(function(f"f{number}", 8, calls))
    message = refusal(*parts, function("p", 8, call("f19"), "skb_verdict"))
    assert "9 functions call each other, the kernel takes 8: p (32) -> f19 (32)" in message
