"""What BPF cannot hold is refused with the policy's line; LLVM would end the process."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.codegen import CodegenError, Target, build, limits, object_builder
from skverdict.codegen.backend import WideArithmetic
from skverdict.codegen.limits import STACK_SIZE
from skverdict.dsl import load_policy
from skverdict.dsl.errors import PolicyError
from skverdict.dsl.ir.module import Function, Local, Value
from skverdict.dsl.ir.types import BOOL, I32, I64, U8, U32, U64, Array, Int, lay_out

from tests.codegen.ir_kit import (
    FILE,
    HandPolicy,
    ProgramBuilder,
    compiled,
    module_of,
    run_on,
    run_scalars,
    scalar_program,
)


def refusal(function: Function, target: Target = Target()) -> str:  # noqa: B008
    with pytest.raises(CodegenError) as caught:
        build(HandPolicy(module_of(function)), target)
    assert isinstance(caught.value, PolicyError)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.file, diagnostic.line, diagnostic.source_line) == (FILE, 1, "line 1")
    return str(caught.value)


def using_stack(size: int, count: int = 1) -> Function:
    """A program that hands `count` buffers of `size` bytes to helpers."""
    buffers = [
        Local(f"buffer{number}", lay_out("B", [("bytes", Array(U8, size))])) for number in range(count)
    ]
    b = ProgramBuilder("greedy", locals=buffers)
    for buffer in buffers:
        b.do("local.zero", local=buffer.name)
    for buffer in buffers:
        arguments = (b.const(U32, 0), b.address(buffer), b.const(U32, size), b.const(U64, 0))
        b.get(I64, "call.helper", b.context, *arguments, helper="bpf_skb_store_bytes")
    b.answer(1)
    return b.function


def test_all_of_the_stack_can_be_used() -> None:
    assert compiled(using_stack(STACK_SIZE)).programs["greedy"].slots > 64


def test_one_variable_larger_than_the_stack() -> None:
    message = refusal(using_stack(STACK_SIZE + 1))
    assert "greedy does not fit the BPF stack of 512 bytes: its variable 'buffer0' has 513 bytes" in message


def test_variables_together_larger_than_the_stack() -> None:
    message = refusal(using_stack(200, 3))
    assert "greedy does not fit the BPF stack of 512 bytes: it needs 600 bytes" in message
    assert "ArrayMap" in message


def long_branch(count: int) -> Function:
    """A branch over `count` instructions."""
    b = ProgramBuilder("long")
    length = b.get(U32, "context.load", b.context, field="len")
    b.do("branch", b.get(BOOL, "eq", length, b.const(U32, 0)), to=("end", "much"))
    b.block("much")
    for _ in range(count):
        b.get(U32, "call.helper", helper="bpf_get_prandom_u32")
    b.do("jump", to=("end",))
    b.block("end")
    b.answer(1)
    return b.function


def test_a_branch_too_long() -> None:
    message = refusal(long_branch(32800))
    assert "long has 32802 instructions, branches reach 32767 before cpu v4" in message
    assert "build for cpu v4" in message


def test_a_program_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a program of a million instructions the build alone would take a minute, so the limit is lowered."""
    assert limits.MOST_INSTRUCTIONS == 1_000_000
    monkeypatch.setattr(limits, "MOST_INSTRUCTIONS", 20)
    assert compiled(long_branch(16)).programs["long"].slots == 20
    message = refusal(long_branch(17))
    assert "long has 21 instructions, the kernel takes 20" in message
    assert "tail call" in message


def test_a_program_counts_with_what_it_calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = "\n".join(["    bpf_get_prandom_u32()"] * 20)
    policy = tmp_path / "policy.py"
    policy.write_text(
        "from skverdict.dsl import *\nfrom skverdict.dsl.helpers import bpf_get_prandom_u32\n\n"
        f"@subprogram\ndef long(number: u32) -> u32:\n{calls}\n    return number\n\n"
        "@skb_verdict\ndef calls(ctx: SkSkb) -> i32:\n    return i32(long(ctx.len) & 1)\n\n"
        "@skb_verdict\ndef alone(ctx: SkSkb) -> i32:\n    return SK_PASS\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(limits, "MOST_INSTRUCTIONS", 15)
    with pytest.raises(CodegenError, match=r"calls has .* instructions, the kernel takes 15"):
        build(load_policy(policy))


def test_a_name_the_kernel_would_refuse() -> None:
    b = ProgramBuilder("größe")
    b.answer(1)
    assert "ASCII letters" in refusal(b.function)
    b = ProgramBuilder("v" * 128)
    b.answer(1)
    assert "at most 127 characters" in refusal(b.function)


def sum_of_numbers(type_: Int) -> Function:
    """The sum of all numbers below `skb.len`, of which LLVM makes a formula with an integer of 65 bits."""
    b = ProgramBuilder("main", locals=[Local("number", type_), Local("total", type_)])
    length = b.get(U32, "context.load", b.context, field="len")
    end = length if type_ == U32 else b.get(type_, "convert", length)
    for name in ("number", "total"):
        b.do("local.set", b.const(type_, 0), local=name)
    b.do("jump", to=("head",))
    b.block("head")
    number = b.get(type_, "local.get", local="number")
    b.do("branch", b.get(BOOL, "lt", number, end), to=("body", "end"))
    b.block("body")
    total = b.get(type_, "local.get", local="total")
    b.do("local.set", b.get(type_, "add", total, number), local="total")
    b.do("local.set", b.get(type_, "add", number, b.const(type_, 1)), local="number")
    b.do("jump", to=("head",))
    b.block("end")
    total = b.get(type_, "local.get", local="total")
    b.do("return", b.get(I32, "convert", total))
    return b.function


@pytest.mark.parametrize("cpu", ("v1", "v3", "v4"))
@pytest.mark.parametrize("type_", (U32, U64), ids=str)
def test_a_sum_in_a_loop(cpu: str, type_: Int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Kernels would not follow it, which does not matter here.
    monkeypatch.setattr(limits.LimitChecker, "check_verified", lambda *_: [])
    object_ = compiled(sum_of_numbers(type_), target=Target(cpu))
    for length in (0, 1, 2, 100):
        answer = run_on(object_, "main", bytearray(), len=length).value & 0xFFFFFFFF
        assert answer == length * (length - 1) // 2


@pytest.mark.parametrize("cpu", ("v1", "v4"))
def test_a_test_for_overflow_by_division(cpu: str) -> None:
    """`a > 0xffffffffffffffff // b`, for which LLVM would multiply in 128 bits."""

    def body(b: ProgramBuilder, x: Value, y: Value) -> Value:
        most = b.get(U64, "div", b.const(U64, 2**64 - 1), y)
        return b.get(U8, "convert", b.get(BOOL, "gt", x, most))

    object_ = compiled(scalar_program("main", (U64, U64), U8, body), target=Target(cpu))
    for x, y in (
        (0, 0),
        (1, 0),
        (2**63, 2),
        (2**63, 1),
        (2**32, 2**32),
        (2**32 - 1, 2**32 + 1),
        (2**64 - 1, 1),
    ):
        assert run_scalars(object_, "main", (U64, U64), U8, (x, y)) == (x > (2**64 - 1) // y if y else x > 0)


def test_arithmetic_that_stays_too_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    def always(text: str, target: Target, passes: object, check_sizes: object) -> bytes:
        raise WideArithmetic(frozenset(("main",)))

    monkeypatch.setattr(object_builder, "compile_text", always)
    message = refusal(sum_of_numbers(U64))
    assert "the arithmetic of main needs integers of more than 64 bits" in message


@pytest.mark.parametrize("cpu", ("probe", "generic", "v5", "", "V3"))
def test_unknown_processor_versions(cpu: str) -> None:
    with pytest.raises(ValueError, match="cpu must be one of v1, v2, v3, v4, not "):
        Target(cpu)


def test_unknown_byte_orders() -> None:
    with pytest.raises(ValueError, match="endian must be one of little, big, not 'middle'"):
        Target("v3", "middle")


def test_targets_are_values() -> None:
    assert Target() == Target("v3", "little") != Target("v3", "big")
    assert len({Target(), Target("v3", "little"), Target("v4")}) == 2


def test_an_error_names_the_file_as_the_user_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "large.py").write_text(
        "from skverdict.dsl import *\n\nclass Large(Struct):\n    content: Array[u8, 600]\n\n"
        "@skb_verdict\ndef program(skb: SkSkb) -> i32:\n    large = Large()\n    return i32(large.content[0])\n"
    )
    monkeypatch.chdir(tmp_path)
    policy = load_policy("policies/large.py")
    for isolate in (False, True):
        with pytest.raises(CodegenError) as caught:
            build(policy, isolate=isolate)
        assert str(caught.value).startswith("policies/large.py:7:")
